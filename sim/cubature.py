"""Cubature: the few points and weights over which a reduced body's elastic energy is summed.

`cluster_cubature` is ready at once; `optimize_cubature` (An, Kim, James 2008, with the error measured in
displacement) takes seconds and needs fewer points for the same motion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch
from scipy.spatial import cKDTree

from sim.basis import CubaturePoints
from sim.errors import Cancelled, WorldError
from sim.material import Material
from sim.reduction import ReducedSpace

UNIFORM_POINTS = 2048
_POINTS_PER_HANDLE = 20  # tried; about half get a weight, and under six a handle the body hourglasses


@dataclass(frozen=True)
class Cubature:
    """Points and weights.

    Attributes:
        points: rest positions [m], shape (n, 3). weights: [m3], shape (n,).
        nearest: for each reference sample, which point speaks for it, shape (N,), or None.
        samples: for each point, the reference sample whose material it has, shape (n,).
    """

    points: np.ndarray
    weights: np.ndarray
    samples: np.ndarray
    nearest: np.ndarray | None = None

    def keepable(self) -> CubaturePoints:
        """In the form that is kept with a basis."""
        return CubaturePoints(
            torch.from_numpy(self.samples.astype(np.int64)),
            torch.from_numpy(self.points.copy()),
            torch.from_numpy(self.weights.copy()),
        )

    def lame(self, material: Material, count: int, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lamé's parameters [Pa] at the points, each (n,): of the sample, or the mean of the cluster."""
        mu, lam = (value.numpy() for value in material.lame(count))
        if self.nearest is None or not material.heterogeneous:
            return mu[self.samples], lam[self.samples]
        share = np.bincount(self.nearest, volumes, len(self.points))
        return tuple(np.bincount(self.nearest, volumes * v, len(self.points)) / share for v in (mu, lam))


def point_count(handles: int) -> int:
    """How many points are tried for a body with this many handles."""
    return max(32, _POINTS_PER_HANDLE * handles)


def uniform_cubature(samples: np.ndarray, volumes: np.ndarray, count: int = UNIFORM_POINTS) -> Cubature:
    """A random subset of the reference samples, always the same, with its shares of the volume scaled up."""
    # Every k-th sample would alias with whatever pattern the samples were drawn in.
    index = np.sort(np.random.default_rng(0).permutation(len(samples))[:count])
    weights = volumes[index] * (volumes.sum() / volumes[index].sum())
    return Cubature(samples[index], weights, index)


def cluster_cubature(
    samples: np.ndarray, volumes: np.ndarray, count: int, *, iterations: int = 12
) -> Cubature:
    """Clusters of the samples by k-means; each is spoken for by its most central sample.

    Deterministic: the first centres are every k-th sample.
    """
    if count >= len(samples):
        index = np.arange(len(samples))
        return Cubature(samples, volumes, index, index)
    centres = samples[np.linspace(0, len(samples) - 1, count).round().astype(int)]
    for _ in range(iterations):
        nearest = cKDTree(centres).query(samples)[1]
        share = np.bincount(nearest, volumes, count)
        held = share > 0
        for axis in range(3):
            total = np.bincount(nearest, volumes * samples[:, axis], count)
            centres[held, axis] = total[held] / share[held]
    index = np.unique(cKDTree(samples).query(centres)[1])
    points = samples[index]
    nearest = cKDTree(points).query(samples)[1]
    return Cubature(points, np.bincount(nearest, volumes, len(points)), index, nearest)


