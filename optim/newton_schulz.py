"""Newton-Schulz iterations: matrices made orthogonal with matrix products alone.

Algorithm 1 of the NS design note, mended where its pseudo-code cannot work: the smaller Gram matrix is formed, an
iterate is scaled down before it overflows (NaN divided by its norm stays NaN), and a zero matrix stays zero. Beside
it the exact polar factor and the inverse square root, from one schedule of minimax polynomials. All functions take
matrices in the last two dimensions and batches of them in the others, and can be differentiated.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from sim.errors import TrainingError

Tensor = torch.Tensor
Coefficients = tuple[float, float, float]

SEED_COEFFICIENTS: Coefficients = (3.4445, -4.7750, 2.0315)
"""The note's (and Muon's) a, b, c: quick, but 1 is no fixed point of theirs (0.868 is, and it repels)."""

CLASSIC_COEFFICIENTS: Coefficients = (15 / 8, -10 / 8, 3 / 8)
"""The classic quintic: converges to exactly 1, but lifts small singular values by 1.875 a step only."""


def modified_newton_schulz(
    matrix: Tensor,
    steps: int = 6,
    *,
    dtype: torch.dtype = torch.bfloat16,
    coefficients: Coefficients = SEED_COEFFICIENTS,
    eps: float = 1e-7,
) -> Tensor:
    """Algorithm 1 of the NS design note: an approximate polar factor.

    `X <- X / (|X|_F + eps)`, then `steps` times `A = X X^T; X <- a X + (b A + c A^2) X`.

    Args:
        matrix: shape (..., rows, columns), any real floating dtype; entries that are not finite count as zero.
        steps: K.
        dtype: of the iteration: bfloat16, float32 or float64.
        coefficients: a, b, c.
        eps: keeps a zero matrix zero; in units of the matrix's largest entry, so that scale does not matter.

    Returns:
        Same shape and dtype. A singular value s of the input, divided by the Frobenius norm, becomes the K-th
        iterate of `a s + b s^3 + c s^5`. With the seed's coefficients that is
        within [0.67, 1.21] for every s over 0.21, 0.061, 0.018, 0.0052, 0.0015, 0.00044 at K = 1 to 6 (and does not
        converge further: iterates hop about in that band); smaller s grow at most 3.4445-fold a step; zero stays.
        In float32 that holds to 1e-4, in bfloat16 to 0.03. The result is finite whatever the coefficients.
    """
    if matrix.numel() == 0:
        return matrix.clone()
    a, b, c = coefficients
    X = _largest_entry_one(matrix).to(dtype).reshape(-1, *matrix.shape[-2:])
    X = X / (torch.linalg.vector_norm(X, dim=(-2, -1), keepdim=True) + eps)
    tall = X.shape[-2] > X.shape[-1]
    if tall:
        X = X.mT
    limit = _largest_norm(dtype, matrix.dtype)
    for may_overflow in _overflow_risk(steps, (a, b, c), X.shape[-2], limit):
        if may_overflow:
            # The note divides by the norm once X is no longer finite, which is too late; here before, and by a
            # bound of the norm, whose square might overflow itself.
            bound = X.abs().amax(dim=(-2, -1), keepdim=True) * math.sqrt(X[0].numel())
            X = X * torch.where(bound < limit, 1.0, 1 / bound)
        X = _quintic(X, a, b, c)
    if tall:
        X = X.mT
    return X.reshape(matrix.shape).to(matrix.dtype)


def polar_factor(matrix: Tensor, *, smallest: float = 1e-5) -> Tensor:
    """The polar factor `U V^T` of `U S V^T`, in the matrix's own dtype (float32 or float64).

    Each step is the quintic with the least largest error on the interval that the one before it left (minimax;
    Amsel et al. 2025, "The Polar Express"), until the interval is 1 to rounding: 5 steps for `smallest` 0.05,
    10 for 1e-5.

    Args:
        matrix: shape (..., rows, columns); entries that are not finite count as zero.
        smallest: singular values over `smallest` times the Frobenius norm come out as 1.

    Returns:
        Singular values within 1e-5 of 1 in float32 (1e-12 in float64) where the input's are over `smallest` of its
        Frobenius norm; smaller ones end between 0 and 1 + 1e-5, zero stays zero.
    """
    if matrix.numel() == 0:
        return matrix.clone()
    X = _largest_entry_one(matrix).reshape(-1, *matrix.shape[-2:])
    tall = X.shape[-2] > X.shape[-1]
    if tall:
        X = X.mT
    # Tighter than the Frobenius norm of X, and exact for a matrix that is nearly orthogonal already.
    X = X / _spectral_bound(X @ X.mT).sqrt()
    for a, b, c in minimax_schedule(smallest, torch.finfo(X.dtype).eps):
        X = _quintic(X, a, b, c)
    if tall:
        X = X.mT
    return X.reshape(matrix.shape)


def inverse_square_root(matrix: Tensor, *, smallest: float = 1e-10) -> Tensor:
    """`M^(-1/2)` of symmetric positive definite matrices, by the coupled form of the same iteration.

    `W = Z Y; T = a I + b W + c W^2; Y <- Y T; Z <- T Z` from `Y = M / s, Z = I` (Higham 2008, "Functions of
    Matrices", section 6.7): Y goes to `(M/s)^(1/2)`, Z to its inverse; `W`'s eigenvalues are squares of what the
    polynomials of `polar_factor` drive to 1.

    Args:
        matrix: shape (..., k, k), float32 or float64, symmetric positive definite.
        smallest: eigenvalues over `smallest` times the Frobenius norm are inverted exactly.

    Returns:
        Same shape and dtype, symmetric. With condition number kappa, the relative error is about kappa times the
        dtype's epsilon: 1e-10 in float64 for kappa 1e5. Zero matrices come out as a large multiple of I, finite.
    """
    if matrix.shape[-1] != matrix.shape[-2]:
        raise TrainingError(f"an inverse square root needs square matrices, not {tuple(matrix.shape)}")
    dtype = matrix.dtype
    bound = _spectral_bound(matrix).clamp_min(torch.finfo(dtype).tiny ** 0.5)
    eye = torch.eye(matrix.shape[-1], dtype=dtype, device=matrix.device)
    Y, Z = matrix / bound, eye.expand_as(matrix)
    for a, b, c in minimax_schedule(math.sqrt(smallest), torch.finfo(dtype).eps):
        W = Z @ Y
        T = a * eye + b * W + c * (W @ W)
        Y, Z = Y @ T, T @ Z
    return (Z + Z.mT) / (2 * bound.sqrt())


@lru_cache(maxsize=64)
def minimax_schedule(smallest: float, tolerance: float) -> tuple[Coefficients, ...]:
    """Quintics `a x + b x^3 + c x^5` that together take [smallest, 1] to 1 within `tolerance`.

    Each minimises `max |1 - p(x)|` over the interval [l, 2 - l] that those before it left.
    """
    if not 0 < smallest < 1:
        raise TrainingError(f"the smallest singular value must lie between 0 and 1, not {smallest}")
    schedule, low, high = [], smallest, 1.0
    while 1 - low > tolerance:
        a, b, c = _minimax_quintic(low, high)
        schedule.append((a, b, c))
        if 1 - low < 1e-4:  # the classic step's error is 2.5 e^3: nothing is left
            break
        low = a * low + b * low**3 + c * low**5
        high = 2 - low
    return tuple(schedule)


def _minimax_quintic(low: float, high: float) -> Coefficients:
    if high - low < 1e-3:  # equioscillation is lost in rounding; the classic quintic is the limit
        return CLASSIC_COEFFICIENTS
    # Remez: the error takes its extreme value with alternating signs at both ends and two points between.
    inner = np.array([(3 * low + high) / 4, (low + 3 * high) / 4])
    for _ in range(50):
        x = np.array([low, *inner, high])
        a, b, c, _ = np.linalg.solve(np.stack([x, x**3, x**5, [1, -1, 1, -1]], axis=1), np.ones(4))
        root = math.sqrt(max(9 * b * b - 20 * a * c, 0.0))
        moved = np.sqrt([(-3 * b - root) / (10 * c), (-3 * b + root) / (10 * c)])
        if np.allclose(moved, inner, rtol=1e-12, atol=0):
            break
        inner = moved
    return float(a), float(b), float(c)


@lru_cache(maxsize=64)
def _overflow_risk(steps: int, coefficients: Coefficients, short: int, limit: float) -> tuple[bool, ...]:
    """Before which steps a matrix of Frobenius norm 1 and `short` singular values may have grown too large.

    Bounds singular values by the largest |a s + b s^3 + c s^5| up to the bound of the step before: with the seed's
    coefficients 1.203 for ever, so that the iteration needs no look at its values.
    """
    a, b, c = coefficients
    bound, risks = 1.0, []
    for _ in range(steps):
        risks.append(bound * math.sqrt(short) >= limit)
        if risks[-1]:
            bound = limit
        turns = np.roots([5 * c, 3 * b, a]) if c or b else np.zeros(0)
        squares = [x.real for x in turns if abs(x.imag) < 1e-9 and 0 < x.real < bound**2]
        bound = max(abs(a * s + b * s**3 + c * s**5) for s in (bound, *np.sqrt(squares)))
    return tuple(risks)


def _largest_norm(*dtypes: torch.dtype) -> float:
    """Frobenius norm from which a quintic step could overflow."""
    return min(torch.finfo(dtype).max for dtype in dtypes) ** (1 / 6)


def _quintic(X: Tensor, a: float, b: float, c: float) -> Tensor:
    A = torch.bmm(X, X.mT)
    A = torch.baddbmm(
        A, A, A, beta=b, alpha=c
    )  # the same name, so that no more than three matrices are alive
    return torch.baddbmm(X, A, X, beta=a)


def _largest_entry_one(matrix: Tensor) -> Tensor:
    """Scaled so that squares neither overflow nor vanish; what is not finite becomes zero."""
    X = torch.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0)
    largest = X.abs().amax(dim=(-2, -1), keepdim=True)
    return X / torch.where(largest > 0, largest, 1.0)


def _spectral_bound(gram: Tensor) -> Tensor:
    """An upper bound of the largest eigenvalue of symmetric matrices, (..., 1, 1); 1 for zero."""
    frobenius = torch.linalg.vector_norm(gram, dim=(-2, -1), keepdim=True)
    row_sum = gram.abs().sum(dim=-1, keepdim=True).amax(dim=-2, keepdim=True)
    bound = torch.minimum(frobenius, row_sum)
    return torch.where(bound > 0, bound, 1.0)
