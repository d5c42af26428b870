"""The energy that good handles make small: the exact expectation of the elastic one over random handle motions.

With `F = I + sum_h T_h g_h`, `g_h = w_h [I3; 0] + [X; 1] grad w_h^T` (4 x 3) and `T ~ N(0, sigma^2)` entry by
entry, `E[sum_h ...]` has a closed form: no transforms are drawn and the loss has no noise of its own. Positions
X and gradients are in normalised coordinates: centred, the longest side 1 (docs/training.md).
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def energy_and_mass(
    jet: Tensor,
    points: Tensor,
    stiffness: Tensor,
    mass: Tensor,
    bending: float = 0.0,
    *,
    level: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Energy and mass of functions at some points, as quadratic forms of `[1, functions]`; sums over points add up.

    `E = sum_i s_i (3 w^2 + 2 w X . grad w + (|X|^2 + 1) |grad w|^2 + bending^2 |grad grad w|^2)`: the expected
    linear elastic energy, and what strain gradients cost in a material of that internal length (Mindlin 1964).
    Both are separable over handles, so that their best subspace is an eigenproblem.

    Args:
        jet: of K functions, normalised, along x, y, z or frames drawn at random, (4, 5 or 10, n, K), sim/jets.py.
            `bending` weighs what it has of second derivatives.
        points: normalised positions by the same frames, (n, 3). mass: (n,).
        stiffness: `sigma^2 volume (lambda / 2 + 2 mu)` a point, (n,).
        bending: internal length in units of the longest side.
        level: a constant that is taken off each function first, (K,); about their means, so that `without_mean` has
            nothing left to cancel. None for 0.

    Returns:
        Symmetric float64 matrices (K + 1, K + 1), the constant first, differentiable once.
    """
    return _EnergyAndMass.apply(jet, points, stiffness, mass, bending, level)


