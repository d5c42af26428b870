"""What is being learned: a body's samples in normalised coordinates, and handles from a network's features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from scipy.spatial import cKDTree

from optim.config import TrainConfig
from optim.head import rayleigh_ritz
from optim.losses import linear_energy_gram, mass_gram
from optim.spline_modes import SPLINES, spline_modes
from sim.basis import HandleBasis
from sim.errors import TrainingError
from sim.material import Material
from sim.network import NetworkField, WeightNetwork
from sim.orthonormal import varimax
from sim.shape import Shape
from sim.splines import SplineField

Tensor = torch.Tensor

SAMPLES = 49152
"""Samples to learn over, at the most: among fewer, functions of a body with thin limbs hide."""

_DENSER = 6  # times a shape's own samples

_GAIN = 4.0  # with body modes: they bring the detail
_PLAIN_GAIN = 8.0
_QUICK_SAMPLES = 1024  # handles to play with meanwhile must be there at once
_BLOCK = 4096  # samples whose features are held at once


@dataclass(frozen=True)
class Problem:
    """A shape and a material as the trainer sees them.

    Attributes:
        shape, material: the body that handles are made for. samples: what is learned over [m], float64, (N, 3).
        points: the same, normalised (centre of mass at 0, longest side 1), float32, (N, 3).
        mass: shares of the mass, summing to 1, float64, (N,).
        stiffness: `volume (lambda/2 + 2 mu)`, with mean 1 a share of volume, float64, (N,).
        centre: origin [m], (3,). scale: unit [m].
        modes: the body's modes, which the network reads beside the position; None for the position alone.
        further: their values at the samples (N, E) and normalised gradients (3, N, E), float32.
    """

    shape: Shape
    material: Material
    samples: Tensor
    points: Tensor
    mass: Tensor
    stiffness: Tensor
    centre: Tensor
    scale: float
    modes: SplineField | None = None
    further: tuple[Tensor, Tensor] | None = None

    @staticmethod
    def build(shape: Shape, material: Material, device: torch.device) -> Problem:
        """Normalise a body.

        Raises:
            MaterialError: per-sample values that do not match the samples.
            TrainingError: the samples have no extent.
        """
        mass = shape.sample_volumes * material.per_sample("density", len(shape.samples))
        scale = float((shape.samples.amax(0) - shape.samples.amin(0)).max())
        if not scale > 0:
            raise TrainingError("The samples all lie in one place, so there is nothing to bend.")
        return Problem._over(
            shape, material, shape, material, mass @ shape.samples / mass.sum(), scale, device
        )

    @staticmethod
    def _over(
        shape: Shape,
        material: Material,
        sampled: Shape,
        its_material: Material,
        centre: Tensor,
        scale: float,
        device: torch.device,
    ) -> Problem:
        count = len(sampled.samples)
        mass = sampled.sample_volumes * its_material.per_sample("density", count)
        mu, lam = its_material.lame(count)
        stiffness = sampled.sample_volumes * (lam / 2 + 2 * mu)
        return Problem(
            shape,
            material,
            sampled.samples,
            ((sampled.samples - centre) / scale).float().to(device),
            (mass / mass.sum()).to(device),
            (stiffness / stiffness.sum()).to(device),
            centre,
            scale,
        )

    def dense(self) -> Problem:
        """The same over six times as many samples, up to SAMPLES, where the shape has a surface to draw them in.

        A material that varies has the value of the shape's own nearest sample.
        """
        shape, material = self.shape, self.material
        count = min(SAMPLES, _DENSER * len(shape.samples))
        if len(shape.samples) >= count or not shape.solid:
            return self
        sampled = shape.with_samples(count)
        if material.heterogeneous:
            _, nearest = cKDTree(shape.samples.numpy()).query(sampled.samples.numpy())
            values = {name: getattr(material, name) for name in ("young", "poisson", "density")}
            material = replace(
                material, **{k: v[nearest] if isinstance(v, Tensor) else v for k, v in values.items()}
            )
        return self._over(
            shape, self.material, sampled, material, self.centre, self.scale, self.points.device
        )

    def find_modes(self, count: int, splines: int = SPLINES) -> SplineField:
        """The body's `count` lowest modes over about so many splines; see `spline_modes`."""
        return spline_modes(
            self.samples,
            self.mass.cpu(),
            self.stiffness.cpu(),
            count,
            centre=self.centre,
            scale=self.scale,
            cover=self.shape.vertices,
            splines=splines,
        )

    def reading(self, modes: SplineField) -> Problem:
        """The same with a network that reads these modes, too."""
        values, gradients = modes.value_and_gradient(self.samples)
        device = self.points.device
        further = values.float().to(device), (gradients.permute(2, 0, 1) * self.scale).float().to(device)
        return replace(self, modes=modes, further=further)

    def features(self, network: WeightNetwork, index: Tensor) -> tuple[Tensor, Tensor]:
        """The network's outputs over some samples, (n, K), and their normalised gradients (n, K, 3)."""
        further = None if self.further is None else (self.further[0][index], self.further[1][:, index])
        return network.value_and_gradient(self.points[index], further)

    def grams(self, network: WeightNetwork, index: Tensor, *, centred: bool = True) -> tuple[Tensor, Tensor]:
        """Energy and mass Gram matrices of the network's outputs over some samples, each (K, K).

        Args:
            centred: handles have no mean, so the energy is that of the outputs without theirs.
        """
        values, gradients = self.features(network, index)
        mass, stiffness = self.mass[index], self.stiffness[index]
        mass = mass / mass.sum()
        if centred:
            values = values - mass.to(values.dtype) @ values
        # Both are shares of the whole body; over a part of the samples they are scaled up to it.
        share = len(self.points) / len(index)
        energy = linear_energy_gram(values, gradients, self.points[index], stiffness * share)
        return energy, mass_gram(values, mass)

    def subset(self, count: int) -> Tensor:
        """Always the same `count` sample numbers, drawn without a pattern, or all where there are fewer.

        Every k-th sample would alias with the low-discrepancy pattern the samples come in.
        """
        order = torch.randperm(len(self.points), generator=torch.Generator().manual_seed(0))
        return order[:count]

    def field(self, network: WeightNetwork) -> NetworkField:
        """The network as it is now, a copy, on the CPU and in float64."""
        field = NetworkField(network, self.centre, self.scale, self.modes)
        return field.to(torch.device("cpu"), torch.float64)

    def quick_basis(self, network: WeightNetwork, handles: int) -> HandleBasis:
        """Handles from the network as it is now, solved over few samples and orthonormal over those only."""
        # Every function needs several samples, or it hides between them.
        index = self.subset(max(_QUICK_SAMPLES, 0 if self.modes is None else 4 * _QUICK_SAMPLES))
        field = self.field(network)
        mix = self._solve(field, index, handles)
        samples, mass = self.samples[index], self.mass.cpu()[index]
        mass = mass / mass.sum()
        weights = HandleBasis(field, mix).weights(samples)
        localizer = varimax(weights, mass)
        peaks = samples[(weights @ localizer).argmax(0)]
        return HandleBasis(field, mix, localizer=localizer, handle_points=peaks)

    def basis(self, network: WeightNetwork, handles: int) -> HandleBasis:
        """Handles from the network as it is now: one Rayleigh-Ritz solve over all samples and all features."""
        field = self.field(network)
        mix = self._solve(field, torch.arange(len(self.samples)), handles)
        return HandleBasis(field, mix).orthonormalized(self.shape, self.material)

    def _solve(self, field: NetworkField, index: Tensor, handles: int) -> Tensor:
        """The best mix of `[1, features]` over some samples."""
        mass = self.mass.cpu()[index]
        mass = mass / mass.sum()
        stiffness = self.stiffness.cpu()[index] * (len(self.samples) / len(index))
        A = M = torch.zeros((), dtype=torch.float64)
        for block in torch.arange(len(index)).split(_BLOCK):
            samples = self.samples[index[block]]
            values, gradients = field.value_and_gradient(samples)
            one = torch.ones(len(block), 1, dtype=torch.float64)
            state = torch.cat([one, values], dim=1)
            slopes = torch.cat([torch.zeros(len(block), 1, 3, dtype=torch.float64), gradients], dim=1)
            local = (samples - self.centre) / self.scale
            A = A + linear_energy_gram(state, slopes * self.scale, local, stiffness[block])
            M = M + state.T @ (mass[block][:, None] * state)
        # Column 0 is the constant: taking it away from the others leaves functions without a mean.
        free = torch.eye(len(A), dtype=torch.float64)
        free[0] = -M[0]
        free = free[:, 1:]
        _, C = rayleigh_ritz(free.T @ A @ free, free.T @ M @ free, handles - 1)
        mix = torch.zeros(len(A), C.shape[1] + 1, dtype=torch.float64)
        mix[0, 0] = 1
        mix[:, 1:] = free @ C
        return mix


