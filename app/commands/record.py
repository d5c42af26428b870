"""`simplicits-studio record`: a film of a scene, with no display."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

_SAVE_EVERY = 10.0  # s of wall time between two saves of the motion: what a crash may lose


def run(
    scene: Annotated[str, tyro.conf.Positional] = "gummy_bear",
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out/film.mp4"),
    seconds: float | None = None,
    fps: float | None = None,
    size: str | None = None,
    camera: str | None = None,
    turntable: float | None = None,
    transparent: bool = False,
    samples: int = 2,
    trajectory: Path | None = None,
    resume: Path | None = None,
    device: str = "auto",
    cubature: str | None = None,
) -> int:
    """Make a film of a scene, with its scripted hands. Needs no display.

    The same scene gives the same frames. Ctrl-C keeps what was filmed so far.

    Args:
        scene: file, or name of a shipped scene.
        output: .mp4, .mov (ProRes 4444), .webm (VP9), .gif, or .png or a name without suffix for a folder of pictures.
        seconds: how long; what the scene says when left out.
        fps: frames a second; likewise (a GIF at most 25 then).
        size: as 1280x720; likewise.
        camera: position and look-at as x,y,z,x,y,z in metres, or a scene file with a camera; the scene's when left out.
        turntable: seconds for the camera to go round once; negative turns clockwise.
        transparent: without a background; .mov, .webm, .png, .gif.
        samples: drawn a pixel, an edge length: 1 is fast, 2 has smooth edges, up to 4.
        trajectory: also save the motion there (.safetensors), for replay, export, resume and the window.
        resume: a saved motion of this scene; only what comes after it is simulated.
        device: where the simulation computes: auto, cpu, cuda.
        cubature: instead of the scene's: optimized, clusters, uniform.
    """
    from app.film import shoot
    from app.interrupt import until_interrupted
    from app.motion import SimulatedMotion
    from scenes.load import load_scene
    from scenes.shipped import find_scene
    from sim.trajectory import Trajectory

    described = load_scene(find_scene(scene))
    settings = film_settings(
        described, output, seconds, fps, size, camera, turntable, transparent, samples=samples
    )
    known = Trajectory.load(resume) if resume is not None else None
    motion = SimulatedMotion(described, device=device, cubature=cubature, resume=known)
    if known is not None:
        print(f"{resume}: taken up to {motion.resumed:.3g} s; from there it is simulated.")
    saved = time.monotonic()
    # Ctrl-C is asked for between frames: raised just anywhere, a callback from native code could swallow it.
    with tqdm(total=settings.frames, desc=output.name, unit="frame") as bar, until_interrupted() as stop:

        def show(number: int) -> None:
            nonlocal saved
            bar.update()
            if stop.is_set():
                raise KeyboardInterrupt
            if trajectory is not None and time.monotonic() - saved > _SAVE_EVERY:
                motion.trajectory().save(trajectory)
                saved = time.monotonic()

        try:
            path = shoot(motion, settings, show)
            motion.advance(settings.seconds)  # the last frame is shown for a while, too
        except KeyboardInterrupt:
            print(f"{settings.output}: what was filmed so far is kept.")
            raise
        finally:
            if trajectory is not None:
                motion.trajectory().save(trajectory)
    print(f"{path}: {said(settings)}")
    return 0


def film_settings(
    described, output, seconds, fps, size, camera, turntable, transparent, *, samples, speed=1.0
):
    """What the command line and the scene together ask for; a scene may be None.

    Raises:
        StudioError: a wish that makes no film; says what would.
    """
    from app.film import FilmSettings, read_size
    from app.film_camera import framing_camera, read_camera, with_turntable
    from app.film_files import check_film, film_kind
    from scenes.schema import Record
    from sim.errors import StudioError

    film = described.record if described is not None else Record()
    kind = film_kind(output)
    if fps is None:
        fps = min(film.fps, 25.0) if kind == ".gif" else film.fps
    seconds = film.seconds if seconds is None else seconds
    if not 0 < seconds <= 36_000:
        raise StudioError(f"A film lasts up to 36000 seconds, got {seconds:g}.")
    if not 0.01 <= speed <= 100:
        raise StudioError(f"A film's speed lies between 0.01 and 100, got {speed:g}.")
    wanted = read_size(size) if size else tuple(film.size)
    check_film(kind, wanted, fps, transparent)
    found = read_camera(camera) if camera else (described.camera if described is not None else None)
    if turntable is not None:
        found = with_turntable(
            found or framing_camera((0, 0, 0), (1, 1, 1), wanted[0] / wanted[1]), turntable
        )
    if not 1 <= samples <= 4:
        raise StudioError(f"A pixel is drawn with 1 to 4 samples a side, got {samples}.")
    return FilmSettings(output, wanted, fps, seconds, found, transparent, speed, samples)


def said(settings) -> str:
    """A film in words."""
    width, height = settings.size
    return f"{settings.frames} frames, {settings.fps:g} a second, {width} x {height}"
