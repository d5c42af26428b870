"""The few surface points at which a body touches things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from sim.sampling import outward
from sim.shape import Shape

_COUNT = 384


@dataclass(frozen=True)
class ContactPoints:
    """Rest positions [m], shape (m, 3); areas [m2], shape (m,); outward unit normals, shape (m, 3).

    `spacing` is the typical distance between neighbours [m].
    """

    rest: np.ndarray
    area: np.ndarray
    normals: np.ndarray
    spacing: float


def contact_points(shape: Shape, count: int = _COUNT) -> ContactPoints:
    """Evenly spread surface points and the area each stands for.

    Farthest-point order over the vertices (Gonzalez 1985): corners and tips, which touch first, come first.
    A shape without a surface offers its samples, each with the face of the cube of its volume.

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
        points, share, normals = vertices[used], share[used], _normals(vertices, faces)[used]
    else:
        points = shape.samples.numpy()
        share = shape.sample_volumes.numpy() ** (2 / 3)
        normals = _unit(points - points.mean(0))
    chosen = _farthest_first(points, min(count, len(points)))
    nearest = cKDTree(points[chosen]).query(points)[1]
    area = np.bincount(nearest, share, len(chosen)) if len(shape.faces) else share[chosen]
    neighbours = cKDTree(points[chosen]).query(points[chosen], k=min(2, len(chosen)))[0]
    spacing = float(np.median(neighbours.reshape(len(chosen), -1)[:, -1]))
    return ContactPoints(points[chosen], area, normals[chosen], spacing)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals at the vertices, weighted by area."""
    faces = outward(vertices - vertices.mean(0), faces)
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(cross[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return _unit(total)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(np.finfo(float).tiny)


def _farthest_first(points: np.ndarray, count: int) -> np.ndarray:
    chosen = np.empty(count, dtype=int)
    chosen[0] = np.argmax(np.square(points - points.mean(0)).sum(1))
    distance = np.full(len(points), np.inf)
    for i in range(1, count):
        np.minimum(distance, np.square(points - points[chosen[i - 1]]).sum(1), out=distance)
        chosen[i] = np.argmax(distance)
    return chosen
