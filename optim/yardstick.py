"""How good handles are, by figures that know nothing of how they were made: energy, rank, orthonormality, motion.

Two references stand in for what cannot be had. The least energy is that of the best handles within a rich space,
of reproducing kernels or of splines: an upper bound of the true minimum, so that what is measured against it is a
little too small. The true motion is that of the same solver with many more handles; full-space finite elements are in
docs/training.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from optim.untrained import ritz_basis, rkpm_field, spline_basis
from sim.basis import HandleBasis
from sim.body import Body
from sim.errors import TrainingError
from sim.material import Material
from sim.orthonormal import effective_rank, orthonormality_defect
from sim.shape import Shape
from sim.world import World

ENERGY_NODES = 500
"""Kernels of the reference for the energy; few handles lose little to so many."""

REFERENCE_CELLS = 2500
"""Cells of the splines of the other reference for the energy; the lower of the two counts."""

MOTION_NODES = 160
"""Handles of the reference for the motion: one a kernel."""

_SAMPLES_PER_NODE = 8  # with fewer, kernels hide between the samples

_HELD = 0.1  # share of the length that is held, at either end in turn
_TIMESTEP = 0.5  # [s]; implicit Euler damps so much at this step that the body soon hangs still
_STEPS = 20


@dataclass(frozen=True)
class Measures:
    """What is known of some handles.

    Attributes:
        energy: sum over the best mass-orthonormal handles of their span [J]; None when fewer than asked for are
            independent, because then there is nothing to compare. above: the same over the reference, less 1.
        rank: effective rank of the handles as they are; H - 1 is perfect. defect: largest entry of
            `|W^T M W - I|` of the same.
        motion: RMS distance from the reference's hanging body over the RMS of its own displacement; None where
            not asked for.
    """

    energy: float | None
    above: float | None
    rank: float
    defect: float
    motion: float | None = None


class Yardstick:
    """The references of one body, solved once.

    Args:
        handles: H, counting the constant one. energy_nodes, motion_nodes: kernels of the two references;
            ENERGY_NODES and MOTION_NODES when None, or fewer where the body has few samples.

    Raises:
        TrainingError: more handles than the reference has.
    """

    def __init__(
        self,
        shape: Shape,
        material: Material,
        handles: int,
        *,
        energy_nodes: int | None = None,
        motion_nodes: int | None = None,
    ) -> None:
        self.shape, self.material, self.handles = shape, material, handles
        count = len(shape.samples)
        most = max(handles, count // _SAMPLES_PER_NODE)
        energy_nodes = min(ENERGY_NODES, most) if energy_nodes is None else energy_nodes
        motion_nodes = min(MOTION_NODES, most) if motion_nodes is None else motion_nodes
        mass = shape.sample_volumes * material.per_sample("density", count)
        self._mass = mass / mass.sum()
        best = ritz_basis(rkpm_field(shape.samples, energy_nodes), shape, material, handles)
        self.least_energy = _energy(best)
        modes = spline_basis(shape, material, handles, cells=REFERENCE_CELLS)
        if modes.handles == handles:
            self.least_energy = min(self.least_energy, _energy(modes))
        field = rkpm_field(shape.samples, motion_nodes)
        rich = HandleBasis(field).orthonormalized(shape, material)
        self.motion_handles = rich.handles
        self._hanging = [self._hang(rich, *load) for load in _loads(shape)]

    def measure(self, basis: HandleBasis, *, motion: bool) -> Measures:
        """Judge handles over all samples of the body; `motion` takes some seconds.

        Raises:
            TrainingError: the handles are not finite.
        """
        weights = basis.weights(self.shape.samples)
        if not bool(torch.isfinite(weights).all()):
            raise TrainingError("The handles are no longer finite numbers.")
        rank = effective_rank(weights[:, 1:], self._mass) if basis.handles > 1 else 0.0
        defect = orthonormality_defect(weights, self._mass)
        best = basis.orthonormalized(self.shape, self.material)
        energy = _energy(best) if best.handles == self.handles else None
        above = None if energy is None else energy / self.least_energy - 1
        return Measures(energy, above, rank, defect, self._motion(basis) if motion else None)

    def _motion(self, basis: HandleBasis) -> float:
        rest = self.shape.samples.numpy()
        away, size = 0.0, 0.0
        for load, reference in zip(_loads(self.shape), self._hanging, strict=True):
            away += float(np.square(self._hang(basis, *load) - reference).sum())
            size += float(np.square(reference - rest).sum())
        return (away / size) ** 0.5

    def _hang(self, basis: HandleBasis, held: np.ndarray, gravity: np.ndarray) -> np.ndarray:
        """Where the samples hang in the end [m], (N, 3)."""
        body = Body(self.shape, self.material, basis, cubature="uniform")
        world = World(gravity, _TIMESTEP, device="cpu")
        world.add(body)
        low, high = held
        axis = _long_axis(self.shape)
        world.pin(body, where=lambda X: (X[:, axis] >= low) & (X[:, axis] <= high))
        for _ in range(_STEPS):
            world.step()
        return body.deform(self.shape.samples).numpy()


def _energy(orthonormal: HandleBasis) -> float:
    return float(sum(orthonormal.diagnostics["energies"][1:]))


def _long_axis(shape: Shape) -> int:
    samples = shape.samples
    return int((samples.amax(0) - samples.amin(0)).argmax())


def _loads(shape: Shape) -> list[tuple[np.ndarray, np.ndarray]]:
    """An end of the longest side held, gravity across it: both ends, each with one of the two directions."""
    axis = _long_axis(shape)
    low, high = float(shape.samples[:, axis].amin()), float(shape.samples[:, axis].amax())
    reach = _HELD * (high - low)
    ends = [np.array([low, low + reach]), np.array([high - reach, high])]
    across = [a for a in range(3) if a != axis]
    return [(end, -9.81 * np.eye(3)[a]) for end, a in zip(ends, across, strict=True)]
