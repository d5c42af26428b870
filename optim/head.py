"""Heads: orthonormal handles by construction, from whatever the network's features are.

`M` is the mass Gram matrix of the centred features and `A` their energy Gram matrix (optim/losses.py). No head
ever needs an orthonormality penalty, and none has a trivial solution.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor

_CUT = 1e-9  # directions of the features whose mass is under this share of the largest are numerical noise
_FAINT = 1e-10  # a feature, as well: of a saturated unit float32 knows the slopes to a hundredth there


def rayleigh_ritz(A: Tensor, M: Tensor, count: int, *, cut: float = _CUT) -> tuple[Tensor, Tensor]:
    """The `count` lowest solutions of `A c = e M c`.

    Args:
        A, M: symmetric float64 (K, K). cut: relative mass under which a direction is left out, and so is a
            feature that hardly varies beside the others. There is no ridge on M: training would exploit it.

    Returns:
        Energies ascending, (k,), and M-orthonormal coefficients (K, k), k <= count.
    """
    size = M.diagonal()
    scale = torch.where(size > _FAINT * size.max(), size.clamp_min(torch.finfo(M.dtype).tiny).rsqrt(), 0.0)
    mass, V = torch.linalg.eigh(scale[:, None] * M * scale)
    keep = mass > cut * mass[-1]
    whiten = (scale[:, None] * V[:, keep]) * mass[keep].rsqrt()
    energies, U = torch.linalg.eigh(whiten.T @ A @ whiten)
    return energies[:count], whiten @ U[:, :count]


def ritz_loss(A: Tensor, M: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sum of the lowest energies, with the gradient of the envelope theorem.

    `d sum e = <C C^T, dA> - <C diag(e) C^T, dM>`: nothing is differentiated through the eigensolver, whose own
    derivative breaks down where energies meet.

    Returns:
        A scalar whose gradient is the energy's (its value is zero), and the energy.
    """
    with torch.no_grad():
        e, C = rayleigh_ritz(A, M, count)
        outer, weighted = C @ C.T, (C * e) @ C.T
    return (A * outer).sum() - (M * weighted).sum(), e.sum()


def white_loss(A: Tensor, M: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Energy of the first `count` outputs, whitened: `tr(L^-1 A L^-T)`, `M = L L^T`.

    Returns:
        The energy, differentiable, and its value.
    """
    A, M = A[:count, :count], M[:count, :count]
    lower = torch.linalg.cholesky(M)
    half = torch.linalg.solve_triangular(lower, A, upper=False)
    energy = torch.linalg.solve_triangular(lower, half.mT, upper=False).diagonal().sum()
    return energy, energy.detach()


def free_loss(A: Tensor, M: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The note's text as it stands: elastic energy of the outputs themselves, nothing that keeps them apart."""
    energy = A.diagonal()[:count].sum()
    return energy, energy.detach()


HEADS = {"ritz": ritz_loss, "white": white_loss, "none": free_loss}