def without_mean(energy: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """The same forms for the functions less their mass-weighted mean, (K, K); the mass of the constant is 1."""
    mean = mass[0, 1:]
    cross = torch.outer(energy[0, 1:], mean)
    both = torch.outer(mean, mean)
    return energy[1:, 1:] - cross - cross.T + energy[0, 0] * both, mass[1:, 1:] - both


class _EnergyAndMass(torch.autograd.Function):
    """Its derivative by hand: Gram matrices are symmetric, so one product does where autograd takes two.

    The energy is summed in the jet's precision, the mass, whose inverse is taken, in float64.
    """

    @staticmethod
    def forward(
        ctx,
        jet: Tensor,
        points: Tensor,
        stiffness: Tensor,
        mass: Tensor,
        bending: float,
        level: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        s, X = stiffness.to(jet)[:, None], points.to(jet)
        value, flat = jet[0] if level is None else jet[0] - level, jet[1:].reshape(-1, jet.shape[2])
        radial = (jet[1] * X[:, :1]).addcmul_(jet[2], X[:, 1:2]).addcmul_(jet[3], X[:, 2:])
        stretched = s * (3 * value + radial)
        reach = s * (X.square().sum(1, keepdim=True) + 1)
        bend = bending**2 * s
        seconds = {4: [], 5: [bend], 10: [bend] * 3 + [2 * bend] * 3}[len(jet)]
        weights = torch.cat([reach] * 3 + seconds)
        weighted = weights * flat
        sv = s * value
        gram = (stretched.T @ value + sv.T @ radial + weighted.T @ flat).double()
        energy = _bordered(3 * stiffness.double().sum(), stretched.sum(0).double(), (gram + gram.T) / 2)
        exact, m = value.double(), mass.double()[:, None]
        mv = m * exact
        ctx.save_for_backward(stretched, sv, weighted, mv.to(jet), X, s, m.to(jet))
        return energy, _bordered(m.sum(), mv.sum(0), exact.T @ mv)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, by_energy: Tensor, by_mass: Tensor) -> tuple[Tensor | None, ...]:
        stretched, sv, weighted, mv, X, s, m = ctx.saved_tensors
        by_energy, by_mass = ((by + by.T).to(mv) for by in (by_energy, by_mass))
        slope, border = by_energy[1:, 1:], by_energy[0, 1:]
        points = len(mv)
        by_radial = torch.addcmul(sv @ slope, s, border)
        by_value = torch.addmm(stretched @ slope, mv, by_mass[1:, 1:])
        by_value.addcmul_(s, border, value=3).addcmul_(m, by_mass[0, 1:])
        by_slopes = (weighted @ slope).view(-1, points, mv.shape[1])
        for axis in range(3):
            by_slopes[axis].addcmul_(by_radial, X[:, axis : axis + 1])
        return torch.cat([by_value[None], by_slopes]), None, None, None, None, None


def _bordered(corner: Tensor, border: Tensor, matrix: Tensor) -> Tensor:
    top = torch.cat([corner[None], border])[None]
    return torch.cat([top, torch.cat([border[:, None], matrix], dim=1)])


def strain_moments(values: Tensor, gradients: Tensor, points: Tensor) -> Tensor:
    """`C = sum_h g_h^T g_h` a point, (n, 3, 3): all that expected energies know of the handles."""
    eye = torch.eye(3, dtype=values.dtype, device=values.device)
    w2 = values.square().sum(1)
    wg = torch.einsum("nk,nkd->nd", values, gradients)
    gg = torch.einsum("nkd,nke->nde", gradients, gradients)
    outer = points[:, :, None] * wg[:, None, :]
    reach = points.square().sum(1) + 1
    return w2[:, None, None] * eye + outer + outer.mT + reach[:, None, None] * gg


def expected_linear(C: Tensor, mu: Tensor, lam: Tensor, sigma: float = 1.0) -> Tensor:
    """Expected linear elastic energy density (n,) from `strain_moments`: `sigma^2 (lam/2 + 2 mu) tr C`."""
    return sigma**2 * (lam / 2 + 2 * mu) * C.diagonal(dim1=-2, dim2=-1).sum(-1)


def expected_neo_hookean(C: Tensor, mu: Tensor, lam: Tensor, sigma: float = 1.0) -> Tensor:
    """Expected stable Neo-Hookean energy density (n,) (Smith et al. 2018) from `strain_moments`.

    Of `mu/2 (|F|^2 - 3) + l/2 (J - 1)^2 - mu (J - 1)` with `l = lam + mu`: with `S = sigma^2 C`,
    `E = (3 mu + l)/2 tr S + l (e2(S) + 3 det S)`, `e2 = ((tr S)^2 - tr S^2) / 2`.
    """
    S = sigma**2 * C
    trace = S.diagonal(dim1=-2, dim2=-1).sum(-1)
    e2 = (trace.square() - (S @ S).diagonal(dim1=-2, dim2=-1).sum(-1)) / 2
    stiff = lam + mu
    return (3 * mu + stiff) / 2 * trace + stiff * (e2 + 3 * torch.linalg.det(S))


def sampled_energy(
    values: Tensor,
    gradients: Tensor,
    points: Tensor,
    mu: Tensor,
    lam: Tensor,
    transforms: Tensor,
    *,
    law: str = "linear",
) -> Tensor:
    """The same energies with drawn transforms (b, K, 3, 4), as the paper and Kaolin do; mean density (n,)."""
    eye = torch.eye(3, dtype=values.dtype, device=values.device)
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    g = values[:, :, None, None] * torch.cat([eye, torch.zeros_like(eye[:1])])
    g = g + homogeneous[:, None, :, None] * gradients[:, :, None, :]  # (n, K, 4, 3)
    H = torch.einsum("bkij,nkjd->bnid", transforms, g)
    if law == "linear":
        strain = (H + H.mT) / 2
        trace = strain.diagonal(dim1=-2, dim2=-1).sum(-1)
        return (mu * strain.square().sum((-1, -2)) + lam / 2 * trace.square()).mean(0)
    F = eye + H
    J = torch.linalg.det(F)
    energy = mu / 2 * (F.square().sum((-1, -2)) - 3) + (lam + mu) / 2 * (J - 1).square() - mu * (J - 1)
    return energy.mean(0)
