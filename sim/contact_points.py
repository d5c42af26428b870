"""The few surface points at which a body touches things."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

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

    The outermost vertices in many directions, so that no corner or tip pokes through what it touches; then
    farthest-point order (Gonzalez 1985). A shape without a surface offers its samples, each with the face of the
    cube of its volume.
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
    tips = np.unique((points @ _DIRECTIONS.T).argmax(0))[:count]
    chosen = np.empty(count, dtype=int)
    chosen[: len(tips)] = tips
    distance = cKDTree(points[tips]).query(points)[0] ** 2
    for i in range(len(tips), count):
        chosen[i] = np.argmax(distance)
        np.minimum(distance, np.square(points - points[chosen[i]]).sum(1), out=distance)
    return chosen


def _spread_directions() -> np.ndarray:
    """Unit vectors: faces, edges and corners of a cube, and a Fibonacci spiral between them."""
    cube = np.array([d for d in product((-1.0, 0.0, 1.0), repeat=3) if any(d)])
    k = np.arange(64) + 0.5
    height, angle = 1 - k / 32, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    spiral = np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)
    return np.concatenate([_unit(cube), spiral])


_DIRECTIONS = _spread_directions()
