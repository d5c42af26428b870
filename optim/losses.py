"""The elastic energy that good handles make small: its exact expectation over random handle motions.

With `F = I + sum_h T_h g_h`, `g_h = w_h [I3; 0] + [X; 1] grad w_h^T` (4 x 3) and `T ~ N(0, sigma^2)` entry by
entry, `E[sum_h ...]` has a closed form: no transforms are drawn and the loss has no noise of its own. Positions
X and gradients are in normalised coordinates: centred, the longest side 1 (docs/training.md).
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def linear_energy_gram(values: Tensor, gradients: Tensor, points: Tensor, stiffness: Tensor) -> Tensor:
    """Expected linear elastic energy as a quadratic form of the weights.

    `E = sum_i s_i (3 w^2 + 2 w X . grad w + (|X|^2 + 1) |grad w|^2)`, separable over handles, so that its best
    subspace is an eigenproblem.

    Args:
        values: (n, K). gradients: (n, K, 3). points: normalised positions (n, 3).
        stiffness: `sigma^2 volume (lambda / 2 + 2 mu)` a point, (n,).

    Returns:
        Symmetric float64 Gram matrix (K, K), differentiable.
    """
    return _EnergyGram.apply(values, gradients, points, stiffness)


def mass_gram(values: Tensor, mass: Tensor) -> Tensor:
    """`(f - mean)^T diag(mass) (f - mean)`, float64 (K, K); `mass` sums to 1, the mean is mass-weighted."""
    return _MassGram.apply(values, mass)


class _EnergyGram(torch.autograd.Function):
    """Its derivative by hand: a Gram matrix is symmetric, so one product does where autograd takes two."""

    @staticmethod
    def forward(ctx, values: Tensor, gradients: Tensor, points: Tensor, stiffness: Tensor) -> Tensor:
        v, g, X, s = values.double(), gradients.double(), points.double(), stiffness.double()[:, None]
        radial = torch.einsum("nkd,nd->nk", g, X)
        flat = g.permute(2, 0, 1).reshape(-1, v.shape[1])
        weight = (s * (X.square().sum(1, keepdim=True) + 1)).repeat(3, 1)
        gram = v.T @ (s * (3 * v + 2 * radial)) + flat.T @ (weight * flat)
        ctx.save_for_backward(v, radial, flat, X, s, weight)
        ctx.dtypes = values.dtype, gradients.dtype
        return (gram + gram.T) / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        v, radial, flat, X, s, weight = ctx.saved_tensors
        G = upstream + upstream.T
        by_value = (s * (3 * v + radial)) @ G
        by_radial = (s * v) @ G
        by_gradient = ((weight * flat) @ G).reshape(3, *v.shape)
        by_gradient = by_gradient.addcmul_(X.T[:, :, None], by_radial).permute(1, 2, 0)
        return by_value.to(ctx.dtypes[0]), by_gradient.to(ctx.dtypes[1]), None, None


class _MassGram(torch.autograd.Function):
    """As `_EnergyGram`. The mean's own derivative vanishes, as the centred values have none."""

    @staticmethod
    def forward(ctx, values: Tensor, mass: Tensor) -> Tensor:
        v, m = values.double(), mass.double()
        centred = v - m @ v
        weighted = m[:, None] * centred
        ctx.save_for_backward(weighted)
        ctx.dtype = values.dtype
        return centred.T @ weighted

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None]:
        (weighted,) = ctx.saved_tensors
        return (weighted @ (upstream + upstream.T)).to(ctx.dtype), None


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
