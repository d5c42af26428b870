"""Handles that need no training: the best within a space that is simply written down.

What training must beat: the cosine modes of the box around a body, and Rayleigh-Ritz solves over reproducing
kernels (RKPM) and over splines; the lowest energies of many of those also serve as the reference that others are
measured by. RKPM as Kaolin has it is here, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree

from optim.problem import Problem
from sim.basis import HandleBasis
from sim.errors import TrainingError
from sim.fields import CosineField, Field
from sim.material import Material
from sim.orthonormal import elastic_gram, orthonormal_mix
from sim.rkpm import RkpmField
from sim.shape import Shape

Tensor = torch.Tensor

RKPM_NODES = 256
"""Nodes of the `rkpm` entry: eight times as many as handles, as a scene has 32."""

KAOLIN_NODES = 1024
"""Nodes of the `kaolin-rkpm` entry: those of Kaolin's own test against finite elements, for 32 handles."""

_KAOLIN_SAMPLES = 8192  # of the body's points, those that its matrices are summed over in the same test
_KAOLIN_REACH = 3.0  # mean distances between the body's points that a kernel has for a radius at least

_REACH = 2.0  # radius of a kernel in distances to its fourth nearest node: at 1 energies are 2 % higher
_BLOCK = 1 << 21  # samples times functions evaluated at once


def cosine_basis(shape: Shape, material: Material, handles: int) -> HandleBasis:
    """The constant and the lowest `handles - 1` cosine modes of the bounding box, made mass-orthonormal."""
    return HandleBasis(CosineField.lowest(shape.samples, handles - 1)).orthonormalized(shape, material)


def rkpm_basis(
    shape: Shape, material: Material, handles: int, *, nodes: int = RKPM_NODES, seed: int = 0
) -> HandleBasis:
    """The `handles` of least elastic energy over reproducing kernels at `nodes` samples.

    Raises:
        TrainingError: fewer independent kernels than handles.
    """
    return ritz_basis(rkpm_field(shape.samples, nodes, seed=seed), shape, material, handles)


def spline_basis(shape: Shape, material: Material, handles: int, *, cells: int | None = None) -> HandleBasis:
    """The constant and the body's `handles - 1` modes of least energy over splines (optim/spline_modes.py).

    What training starts from. Fewer handles where the samples do not tell more apart.
    """
    problem = Problem.build(shape, material, torch.device("cpu")).dense()
    modes = problem.find_modes(handles - 1, cells)
    return HandleBasis(modes).orthonormalized(shape, material)


def rkpm_field(samples: Tensor, nodes: int, *, seed: int = 0) -> RkpmField:
    """Kernels at `nodes` of the samples [m], (N, 3), spread by farthest points; each reaches its neighbours."""
    centres = farthest_points(samples, nodes, seed=seed)
    radii = _REACH * torch.from_numpy(_distances(centres, neighbour=4))
    return RkpmField(centres, radii.clamp_min(1e-12))


def farthest_points(points: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """`count` of the points (N, 3), each as far as can be from those before it (Gonzalez 1985); all if fewer."""
    return points[_farthest(points, count, seed=seed)]


def _farthest(points: Tensor, count: int, *, seed: int) -> Tensor:
    """Indices of those, (count,); all points in their order if there are no more."""
    if count >= len(points):
        return torch.arange(len(points))
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    distance = (points - points[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(1))
    return torch.tensor(chosen)


def _distances(points: Tensor, *, neighbour: int) -> np.ndarray:
    """Distance [m] of each of the points (N, 3) to its nearest, second nearest... other one, (N,)."""
    return cKDTree(points.numpy()).query(points.numpy(), k=[min(neighbour, len(points) - 1) + 1])[0][:, 0]


def ritz_basis(field: Field, shape: Shape, material: Material, handles: int) -> HandleBasis:
    """The `handles` of least elastic energy in `[1, field]`: one eigenproblem over all samples, in float64.

    Raises:
        TrainingError: the field has fewer independent functions than handles.
    """
    samples = shape.samples
    mass = shape.sample_volumes * material.per_sample("density", len(samples))
    mass = mass / mass.sum()
    mu, lam = material.lame(len(samples))
    stiffness = shape.sample_volumes * (lam / 2 + 2 * mu)
    centre = mass @ samples
    scale = float((samples.amax(0) - samples.amin(0)).max())

    def energy(value: Tensor, gradient: Tensor, index: Tensor) -> Tensor:
        return elastic_gram(value, gradient, samples[index], stiffness[index], centre=centre, scale=scale)

    mix = _lowest(field, samples, mass, energy, handles)
    return HandleBasis(field, mix).orthonormalized(shape, material)


def kaolin_rkpm_basis(
    shape: Shape, material: Material, handles: int, *, nodes: int = KAOLIN_NODES, seed: int = 0
) -> HandleBasis:
    """Handles over reproducing kernels by Kaolin's recipe (its `SimplicitsRKPM`, of 2026; Freeform, Modi et al. 2025).

    It differs from `rkpm_basis` in three things: a kernel's radius is the distance to its second nearest node, and
    no less than three mean distances between samples; the energy is `(lambda + 4 mu) |grad w|^2`; the samples'
    masses are equal.

    Raises:
        TrainingError: fewer independent kernels than handles.
    """
    samples = shape.samples
    centres = farthest_points(samples, nodes, seed=seed)
    radii = torch.from_numpy(_distances(centres, neighbour=2))
    field = RkpmField(centres, radii.clamp_min(_KAOLIN_REACH * _distances(samples, neighbour=1).mean()))
    summed = _farthest(samples, _KAOLIN_SAMPLES, seed=seed)
    mu, lam = material.lame(len(samples))
    stiffness = (lam + 4 * mu)[summed]

    def energy(value: Tensor, gradient: Tensor, index: Tensor) -> Tensor:
        weighted = stiffness[index, None, None] * gradient
        return torch.einsum("nkd,nld->kl", gradient, weighted)

    mass = torch.full((len(summed),), 1 / len(summed), dtype=samples.dtype)
    mix = _lowest(field, samples[summed], mass, energy, handles)
    return HandleBasis(field, mix).orthonormalized(shape, material)


def _lowest(
    field: Field,
    samples: Tensor,
    mass: Tensor,
    energy: Callable[[Tensor, Tensor, Tensor], Tensor],
    handles: int,
) -> Tensor:
    """Coefficients over `[1, field]` of the constant and the `handles - 1` of least energy, (outputs + 1, handles).

    Args:
        mass: shares of the total, (n,).
        energy: Gram matrix of values (b, K) and gradients (b, K, 3) at the samples of that index (b,).
    """
    values, gram = [], 0.0
    for index in torch.arange(len(samples)).split(max(1, _BLOCK // max(1, field.outputs))):
        value, gradient = field.value_and_gradient(samples[index])
        value = torch.cat([torch.ones(len(index), 1, dtype=value.dtype), value], dim=1)
        gradient = torch.cat([torch.zeros_like(gradient[:, :1]), gradient], dim=1)
        gram = gram + energy(value, gradient, index)
        values.append(value)
    mix = orthonormal_mix(torch.cat(values), mass, gram)
    if mix.shape[1] < handles:
        raise TrainingError(
            f"{field.outputs} functions give {mix.shape[1]} independent handles here, not {handles}."
        )
    return mix[:, :handles]