def first_handles(problem: Problem, config: TrainConfig) -> HandleBasis:
    """Handles without training: the head solved once over an untrained network that reads the position alone.

    They are there in a tenth of a second, for the body's modes do not have to be found.
    """
    network = initial_network(config, problem, torch.Generator().manual_seed(config.seed))
    return problem.quick_basis(network, config.handles)


def initial_network(config: TrainConfig, problem: Problem, generator: torch.Generator) -> WeightNetwork:
    """The untrained network a config asks for; a head other than Ritz needs outputs of its own."""
    outputs = None if config.head == "ritz" else config.handles - 1
    width = max(config.width, config.handles) if outputs is None else config.width
    plain = problem.further is None
    gain = config.gain or (input_gain(problem.shape) if plain else _GAIN)
    places = None if plain else torch.cat([problem.points * gain, problem.further[0]], dim=1).cpu()
    return WeightNetwork(
        config.layers,
        width,
        gain=gain,
        generator=generator,
        activation=config.activation,
        outputs=outputs,
        places=places,
    ).to(problem.points.device, torch.float32)


def input_gain(shape: Shape) -> float:
    """How sharply weights of the position alone shall bend: more in a body that fills little of its box.

    Orthogonal weights have no size of their own to learn it, so the input brings it. Measured with `tanh`: on the
    solid beam 8 is best against full-space FEM (RMS 0.018 m; 0.033 at 12, 0.049 at 16), while the energy of the
    octopus, which fills a tenth of its box, goes on falling up to 24.
    """
    sides = shape.samples.amax(0) - shape.samples.amin(0)
    fill = shape.volume / float(sides.prod().clamp_min(1e-300))
    return min(max(_PLAIN_GAIN / math.sqrt(fill), _PLAIN_GAIN), 3 * _PLAIN_GAIN)
