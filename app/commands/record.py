"""`simplicits-studio record`: a video of a scene, with no display."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from sim.errors import StudioError


def run(
    scene: Annotated[str, tyro.conf.Positional] = "gummy_bear",
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out/gummy_bear.mp4"),
    seconds: float | None = None,
    fps: float | None = None,
    size: str | None = None,
    device: str = "auto",
    cubature: str | None = None,
) -> int:
    """Make a video of a scene, with its scripted hands.

    Args:
        scene: file, or name of a shipped scene.
        output: an .mp4 file.
        seconds: how long; what the scene says when left out.
        fps: frames a second; likewise.
        size: as 1280x720; likewise.
        device: where the simulation computes: auto, cpu, cuda.
        cubature: instead of the scene's: optimized, clusters, uniform.
    """
    from app.stage import Stage
    from app.video import VideoWriter
    from scenes.build import build_world
    from scenes.events import ScriptedHands
    from scenes.load import load_scene
    from scenes.shipped import find_scene

    described = load_scene(find_scene(scene))
    film = described.record
    seconds = film.seconds if seconds is None else seconds
    fps = film.fps if fps is None else fps
    width, height = _size(size) if size else film.size
    world = build_world(described, device=device, cubature=cubature)
    hands = ScriptedHands(world, described.events)
    stage = Stage((width, height))
    stage.set_floor(described.floor.height if described.floor else None)
    for body, part in zip(world.bodies, described.bodies, strict=True):
        stage.add(body, part.color)
    camera = described.camera
    stage.look(camera.position, camera.look_at, field_of_view=camera.field_of_view)
    with VideoWriter(output, (width, height), fps) as video:
        for number in tqdm(range(round(seconds * fps)), desc=output.name, unit="frame"):
            while world.time < number / fps - 1e-9:
                hands.follow()
                world.step()
            video.write(stage.draw())
    print(f"{output}: {seconds:g} s at {fps:g} frames a second, {width} x {height}")
    return 0


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise StudioError(f"A size is written like 1280x720, not {text!r}.") from error
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise StudioError(f"A size lies between 16 and 8192 pixels a side, got {text}.")
    return width, height