def explicit_cubature(
    points: np.ndarray | torch.Tensor, weights: np.ndarray | torch.Tensor, samples: np.ndarray
) -> Cubature:
    """The caller's own points [m], shape (n, 3), and weights [m3], shape (n,).

    Raises:
        WorldError: shapes that do not match, values that are not finite, or weights under zero.
    """
    points, weights = _float64(points), _float64(weights)
    if points.ndim != 2 or points.shape[1] != 3 or weights.shape != (len(points),) or len(points) == 0:
        raise WorldError(
            f"Cubature needs points (n, 3) and weights (n,), got {points.shape} and {weights.shape}."
        )
    if not (np.isfinite(points).all() and np.isfinite(weights).all() and (weights >= 0).all()):
        raise WorldError("Cubature points and weights must be finite, and the weights not negative.")
    return Cubature(points, weights, cKDTree(samples).query(points)[1])


def _float64(values: np.ndarray | torch.Tensor) -> np.ndarray:
    """A copy that later changes to the caller's own array do not reach."""
    return torch.as_tensor(values).detach().cpu().double().numpy().copy()


def select_points(
    features: np.ndarray,
    count: int,
    *,
    rounds: int = 16,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Few columns whose non-negative combination gives the sum of all: block-greedy matching pursuit.

    Args:
        features: each reference sample's contribution to what must come out right, shape (rows, N).
        count: columns to keep at the most.
        on_progress: told the share done, 0 to 1. cancel: when set, the work stops.

    Returns:
        Chosen column numbers, ascending, and their positive multipliers.

    Raises:
        Cancelled: `cancel` was set.
    """
    target = features.sum(1)
    size = np.sqrt(np.square(features).sum(0)).clip(1e-300)
    chosen = np.zeros(0, dtype=int)
    x = np.zeros(0)
    residual = target
    for step in range(1, rounds + 1):
        if cancel is not None and cancel.is_set():
            raise Cancelled("Choosing the cubature points was cancelled.")
        room = round(count * step / rounds) - len(chosen)
        score = features.T @ residual / size
        score[chosen] = -np.inf
        new = np.argpartition(-score, room)[:room] if room < len(score) else np.arange(len(score))
        chosen = np.concatenate([chosen, new[score[new] > 0]])
        x = non_negative_fit(features[:, chosen], target)
        chosen, x = chosen[x > 0], x[x > 0]
        residual = target - features[:, chosen] @ x
        if on_progress is not None:
            on_progress(step / rounds)
    order = np.argsort(chosen)
    return chosen[order], x[order]


def non_negative_fit(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`min |columns x - target|` over x >= 0; the tall problem is first reduced by QR."""
    scale = np.sqrt(np.square(columns).sum(0)).clip(1e-300)
    q, r = np.linalg.qr(columns / scale)
    return scipy.optimize.nnls(r, q.T @ target, maxiter=30 * columns.shape[1])[0] / scale


def displacement_features(
    space: ReducedSpace,
    stress_at: Callable[[np.ndarray], np.ndarray],
    sketches: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """What each sample's elastic force does to the motion, in random directions, over training poses.

    Args:
        stress_at: first Piola stress times volume at all samples for a state, (3, r) -> (N, 3, 3).
        sketches: for each pose its state (3, r) and directions `S = R H^-1`, shape (k, 3, r): the force `g_i`
            of sample i counts as the displacement `S . g_i`.

    Returns:
        Features, shape (poses k + 1, N); the last row is the volume.
    """
    A = space.gradient.astype(np.float32)
    count, _, rank = A.shape
    rows = []
    for z, S in sketches:
        P = stress_at(z).astype(np.float32)
        D = A.reshape(-1, rank) @ S.reshape(-1, rank).T.astype(np.float32)
        D = D.reshape(count, 3, -1, 3)  # sample, gradient axis b, direction, displacement axis a
        row = np.einsum("ibka,iab->ki", D, P, optimize=True)
        # Each pose counts for what it is: a gentle one as much as a violent one.
        rows.append(row / (np.linalg.norm(row.sum(1)) or 1.0))
    features = np.concatenate(rows).astype(np.float64)
    norm = np.abs(features.sum(1)).max() or 1.0
    volume = space.volumes / space.volumes.sum()
    return np.concatenate([features, volume[None] * norm * np.sqrt(len(features))])
