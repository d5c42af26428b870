"""Filming a motion without a window: the one loop behind `record` and `replay`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.film_camera import framing_camera, shot_at
from app.motion import Motion
from app.recorder import Recorder
from app.stage import Stage
from scenes.schema import Camera
from sim.errors import StudioError


@dataclass(frozen=True)
class FilmSettings:
    """What to film.

    Attributes:
        output: file or folder, see `app.film_files.KINDS`. size: [px]. fps: frames a second of the motion's time.
        seconds: length [s]. camera: None frames the bodies. transparent: no background, keep alpha.
        speed: of the motion, 1 is real time: 0.25 is slow motion.
        samples: drawn for each pixel, an edge length.
    """

    output: Path
    size: tuple[int, int] = (1280, 720)
    fps: float = 60.0
    seconds: float = 4.0
    camera: Camera | None = None
    transparent: bool = False
    speed: float = 1.0
    samples: int = 2

    @property
    def frames(self) -> int:
        """How many pictures that makes; at least one."""
        return max(1, round(self.seconds * self.fps))


def shoot(motion: Motion, settings: FilmSettings, on_frame: Callable[[int], None] | None = None) -> Path:
    """Draw and write every frame. What was filmed before an interruption is kept.

    Args:
        motion: asked to show times 0, speed / fps, ... on_frame: told the number of each frame that was put.

    Returns:
        Where the film is.

    Raises:
        StudioError: there is no OpenGL; the film cannot be written, or its disk is full.
    """
    with Recorder(
        settings.output,
        settings.size,
        settings.fps,
        transparent=settings.transparent,
        frames=settings.frames,
    ) as recorder:
        stage = set_up(motion, settings.size, settings.samples)
        camera = settings.camera or framing_camera(*stage.bounds(), settings.size[0] / settings.size[1])
        for number in range(settings.frames):
            motion.show(number * settings.speed / settings.fps)
            stage.look(shot_at(camera, number / settings.fps))
            recorder.put(stage.draw(transparent=settings.transparent))
            if on_frame is not None:
                on_frame(number)
    return recorder.path


def set_up(motion: Motion, size: tuple[int, int], samples: int = 2) -> Stage:
    """A stage with the motion's bodies and floor on it."""
    stage = Stage(size, samples=samples)
    scene = motion.scene
    stage.set_floor(scene.floor.height if scene is not None and scene.floor is not None else None)
    motion.show(0.0)
    for number, body in enumerate(motion.bodies):
        stage.add(body, scene.bodies[number].color if scene is not None else None)
    return stage


def read_size(text: str) -> tuple[int, int]:
    """Width and height [px] from text such as 1280x720.

    Raises:
        StudioError: it is not.
    """
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise StudioError(f"A size is written like 1280x720, not {text!r}.") from error
    return width, height
