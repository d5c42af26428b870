"""Where the camera of a film is at a time: still, along a path of moments, or round as a turntable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.interpolate import CubicHermiteSpline

from app.camera import framing
from scenes.schema import Camera, Turntable
from sim.errors import StudioError

_FIELD_OF_VIEW = 45.0  # degrees
_VIEW_FROM = np.array([0.35, 0.3, 1.0])  # a little from the right and above, as on a table


@dataclass(frozen=True)
class Shot:
    """One camera position.

    Attributes:
        position, look_at: [m], shape (3,). field_of_view: vertical [degrees].
    """

    position: np.ndarray
    look_at: np.ndarray
    field_of_view: float


def shot_at(camera: Camera, time: float) -> Shot:
    """Where the camera is at `time` [s] of the film.

    A path is a cubic Hermite spline through its moments whose slopes are those of the neighbours (Catmull-Rom for
    uneven times); it starts and stops gently, and stands still before and after.
    """
    if camera.turntable is not None:
        return _turned(camera, camera.turntable, time)
    if not camera.path:
        return _still(camera)
    times = np.array([key.at for key in camera.path])
    values = np.array(
        [
            [*key.position, *(key.look_at or camera.look_at), key.field_of_view or camera.field_of_view]
            for key in camera.path
        ]
    )
    if len(times) == 1:
        found = values[0]
    else:
        slopes = np.zeros_like(values)
        slopes[1:-1] = (values[2:] - values[:-2]) / (times[2:] - times[:-2])[:, None]
        found = CubicHermiteSpline(times, values, slopes)(np.clip(time, times[0], times[-1]))
    return Shot(found[:3], found[3:6], float(np.clip(found[6], 1.0, 150.0)))


def framing_camera(low: Sequence[float], high: Sequence[float], aspect: float) -> Camera:
    """A camera that sees a box whole, with a margin.

    Args:
        low, high: corners of the box [m]. aspect: width over height of the picture.
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    position = framing(low, high, _VIEW_FROM, _FIELD_OF_VIEW, aspect)
    middle = (low + high) / 2
    return Camera(
        position=tuple(position.tolist()), look_at=tuple(middle.tolist()), field_of_view=_FIELD_OF_VIEW
    )


def read_camera(text: str) -> Camera:
    """A camera from the command line: six numbers `x,y,z,x,y,z` (position, look at) [m], or a scene file with one.

    Raises:
        StudioError: neither. SceneError: the scene file is wrong.
    """
    parts = text.split(",")
    if len(parts) == 6:
        try:
            numbers = [float(part) for part in parts]
            if all(map(math.isfinite, numbers)):
                return Camera(position=tuple(numbers[:3]), look_at=tuple(numbers[3:]))
        except ValueError as error:
            raise StudioError(f"A camera is six numbers, not {text!r}: {error}.") from error
    if text.lower().endswith((".yaml", ".yml")):
        from scenes.load import load_scene

        camera = load_scene(text).camera
        if camera is None:
            raise StudioError(f"The scene {text} has no camera.")
        return camera
    raise StudioError(
        f"A camera is six numbers without blanks, position and look at in metres, such as 0,0.3,1,0,0.1,0; or a "
        f"scene file with a camera. Got {text!r}."
    )


def with_turntable(camera: Camera, seconds: float) -> Camera:
    """The same camera going round once in so many seconds, clockwise when they are negative.

    Raises:
        StudioError: no time at all, or over an hour.
    """
    if not (math.isfinite(seconds) and 0 < abs(seconds) <= 3600):
        raise StudioError(f"A turn takes up to 3600 seconds (negative: clockwise), got {seconds:g}.")
    table = Turntable(seconds=abs(seconds), clockwise=seconds < 0)
    return msgspec.structs.replace(camera, path=(), turntable=table)


def _still(camera: Camera) -> Shot:
    return Shot(np.array(camera.position), np.array(camera.look_at), camera.field_of_view)


def _turned(camera: Camera, table: Turntable, time: float) -> Shot:
    shot = _still(camera)
    angle = 2 * math.pi * time / table.seconds * (-1 if table.clockwise else 1)
    x, y, z = shot.position - shot.look_at
    cosine, sine = math.cos(angle), math.sin(angle)
    # About +y by the right-hand rule: seen from above, against the clock.
    offset = np.array([cosine * x + sine * z, y, -sine * x + cosine * z])
    return Shot(shot.look_at + offset, shot.look_at, shot.field_of_view)
