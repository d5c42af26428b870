"""Signed distance fields: solids as pure functions of space, joined with rounded seams.

A *field* maps points [m], shape (N, 3), to signed distances [m], shape (N,), negative inside. The ellipsoid
and the tapered rods are bounds rather than exact distances; the surface they describe is exact, which is all
that `surface.py` asks (it walks along gradients).

Source of the closed forms: I. Quilez, "distance functions" and "smooth minimum" (articles, iquilezles.org).
"""

from collections.abc import Callable, Sequence

import numpy as np

Points = np.ndarray
Distances = np.ndarray
Field = Callable[[Points], Distances]

FAR = 1.0
"""Distance [m] reported where a field does not bother to measure; farther than any seam is wide."""


def sphere(points: Points, centre: Sequence[float], radius: float) -> Distances:
    """Distance to a ball. `centre` and `radius` in metres."""
    return np.linalg.norm(points - np.asarray(centre), axis=1) - radius


def ellipsoid(points: Points, centre: Sequence[float], radii: Sequence[float]) -> Distances:
    """First-order distance to an axis-aligned ellipsoid with half-axes `radii` [m]."""
    offset = points - np.asarray(centre)
    radii = np.asarray(radii)
    scaled = np.linalg.norm(offset / radii, axis=1)
    slope = np.linalg.norm(offset / radii**2, axis=1)
    return scaled * (scaled - 1.0) / np.maximum(slope, 1e-12)


def rod(
    points: Points, start: Sequence[float], end: Sequence[float], radii: tuple[float, float]
) -> Distances:
    """Distance to a rounded rod from `start` to `end` whose radius runs from radii[0] to radii[1] [m]."""
    start, axis = np.asarray(start), np.asarray(end) - np.asarray(start)
    offset = points - start
    along = np.clip(offset @ axis / (axis @ axis), 0.0, 1.0)
    nearest = offset - along[:, None] * axis
    return np.sqrt(np.einsum("ij,ij->i", nearest, nearest)) - (radii[0] + along * (radii[1] - radii[0]))


def tube(points: Points, path: np.ndarray, radii: np.ndarray, reach: float = 0.04) -> Distances:
    """Distance to a tube along a polyline.

    Args:
        points: query points [m], shape (N, 3).
        path: the polyline [m], shape (M, 3).
        radii: tube radius at each of its points [m], shape (M,).
        reach: how far from the tube [m] distances are surely measured; beyond it the answer may be `FAR`.
    """
    distance = np.full(len(points), FAR)
    margin = reach + radii.max()
    for first in range(0, len(path) - 1, 4):
        piece = slice(first, first + 5)
        low, high = path[piece].min(axis=0) - margin, path[piece].max(axis=0) + margin
        near = np.flatnonzero(np.all((points > low) & (points < high), axis=1))
        if len(near) == 0:
            continue
        close, best = points[near], distance[near]
        ends = zip(path[piece][:-1], path[piece][1:], radii[piece][:-1], radii[piece][1:], strict=True)
        for start, end, start_radius, end_radius in ends:
            best = np.minimum(best, rod(close, start, end, (start_radius, end_radius)))
        distance[near] = best
    return distance


def union(first: Distances, second: Distances, seam: float) -> Distances:
    """Smooth union: two solids grown together, the crease filled over a width of `seam` [m]."""
    blend = np.maximum(seam - np.abs(first - second), 0.0) / seam
    return np.minimum(first, second) - blend**2 * seam / 4.0


def carve(solid: Distances, tool: Distances, seam: float) -> Distances:
    """Smooth difference: `solid` with `tool` pressed into it, the rim rounded over `seam` [m]."""
    return -union(-solid, tool, seam)


def stand(solid: Distances, points: Points, seam: float) -> Distances:
    """`solid` cut flat at the floor y = 0, the rim rounded over `seam` [m], so that it does not roll."""
    return carve(solid, points[:, 1], seam)


def mirror(points: Points) -> Points:
    """Points folded to x >= 0: a field of folded points is symmetric left to right."""
    return np.column_stack([np.abs(points[:, 0]), points[:, 1:]])


def turn(points: Points, centre: Sequence[float], axis: int, degrees: float) -> Points:
    """Points turned about a coordinate axis through `centre`; the solid seems turned by `degrees`."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = points.copy()
    a, b = points[:, i] - centre[i], points[:, j] - centre[j]
    turned[:, i] = centre[i] + cosine * a + sine * b
    turned[:, j] = centre[j] - sine * a + cosine * b
    return turned


def ripple(points: Points, wavelength: float, waves: int, seed: int) -> np.ndarray:
    """Smooth pseudo-random relief in about [-1, 1]: a sum of plane waves in seeded random directions.

    Args:
        points: where to evaluate [m], shape (N, 3).
        wavelength: mean wavelength [m]; each wave's own lies within a third of it.
        waves: how many waves are added; more look less regular.
        seed: same seed, same relief.
    """
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(waves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    numbers = 2.0 * np.pi / (wavelength * generator.uniform(0.75, 1.33, size=waves))
    phases = generator.uniform(0.0, 2.0 * np.pi, size=waves)
    return np.sin(points @ (directions * numbers[:, None]).T + phases).sum(axis=1) / np.sqrt(waves)
