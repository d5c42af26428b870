"""What is being learned: a body's samples in normalised coordinates, and handles from a network's features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from optim.config import TrainConfig
from optim.head import rayleigh_ritz
from optim.losses import linear_energy_gram, mass_gram
from sim.basis import HandleBasis
from sim.errors import TrainingError
from sim.material import Material
from sim.network import NetworkField, WeightNetwork
from sim.orthonormal import varimax
from sim.shape import Shape

Tensor = torch.Tensor

_GAIN = 8.0
_SNAPSHOT_SAMPLES = 1024  # handles to play with meanwhile must be there at once


@dataclass(frozen=True)
class Problem:
    """A shape and a material as the trainer sees them.

    Attributes:
        points: normalised positions (centre of mass at 0, longest side 1), float32, (N, 3).
        mass: shares of the mass, summing to 1, float64, (N,).
        stiffness: `volume (lambda/2 + 2 mu)`, with mean 1 a share of volume, float64, (N,).
        centre: origin [m], (3,). scale: unit [m].
    """

    shape: Shape
    material: Material
    points: Tensor
    mass: Tensor
    stiffness: Tensor
    centre: Tensor
    scale: float

    @staticmethod
    def build(shape: Shape, material: Material, device: torch.device) -> Problem:
        """Normalise a body.

        Raises:
            MaterialError: per-sample values that do not match the samples.
            TrainingError: the samples have no extent.
        """
        count = len(shape.samples)
        mass = shape.sample_volumes * material.per_sample("density", count)
        mass = mass / mass.sum()
        mu, lam = material.lame(count)
        stiffness = shape.sample_volumes * (lam / 2 + 2 * mu)
        centre = mass @ shape.samples
        scale = float((shape.samples.amax(0) - shape.samples.amin(0)).max())
        if not scale > 0:
            raise TrainingError("The samples all lie in one place, so there is nothing to bend.")
        points = ((shape.samples - centre) / scale).float()
        return Problem(
            shape,
            material,
            points.to(device),
            mass.to(device),
            (stiffness / stiffness.sum()).to(device),
            centre,
            scale,
        )

    def grams(self, network: WeightNetwork, index: Tensor) -> tuple[Tensor, Tensor]:
        """Energy and mass Gram matrices of the network's outputs over some samples, each (K, K)."""
        points = self.points[index]
        values, gradients = network.value_and_gradient(points)
        mass, stiffness = self.mass[index], self.stiffness[index]
        # Both are shares of the whole body; over a part of the samples they are scaled up to it.
        energy = linear_energy_gram(values, gradients, points, stiffness * (len(self.points) / len(index)))
        return energy, mass_gram(values, mass / mass.sum())

    def subset(self, count: int) -> Tensor:
        """Always the same `count` sample numbers, drawn without a pattern, or all where there are fewer.

        Every k-th sample would alias with the low-discrepancy pattern the samples come in.
        """
        order = torch.randperm(len(self.points), generator=torch.Generator().manual_seed(0))
        return order[:count]

    def basis(self, network: WeightNetwork, handles: int, *, everything: bool) -> HandleBasis:
        """Handles from the network as it is now: one Rayleigh-Ritz solve over the features of all layers.

        Args:
            everything: use all samples, as at the end; else few, to be quick: the handles are then orthonormal
                over those only.
        """
        field = NetworkField(network, self.centre, self.scale).to(torch.device("cpu"), torch.float64)
        count = len(self.points)
        index = torch.arange(count) if everything else self.subset(_SNAPSHOT_SAMPLES)
        samples = self.shape.samples[index]
        mass = self.mass.cpu()[index]
        mass = mass / mass.sum()
        values, gradients = field.value_and_gradient(samples)
        local = (samples - self.centre) / self.scale
        stiffness = self.stiffness.cpu()[index] * (count / len(index))
        A = linear_energy_gram(values, gradients * self.scale, local, stiffness)
        M = mass_gram(values, mass)
        _, C = rayleigh_ritz(A, M, handles - 1)
        mix = torch.zeros(field.outputs + 1, C.shape[1] + 1, dtype=torch.float64)
        mix[0, 0] = 1
        mix[1:, 1:] = C
        mix[0, 1:] = -(mass @ values) @ C
        if everything:
            return HandleBasis(field, mix).orthonormalized(self.shape, self.material)
        weights = torch.cat(
            [torch.ones(len(index), 1, dtype=torch.float64), (values - mass @ values) @ C], dim=1
        )
        localizer = varimax(weights, mass)
        peaks = samples[(weights @ localizer).argmax(0)]
        return HandleBasis(field, mix, localizer=localizer, handle_points=peaks)


def initial_network(
    config: TrainConfig, shape: Shape, generator: torch.Generator, device: torch.device
) -> WeightNetwork:
    """The untrained network a config asks for; a head other than Ritz needs outputs of its own."""
    outputs = None if config.head == "ritz" else config.handles - 1
    width = max(config.width, config.handles) if outputs is None else config.width
    gain = input_gain(shape) if config.gain is None else config.gain
    return WeightNetwork(
        config.layers, width, gain=gain, generator=generator, activation=config.activation, outputs=outputs
    ).to(device, torch.float32)


def input_gain(shape: Shape) -> float:
    """How sharply weights shall bend: more in a body that fills little of its box, one with limbs.

    Orthogonal weights have no size of their own to learn it, so the input brings it. Measured with `tanh`: on the
    solid beam 8 is best against full-space FEM (RMS 0.018 m; 0.033 at 12, 0.049 at 16), while the energy of the
    octopus, which fills a tenth of its box, goes on falling up to 24.
    """
    sides = shape.samples.amax(0) - shape.samples.amin(0)
    fill = shape.volume / float(sides.prod().clamp_min(1e-300))
    return min(max(_GAIN / math.sqrt(fill), _GAIN), 3 * _GAIN)
