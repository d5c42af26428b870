"""Camera geometry: pixels to rays and back, framing, and room for the column at the left. No window needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_FILLED = 0.82  # of the picture, by what is framed


@dataclass(frozen=True)
class CameraPose:
    """A perspective camera.

    Attributes:
        position: [m], (3,). look, up, right: orthonormal directions, (3,). fov: vertical [degrees].
        size: of the picture, width and height [px].
    """

    position: np.ndarray
    look: np.ndarray
    up: np.ndarray
    right: np.ndarray
    fov: float
    size: tuple[float, float]

    @property
    def slope(self) -> float:
        """Half the picture's height over the distance."""
        return float(np.tan(np.radians(self.fov) / 2))

    def ray(self, pixel: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Origin [m] and unit direction through a pixel (x right, y down)."""
        width, height = self.size
        x = (2 * pixel[0] / width - 1) * self.slope * width / height
        y = (1 - 2 * pixel[1] / height) * self.slope
        direction = self.look + x * self.right + y * self.up
        return self.position, direction / np.linalg.norm(direction)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (n, 2) and depths along the view [m] (n,) of world points (n, 3); behind the camera: NaN."""
        offset = np.atleast_2d(points) - self.position
        depth = offset @ self.look
        width, height = self.size
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = np.where(depth > 1e-9, depth, np.nan)
            x = offset @ self.right / (ahead * self.slope * width / height)
            y = offset @ self.up / (ahead * self.slope)
        return np.column_stack([(x + 1) * width / 2, (1 - y) * height / 2]), depth

    def metres_per_pixel(self, depth: float) -> float:
        """At that distance along the view."""
        return 2 * depth * self.slope / self.size[1]


def pose_looking(position, look_at, fov: float, size: tuple[float, float]) -> CameraPose:
    """A camera at `position` looking at `look_at` [m], y up."""
    position = np.asarray(position, dtype=np.float64)
    look = np.asarray(look_at, dtype=np.float64) - position
    look = look / np.linalg.norm(look)
    upward = np.array([0.0, 1.0, 0.0]) if abs(look[1]) < 0.999 else np.array([0.0, 0.0, -1.0])
    right = np.cross(look, upward)
    right /= np.linalg.norm(right)
    return CameraPose(position, look, np.cross(right, look), right, fov, size)


def framing(low: np.ndarray, high: np.ndarray, direction, fov: float, aspect: float) -> np.ndarray:
    """From where a box [m] is seen whole with a margin.

    Args:
        low, high: corners, (3,). direction: from the box's middle to the camera. aspect: width over height of
            the part of the picture that is free.
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    middle = (low + high) / 2
    pose = pose_looking(middle + direction, middle, fov, (aspect, 1.0))
    corners = (
        np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low - middle
    )
    slope = pose.slope * _FILLED
    ahead = -corners @ pose.look
    distance = np.maximum(
        np.abs(corners @ pose.right) / (slope * aspect) + ahead, np.abs(corners @ pose.up) / slope + ahead
    )
    return middle - (float(distance.max()) or 1.0) * pose.look


def shifted_for_panels(
    pose: CameraPose, center: np.ndarray, column: float, bottom: float = 0.0
) -> CameraPose:
    """The same view moved so that `center` appears in the middle of what panels leave free.

    Args:
        column, bottom: width of those at the left and height of those below [px]; negative ones undo the shift.
    """
    depth = float((np.asarray(center) - pose.position) @ pose.look)
    offset = -0.5 * pose.metres_per_pixel(depth) * (column * pose.right + bottom * pose.up)
    return replace(pose, position=pose.position + offset)
