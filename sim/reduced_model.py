"""What of a body follows from its handles, computed in one go: it can be made ahead, in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from sim.basis import HandleBasis
from sim.cubature import (
    UNIFORM_POINTS,
    Cubature,
    cluster_cubature,
    explicit_cubature,
    uniform_cubature,
)
from sim.cubature_training import optimize_cubature
from sim.elasticity import Elasticity, FastNeoHookean, LinearElasticity, TorchNeoHookean
from sim.errors import WorldError
from sim.material import Material
from sim.reduction import ReducedSpace, reduce
from sim.shape import Shape
from sim.skinning import Skin

CubatureChoice = Literal["optimized", "clusters", "uniform"] | int | Cubature | tuple


@dataclass(frozen=True)
class ReducedModel:
    """A body's handles with all that is heavy to compute from them; made by `build_model`.

    Attributes:
        material: what it was computed for. choice: the cubature that was asked for. space: reduced coordinates,
            with the handles. cubature: what the choice became. skin: draws the vertices.
        elasticity: over the cubature points; a body that takes the model sets its own stiffness there, so that a
            model belongs to one body.
    """

    material: Material
    choice: CubatureChoice
    space: ReducedSpace
    cubature: Cubature
    elasticity: Elasticity
    skin: Skin

    def on_device(self, shape: Shape, material: Material, device: torch.device) -> ReducedModel:
        """The same model computing on another device, or under another law."""
        return replace(
            self,
            elasticity=build_elasticity(self.space, self.cubature, material, device),
            skin=Skin(shape.vertices, self.space.basis.weights(shape.vertices), device),
        )


def build_model(
    shape: Shape,
    material: Material,
    basis: HandleBasis,
    choice: CubatureChoice,
    *,
    device: torch.device,
    seed: int,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> ReducedModel:
    """Reduce a body to its handles.

    Args:
        choice: see `Body`. device: where elasticity and skin compute. seed: of the optimised cubature.
        on_progress: told the share done of choosing the cubature, 0 to 1. cancel: stops that.

    Raises:
        MaterialError, BasisError, WorldError: parts that do not fit together. Cancelled: `cancel` was set.
    """
    space = reduce(shape, material, basis)
    cubature = _choose(choice, space, material, seed, on_progress, cancel)
    return ReducedModel(
        material=material,
        choice=choice,
        space=space,
        cubature=cubature,
        elasticity=build_elasticity(space, cubature, material, device),
        skin=Skin(shape.vertices, basis.weights(shape.vertices), device),
    )


def build_elasticity(
    space: ReducedSpace, cubature: Cubature, material: Material, device: torch.device
) -> Elasticity:
    """The elastic energy of a material over cubature points (over all samples when it is linear)."""
    lame = lame_parameters(space, cubature, material)
    if material.law == "linear":
        return LinearElasticity(space.gradient, space.volumes, *lame)
    A = space.gradient_at(cubature.points)
    if device.type == "cpu":
        return FastNeoHookean(A, cubature.weights, *lame)
    return TorchNeoHookean(A, cubature.weights, *lame, device=device)


def lame_parameters(
    space: ReducedSpace, cubature: Cubature, material: Material
) -> tuple[np.ndarray, np.ndarray]:
    """Lamé's parameters [Pa] at the points where the energy is summed."""
    count = len(space.samples)
    if material.law == "linear":
        mu, lam = material.lame(count)
        return mu.numpy(), lam.numpy()
    return cubature.lame(material, count, space.volumes)


def _choose(
    choice: CubatureChoice,
    space: ReducedSpace,
    material: Material,
    seed: int,
    on_progress: Callable[[float], None] | None,
    cancel: threading.Event | None,
) -> Cubature:
    samples, volumes, basis = space.samples, space.volumes, space.basis
    if isinstance(choice, Cubature):
        return choice
    if isinstance(choice, tuple):
        return explicit_cubature(*choice, samples)
    if isinstance(choice, int) and not isinstance(choice, bool) and choice > 0:
        return cluster_cubature(samples, volumes, choice)
    if choice == "clusters":
        return cluster_cubature(samples, volumes, 16 * basis.handles)
    if choice == "uniform":
        return uniform_cubature(samples, volumes, UNIFORM_POINTS)
    if choice == "optimized":
        kept = basis.cubature
        if kept is not None and kept.fits(samples):
            return Cubature(kept.points.numpy(), kept.weights.numpy(), kept.samples.numpy())
        return optimize_cubature(space, material, seed=seed, on_progress=on_progress, cancel=cancel)
    raise WorldError(
        f"Unknown cubature {choice!r}: use 'optimized', 'clusters', 'uniform', a number of points, "
        "or (points, weights)."
    )
