"""The few surface points at which a body touches things."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from sim.shape import Shape

_COUNT = 384


def contact_points(shape: Shape, count: int = _COUNT) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spread surface points and the area each stands for.

    Farthest-point order over the vertices (Gonzalez 1985): corners and tips, which touch first, come first.
    A shape without a surface offers its samples, each with the face of the cube of its volume.

    Returns:
        Rest positions [m], shape (m, 3), and areas [m2], shape (m,).
    """
    if len(shape.faces):
        vertices = shape.vertices.numpy()
        faces = shape.faces.numpy()
        corners = vertices[faces]
        area = (
            np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        )
        share = np.bincount(faces.ravel(), np.repeat(area / 3, 3), len(vertices))
        used = np.unique(faces)
        points, share = vertices[used], share[used]
    else:
        points = shape.samples.numpy()
        share = shape.sample_volumes.numpy() ** (2 / 3)
    chosen = _farthest_first(points, min(count, len(points)))
    nearest = cKDTree(points[chosen]).query(points)[1]
    if len(shape.faces):
        return points[chosen], np.bincount(nearest, share, len(chosen))
    return points[chosen], share[chosen]


def _farthest_first(points: np.ndarray, count: int) -> np.ndarray:
    chosen = np.empty(count, dtype=int)
    chosen[0] = np.argmax(np.square(points - points.mean(0)).sum(1))
    distance = np.full(len(points), np.inf)
    for i in range(1, count):
        np.minimum(distance, np.square(points - points[chosen[i - 1]]).sum(1), out=distance)
        chosen[i] = np.argmax(distance)
    return chosen
