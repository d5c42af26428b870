"""Bodies for the oracles, given by an inside predicate and a box: no mesh file, no code of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from oracle.meshes import Predicate


@dataclass(frozen=True)
class Solid:
    """`inside`: points (n, 3) [m] -> bool (n,); `bounds`: the corners (2, 3) [m] of a box that holds it."""

    inside: Predicate
    bounds: np.ndarray

    def samples(self, count: int, seed: int = 0) -> np.ndarray:
        """`count` uniform random points inside (count, 3) [m]."""
        rng = np.random.default_rng(seed)
        kept = np.zeros((0, 3))
        while len(kept) < count:
            points = rng.uniform(*self.bounds, (4 * count, 3))
            kept = np.concatenate((kept, points[self.inside(points)]))
        return kept[:count]


def box(low, high) -> Solid:
    """Axis-aligned box between two corners [m]."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    return Solid(lambda X: ((low <= X) & (high >= X)).all(1), np.stack((low, high)))


def smooth_capsules(segments: np.ndarray, radii: np.ndarray, blend: float) -> Solid:
    """Smooth union of capsules: segments (c, 2, 3) [m], radii (c,) [m], rounding `blend` [m].

    The signed distances are joined by `-blend log sum exp(-d/blend)`.
    """
    segments, radii = np.asarray(segments, float), np.asarray(radii, float)

    def inside(X):
        start, way = segments[:, 0], segments[:, 1] - segments[:, 0]
        offset = X[:, None, :] - start
        along = np.clip((offset * way).sum(2) / (way**2).sum(1), 0, 1)
        distance = np.linalg.norm(offset - along[..., None] * way, axis=2) - radii
        return np.exp(-distance / blend).sum(1) >= 1

    margin = radii.max() + blend * np.log(len(radii))
    corners = segments.reshape(-1, 3)
    return Solid(inside, np.stack((corners.min(0) - margin, corners.max(0) + margin)))


LIMB_TIPS = np.array(
    [[0.45, 0.05, 0.0], [-0.45, 0.1, 0.05], [0.2, -0.45, -0.05], [-0.22, -0.45, 0.05], [0.0, 0.5, 0.0]]
)


def five_limbs() -> Solid:
    """Five capsules from a common centre, about 1.1 m long, limbs 0.16-0.2 m thick: the yardstick of limbs.

    `LIMB_TIPS` are the ends of the capsules' axes.
    """
    segments = np.stack((np.zeros_like(LIMB_TIPS), LIMB_TIPS), 1)
    return smooth_capsules(segments, np.array([0.09, 0.09, 0.1, 0.1, 0.1]), 0.02)
