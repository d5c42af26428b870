"""`simplicits-studio replay`: a recorded motion once more, at any size, rate and camera, without simulating."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm


def run(
    motion: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out/film.mp4"),
    seconds: float | None = None,
    fps: float | None = None,
    size: str | None = None,
    camera: str | None = None,
    turntable: float | None = None,
    transparent: bool = False,
    samples: int = 2,
    speed: float = 1.0,
) -> int:
    """Film a recorded motion again, without simulating.

    Args:
        motion: a file that `record --trajectory` or the window wrote (.safetensors).
        output: as of `record`: .mp4, .mov, .webm, .gif, or a folder of pictures.
        seconds: of the film; all of the motion when left out.
        fps: frames a second; what its scene says when left out.
        size: as 1280x720; likewise.
        camera: position and look-at as x,y,z,x,y,z in metres, or a scene file with a camera; likewise.
        turntable: seconds for the camera to go round once; negative turns clockwise.
        transparent: without a background; .mov, .webm, .png, .gif.
        samples: drawn a pixel, an edge length: 1 is fast, 2 has smooth edges, up to 4.
        speed: 0.25 shows it four times slower.
    """
    from app.commands.record import film_settings, said
    from app.film import shoot
    from app.motion import RecordedMotion
    from sim.trajectory import Trajectory

    recorded = RecordedMotion(Trajectory.load(motion), folder=motion.absolute().parent)
    if seconds is None and speed > 0:
        seconds = max(recorded.seconds / speed, 1e-3)
    settings = film_settings(
        recorded.scene,
        output,
        seconds,
        fps,
        size,
        camera,
        turntable,
        transparent,
        samples=samples,
        speed=speed,
    )
    with tqdm(total=settings.frames, desc=output.name, unit="frame") as bar:
        path = shoot(recorded, settings, lambda number: bar.update())
    print(f"{path}: {said(settings)}")
    return 0
