"""Stable Neo-Hookean energy, stress and curvature at a point: the plain torch form, for any device.

`Psi(F) = mu/2 (|F|^2 - 3) + lambda/2 (J - 1)^2 - mu (J - 1)` with `lambda = lambda_Lame + mu`: rest is
stress-free and small strains follow Hooke's law. Source: Smith, de Goes, Kim 2018, "Stable Neo-Hookean Flesh
Simulation", eq. 13-14. `sim/kernels.py` computes the same on the CPU in compiled code.
"""

import torch

Tensor = torch.Tensor


def cofactor(F: Tensor) -> Tensor:
    """`dJ/dF`, shape (..., 3, 3)."""
    a, b, c = F.unbind(-2)
    return torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-2)


def energy_density(F: Tensor, mu: Tensor, lam: Tensor) -> Tensor:
    """`Psi` [J/m3] for deformation gradients (n, 3, 3); `mu`, `lam` are Lamé's parameters [Pa], (n,)."""
    stiff = lam + mu
    J = torch.linalg.det(F)
    return mu / 2 * (F.square().sum((-1, -2)) - 3) + stiff / 2 * (J - 1).square() - mu * (J - 1)


def first_piola(F: Tensor, mu: Tensor, lam: Tensor) -> Tensor:
    """`dPsi/dF` [Pa], shape (n, 3, 3)."""
    pressure = (lam + mu) * (torch.linalg.det(F) - 1) - mu
    return mu[:, None, None] * F + pressure[:, None, None] * cofactor(F)


def curvature_rows(
    F: Tensor, mu: Tensor, lam: Tensor, weight: Tensor, filtered: bool
) -> tuple[Tensor, Tensor]:
    """What the reduced Hessian needs of each point, beside the constant `weight mu I`.

    With `C` the cofactor and `q = (lam + mu)(J - 1) - mu`, the Hessian of `weight Psi` by F is
    `weight (mu I9 + (lam + mu) vec C vec C^T + q d2J/dF2)`; `d2J` couples row a with row a' through the cross
    product with row a'' of F, for (a, a', a'') cyclic.

    Args:
        filtered: clip `q` to `+- mu / |F|`, which keeps the twist and flip eigenvalues positive.

    Returns:
        `volumetric` (n, 3, 3): `sqrt(weight (lam + mu)) C`; `twist` (n, 3, 3): rows `weight q F_{a''}`.
    """
    q = (lam + mu) * (torch.linalg.det(F) - 1) - mu
    if filtered:
        bound = mu / F.square().sum((-1, -2)).sqrt()
        q = torch.maximum(torch.minimum(q, bound), -bound)
    volumetric = (weight * (lam + mu)).sqrt()[:, None, None] * cofactor(F)
    return volumetric, (weight * q)[:, None, None] * F
