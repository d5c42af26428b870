"""What lies under the mouse: rays against moving surfaces, points and pixels. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hit:
    """Where a ray meets a surface.

    Attributes:
        surface: its number. face: number of the triangle. barycentric: shares of its corners, (3,).
        point: [m], (3,). distance: from the ray's origin [m].
    """

    surface: int
    face: int
    barycentric: np.ndarray
    point: np.ndarray
    distance: float


def pick(surfaces, origin: np.ndarray, direction: np.ndarray) -> Hit | None:
    """The nearest hit of a ray with any of the surfaces, or None.

    Args:
        surfaces: pairs of vertices [m] (V, 3) and faces (F, 3). direction: of length 1.
    """
    hits = [
        hit
        for number, (vertices, faces) in enumerate(surfaces)
        if (hit := pick_surface(vertices, faces, origin, direction, number)) is not None
    ]
    return min(hits, key=lambda hit: hit.distance, default=None)


def pick_surface(
    vertices: np.ndarray, faces: np.ndarray, origin: np.ndarray, direction: np.ndarray, surface: int = 0
) -> Hit | None:
    """The nearest hit of a ray with a surface, or None.

    Looking along the ray the surface is flat: a triangle is hit when it contains the ray's dot. Only products
    of all vertices with two directions are taken in full, so that 100,000 triangles take milliseconds.
    """
    if not len(faces):
        return None
    side = np.cross(direction, [1.0, 0.0, 0.0] if abs(direction[0]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    flat = (vertices - origin) @ np.column_stack([side, np.cross(direction, side)])
    x, y = flat[:, 0][faces], flat[:, 1][faces]
    near = (x.min(1) <= 0) & (x.max(1) >= 0) & (y.min(1) <= 0) & (y.max(1) >= 0)
    candidates = np.flatnonzero(near)
    x, y = x[candidates].astype(np.float64), y[candidates].astype(np.float64)
    areas = np.roll(x, -1, 1) * np.roll(y, -2, 1) - np.roll(x, -2, 1) * np.roll(y, -1, 1)
    total = areas.sum(1)
    inside = (np.abs(total) > 1e-30) & ((areas >= 0).all(1) | (areas <= 0).all(1))
    if not inside.any():
        return None
    candidates, shares = candidates[inside], areas[inside] / total[inside, None]
    points = np.einsum("nk,nkd->nd", shares, vertices[faces[candidates]].astype(np.float64))
    distances = (points - origin) @ direction
    distances[distances <= 0] = np.inf
    best = int(distances.argmin())
    if not np.isfinite(distances[best]):
        return None
    return Hit(surface, int(candidates[best]), shares[best], points[best], float(distances[best]))


def plane_hit(
    origin: np.ndarray, direction: np.ndarray, point: np.ndarray, normal: np.ndarray
) -> np.ndarray | None:
    """Where a ray cuts the plane through `point` [m], or None: never ahead of its origin."""
    slope = float(direction @ normal)
    if abs(slope) < 1e-9:
        return None
    distance = float((point - origin) @ normal) / slope
    return origin + distance * direction if distance > 0 else None


def nearest_pixel(pixels: np.ndarray, mouse: tuple[float, float], reach: float) -> int | None:
    """Which of the points on screen (n, 2) is under the mouse, within `reach` pixels; None: none is."""
    if not len(pixels):
        return None
    distances = np.linalg.norm(pixels - np.asarray(mouse), axis=1)
    distances[~np.isfinite(distances)] = np.inf
    best = int(distances.argmin())
    return best if distances[best] <= reach else None


def inside_box(pixels: np.ndarray, corner: tuple[float, float], other: tuple[float, float]) -> np.ndarray:
    """Which points on screen (n, 2) lie in the rectangle between two corners, bool (n,)."""
    low, high = np.minimum(corner, other), np.maximum(corner, other)
    with np.errstate(invalid="ignore"):
        return ((pixels >= low) & (pixels <= high)).all(1)
