"""Newton's method for a step: the exact Hessian first, safety only where it fails, old factors where they do.

Equations and the measurements behind the choices: docs/solver.md.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sim.incremental_potential import IncrementalPotential

_ARMIJO = 1e-4
_SLACK = 1e-9  # of |E|: below this, energy differences are rounding
_LONGEST = 1.5  # largest change of F in a step's first trial: further, the quadratic model means nothing
_MEMORY = 6  # pairs kept by L-BFGS
_PATIENCE = 8  # expected quasi-Newton iterations beyond which a new factor is cheaper
_TRIALS = 16
_REST = 1e-4  # of the tolerance: a body this near its equilibrium sleeps
_NEWTON_RANK = 64  # up to this r a factor costs so little that plain Newton wins


@dataclass(frozen=True)
class Solution:
    """Where a minimisation ended.

    Attributes:
        z: shape (3, r). energy: [J]. iterations: steps taken. factorizations: Hessians built.
        residual: |gradient| times the caller's scale. converged: whether that is under the tolerance.
        factor: the last factor, which the next step may start with.
    """

    z: np.ndarray
    energy: float
    iterations: int
    factorizations: int
    residual: float
    converged: bool
    factor: Factor | None


class Factor:
    """Cholesky factor of a Hessian, to be solved with many times."""

    def __init__(self, lower: np.ndarray) -> None:
        # LAPACK wants columns first: a row-major lower factor, transposed, is an upper one without a copy.
        self._upper = lower.T
        self._potrs = scipy.linalg.get_lapack_funcs("potrs", (lower,))

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """`H^-1 gradient` for gradient (3, r)."""
        solution, _ = self._potrs(self._upper, gradient.reshape(-1).astype(self._upper.dtype), lower=0)
        return solution.astype(np.float64).reshape(gradient.shape)


def minimize(
    potential: IncrementalPotential,
    z: np.ndarray,
    *,
    residual_scale: float,
    tolerance: float,
    factor: Factor | None = None,
    max_iterations: int = 100,
    deadline: float = math.inf,
) -> Solution:
    """Minimise an incremental potential from `z`.

    Args:
        residual_scale: turns |gradient| into the length the tolerance is in: `h^2 / sqrt(m)` gives the RMS
            displacement error in metres.
        tolerance: in that unit.
        factor: of an earlier, similar problem; tried first when the space is large.
        deadline: reading of `time.perf_counter` after which no further iteration begins but the first.

    Returns:
        The solution; `converged` is False when `max_iterations` or the time were not enough or no step lowers the
        energy.
        Its energy never exceeds the start's.
    """
    quasi = z.shape[1] > _NEWTON_RANK
    factor = factor if quasi else None
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=_MEMORY)
    energy, gradient = potential.energy_gradient(z)
    fresh = filtered = False
    factorizations = 0
    iteration = 0
    while True:
        residual = residual_scale * float(np.linalg.norm(gradient))
        # At least one iteration: a start within the tolerance is still a step not taken, and a large body in slow
        # motion would stand still. Only what is far below it is at rest.
        if residual <= (tolerance if iteration else _REST * tolerance) or iteration >= max_iterations:
            break
        if iteration and time.perf_counter() > deadline:
            break
        if factor is None:
            factor, filtered = factorize(potential, z, filtered)
            factorizations += 1
            fresh = True
            pairs.clear()
        direction = -_two_loop(gradient, pairs, factor)
        step = _line_search(potential, z, energy, gradient, direction)
        if step is None:
            if fresh and filtered:
                break
            filtered = filtered or fresh
            factor = None
            continue
        length, moved, new_energy, new_gradient = step
        iteration += 1
        if quasi:
            factor = factor if _keeps_pace(gradient, new_gradient, length, residual, tolerance) else None
            s, y = moved - z, new_gradient - gradient
            curvature = float((s * y).sum())
            if curvature > 0:
                pairs.append((s, y, 1 / curvature))
        else:
            factor = None
        # The filter costs Newton its quadratic end game, so the exact Hessian gets another chance each time.
        fresh = filtered = False
        z, energy, gradient = moved, new_energy, new_gradient
    return Solution(z, energy, iteration, factorizations, residual, residual <= tolerance, factor)


def factorize(potential: IncrementalPotential, z: np.ndarray, filtered: bool) -> tuple[Factor, bool]:
    """Cholesky of the exact Hessian, else of the filtered one, else shifted until it works.

    Returns:
        The factor, and whether the filter was needed.
    """
    H = None
    for attempt in (True,) if filtered else (False, True):
        H = potential.hessian(z, attempt)
        lower = _cholesky(H)
        if lower is not None:
            return Factor(lower), attempt
    H = np.nan_to_num(H, nan=0.0, posinf=0.0, neginf=0.0)
    diagonal = np.abs(H.diagonal()).clip(np.finfo(H.dtype).tiny * 1e6)
    for shift in (1e-4, 1e-2, 1.0):
        lower = _cholesky(H + np.diag(shift * diagonal))
        if lower is not None:
            return Factor(lower), True
    return Factor(np.diag(np.sqrt(diagonal))), True


def _cholesky(H: np.ndarray) -> np.ndarray | None:
    # NumPy's releases the GIL, so that a training thread and the window go on meanwhile; SciPy's does not.
    try:
        lower = np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        return None
    return lower if np.isfinite(lower[-1]).all() else None


def _line_search(
    potential: IncrementalPotential, z: np.ndarray, energy: float, gradient: np.ndarray, direction: np.ndarray
) -> tuple[float, np.ndarray, float, np.ndarray] | None:
    """Armijo backtracking with quadratic interpolation; None when nothing along `direction` is lower."""
    slope = float((gradient * direction).sum())
    if not (slope < 0 and math.isfinite(slope)):
        return None
    length = min(1.0, _LONGEST / max(potential.largest_change(direction), 1e-300))
    for _ in range(_TRIALS):
        trial = z + length * direction
        new_energy, new_gradient = potential.energy_gradient(trial)
        if new_energy <= energy + _ARMIJO * length * slope + _SLACK * abs(energy):
            return length, trial, new_energy, new_gradient
        rise = new_energy - energy - length * slope
        best = -slope * length**2 / (2 * rise) if math.isfinite(rise) and rise > 0 else 0.0
        length = min(max(best, 0.1 * length), 0.5 * length)
    return None


def _keeps_pace(old: np.ndarray, new: np.ndarray, length: float, residual: float, tolerance: float) -> bool:
    """Whether a stale factor still converges soon enough to be worth keeping."""
    if length < 1.0:
        return False
    rate = float(np.linalg.norm(new) / np.linalg.norm(old))
    remaining = residual * rate / tolerance
    if remaining <= 1:
        return True
    return rate < 1 and math.log(remaining) / -math.log(rate) <= _PATIENCE


def _two_loop(gradient: np.ndarray, pairs: deque, factor: Factor) -> np.ndarray:
    """L-BFGS product with the factor as its initial Hessian (Nocedal and Wright 2006, algorithm 7.4)."""
    q = gradient.copy()
    taken = []
    for s, y, rho in reversed(pairs):
        alpha = rho * float((s * q).sum())
        q -= alpha * y
        taken.append(alpha)
    q = factor.solve(q)
    for (s, y, rho), alpha in zip(pairs, reversed(taken), strict=True):
        q += s * (alpha - rho * float((y * q).sum()))
    return q
