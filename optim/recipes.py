"""Others' ways to train, written down to be compared with: the paper's, Kaolin's, and the NS design note's.

All of them draw random handle motions, measure the elastic energy of the deformation they make, and leave the
network free to give any outputs; what keeps the outputs apart is a penalty, or nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from sim.neo_hookean import energy_density

Tensor = torch.Tensor
Weights = Callable[[Tensor], Tensor]

FINITE_STEP = math.sqrt(1e-7)
"""Half the distance of the two points of a central difference, in the unit box: Kaolin's, near the best for float32."""


@dataclass(frozen=True)
class Recipe:
    """A way to train; the defaults are Kaolin's, those of the paper's authors (Modi et al. 2024, sec. 4)."""

    gradients: Literal["finite", "exact", "frozen"] = "finite"
    """How F comes from the weights: central differences of the moved points; the network's own derivative; or the
    note author's short cut, which holds the weights fixed while it differentiates and leaves the identity out."""

    blend: Literal["terms", "matrix"] = "terms"
    """How points are moved; see `moved_points`. No difference but in time."""

    optimizer: str = "adam"
    """A name of `optim.baselines.build_optimizer`."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """For the optimizer."""

    learning_rate: float = 1e-3
    """The same to the end."""

    clip: float | None = None
    """Largest gradient norm of all parameters together; None leaves gradients alone."""

    penalty: float = 1e6
    """Weight of the mean of the squared entries of `W^T W - I`; 0 leaves the term away."""

    elastic: float = 0.1
    """Weight of the elastic energy, in joules, summed over the drawn motions."""

    motions: int = 10
    """Handle motions drawn a step."""

    spread: float = 0.1
    """Standard deviation of their entries."""

    layers: int = 7
    """Hidden ELU layers: Kaolin's num_layers = 6 counts those after the first."""

    width: int = 64
    """Units a layer."""

    samples: int = 1000
    """Points a step."""


RECIPES: dict[str, Recipe] = {
    "kaolin": Recipe(),
    "adam-penalty": Recipe(gradients="exact"),
    "ns-text": Recipe(
        gradients="exact",
        optimizer="ns",
        settings={"dtype": torch.bfloat16, "masters": False, "clip_scope": "parameter"},
        penalty=0.0,
    ),
    "ns-author": Recipe(
        gradients="frozen",
        optimizer="ns",
        settings={"dtype": torch.bfloat16, "masters": False, "clip_scope": "parameter"},
        penalty=0.0,
    ),
}
"""`kaolin`: Adam and the penalty, by finite differences. `adam-penalty`: the same, differentiated exactly and so
many times faster. `ns-text`: Algorithm 2 of the note as its text stands, no penalty, bfloat16. `ns-author`: that
with the loss of the note's author."""


def moved_points(points: Tensor, weights: Tensor, motions: Tensor, *, blend: str = "matrix") -> Tensor:
    """`x(X) = X + sum_h w_h(X) T_h [X; 1]` (paper, eq. 2).

    Args:
        points: (n, 3). weights: (n, H). motions: T, (b, H, 3, 4).
        blend: `"terms"` forms every summand `w_h T_h` for every point, as Kaolin does: n b H matrices.
            `"matrix"` first blends them to one matrix a point and motion, a single matrix product.

    Returns:
        (n, b, 3).
    """
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    if blend == "terms":
        summands = (weights[:, None, :, None, None] * motions) @ homogeneous[:, None, None, :, None]
        return points[:, None] + summands[..., 0].sum(2)
    blended = torch.einsum("nh,bhij->nbij", weights, motions)
    return points[:, None] + torch.einsum("nbij,nj->nbi", blended, homogeneous)


def finite_difference_gradients(
    weights: Weights,
    points: Tensor,
    motions: Tensor,
    *,
    step: float = FINITE_STEP,
    blend: str = "matrix",
) -> Tensor:
    """Deformation gradients by central differences of the moved points, six network evaluations a point.

    Args:
        weights: the network, (n, 3) -> (n, H). points: (n, 3). motions: (b, H, 3, 4). step: half the distance.
        blend: see `moved_points`.

    Returns:
        F, shape (n, b, 3, 3), last index the direction of X.
    """
    offsets = step * torch.eye(3, dtype=points.dtype, device=points.device)
    around = torch.cat([points + offset for offset in offsets] + [points - offset for offset in offsets])
    ahead, behind = moved_points(around, weights(around), motions, blend=blend).unflatten(0, (2, 3, -1))
    return ((ahead - behind) / (2 * step)).permute(1, 2, 3, 0)


def exact_gradients(values: Tensor, gradients: Tensor, points: Tensor, motions: Tensor) -> Tensor:
    """The same deformation gradients from weights (n, H) and their spatial gradients (n, H, 3)."""
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    linear = torch.einsum("nh,bhij->nbij", values, motions[..., :3])
    reach = torch.einsum("bhij,nj->nbhi", motions, homogeneous)
    bend = torch.einsum("nbhi,nhd->nbid", reach, gradients)
    return torch.eye(3, dtype=values.dtype, device=values.device) + linear + bend


def frozen_gradients(values: Tensor, motions: Tensor) -> Tensor:
    """What the note's author differentiates: weights held fixed, and no identity, `sum_h w_h T_h[:, :3]`."""
    return torch.einsum("nh,bhij->nbij", values, motions[..., :3])


def linear_density(F: Tensor, mu: Tensor, lam: Tensor) -> Tensor:
    """Linear elastic energy density of F, (..., 3, 3): `mu |e|^2 + lam/2 (tr e)^2`, `e = (F + F^T)/2 - I`."""
    strain = (F + F.mT) / 2 - torch.eye(3, dtype=F.dtype, device=F.device)
    trace = strain.diagonal(dim1=-2, dim2=-1).sum(-1)
    return mu * strain.square().sum((-1, -2)) + lam / 2 * trace.square()


def interpolated_energy(F: Tensor, mu: Tensor, lam: Tensor, volume: float, progress: float) -> Tensor:
    """Energy [J] summed over motions, linear at the start of training and Neo-Hookean at its end.

    Args:
        F: (n, b, 3, 3) at n points that stand for the whole `volume` [m3]. mu, lam: (n,) [Pa].
        progress: 0 to 1.
    """
    mu, lam = mu[:, None], lam[:, None]
    density = (1 - progress) * linear_density(F, mu, lam) + progress * energy_density(F, mu, lam)
    return volume / len(F) * density.sum()


def orthonormality_penalty(weights: Tensor) -> Tensor:
    """Mean of the squared entries of `W^T W - I` for weights (n, H): not divided by n, as Kaolin has it."""
    gram = weights.T @ weights
    return (gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).square().mean()
