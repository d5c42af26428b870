"""What is being learned: a body's samples in normalised coordinates, and handles from a network's features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from scipy.spatial import cKDTree

from optim.config import TrainConfig
from optim.head import rayleigh_ritz
from optim.losses import energy_and_mass, without_mean
from optim.spline_modes import CELLS, spline_modes
from sim.basis import HandleBasis
from sim.errors import TrainingError
from sim.jets import jet_along, position_jet, random_frames
from sim.material import Material
from sim.network import NetworkField, WeightNetwork
from sim.orthonormal import varimax
from sim.shape import Shape
from sim.splines import SplineField

Tensor = torch.Tensor

SAMPLES = 40960
"""Samples to learn over, at the most: among fewer, functions of a body with thin limbs hide."""

_DENSER = 4  # times a shape's own samples

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
        bending: internal length of the energy in that unit (optim/losses.py); 0 for none.
        modes: the body's modes, which the network reads beside the position; None for the position alone.
        read: the jet of them at the samples by x, y, z [1, 1/m, 1/m2], float64, (4 or 10, N, E).
        further: the same along the samples' frames, normalised, float32, (4 or 5, N, E).
    """

    shape: Shape
    material: Material
    samples: Tensor
    points: Tensor
    mass: Tensor
    stiffness: Tensor
    centre: Tensor
    scale: float
    bending: float
    modes: SplineField | None = None
    read: Tensor | None = None
    further: Tensor | None = None

    @staticmethod
    def build(shape: Shape, material: Material, device: torch.device, bending: float = 0.0) -> Problem:
        """Normalise a body.

        Raises:
            MaterialError: per-sample values that do not match the samples.
            TrainingError: the samples have no extent.
        """
        mass = shape.sample_volumes * material.per_sample("density", len(shape.samples))
        scale = float((shape.samples.amax(0) - shape.samples.amin(0)).max())
        if not scale > 0:
            raise TrainingError("The samples all lie in one place, so there is nothing to bend.")
        centre = mass @ shape.samples / mass.sum()
        sampled = _normalised(shape, material, centre, scale, device)
        return Problem(shape, material, **sampled, centre=centre, scale=scale, bending=bending)

    def dense(self) -> Problem:
        """The same over four times as many samples, up to SAMPLES, where the shape has a surface to draw them in.

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
        return replace(self, **_normalised(sampled, material, self.centre, self.scale, self.points.device))

    def find_modes(self, count: int, cells: int | None = None) -> SplineField:
        """The body's `count` lowest modes over splines on about so many cells; see `spline_modes`.

        None takes CELLS, and half as many more where the material varies: functions turn sharply where it does.
        """
        if cells is None:
            cells = CELLS * 3 // 2 if self.material.heterogeneous else CELLS
        return spline_modes(
            self.samples,
            self.mass.cpu(),
            self.stiffness.cpu(),
            count,
            centre=self.centre,
            scale=self.scale,
            bending=self.bending,
            cover=self.shape.vertices,
            cells=cells,
        )

    def reading(self, modes: SplineField) -> Problem:
        """The same with a network that reads these modes, too."""
        read = torch.cat([modes.jet(part, order=self._order) for part in self.samples.split(_BLOCK)], dim=1)
        along = read if self.frames is None else jet_along(read[0], read[1:4], read[4:], self.frames)
        further = self._unitless(along).float().to(self.points.device)
        return replace(self, modes=modes, read=read, further=further)

    @property
    def _order(self) -> int:
        """Of the last derivatives in the energy."""
        return 1 if self.bending == 0 else 2

    @cached_property
    def frames(self) -> Tensor | None:
        """A random frame at each sample, which second derivatives are taken along; None where none are wanted."""
        if self.bending == 0:
            return None
        return random_frames(len(self.samples), torch.Generator().manual_seed(0))

    def _unitless(self, jet: Tensor) -> Tensor:
        """A jet in metres in normalised coordinates."""
        powers = torch.tensor([0, 1, 1, 1] + [2] * 6)[: len(jet), None, None]
        return jet * torch.tensor(self.scale, dtype=torch.float64) ** powers

    @cached_property
    def _local(self) -> Tensor:
        """Normalised positions by the samples' frames, (N, 3)."""
        if self.frames is None:
            return self.points
        return torch.einsum("nij,nj->ni", self.frames.to(self.points), self.points)

    @cached_property
    def _inputs(self) -> Tensor:
        """The jet of position, ungained, and modes at the samples, samples first, so that a batch is one piece."""
        jet = position_jet(self.points, 1.0, self.frames)
        if self.further is not None:
            jet = torch.cat([jet, self.further], dim=2)
        return jet.permute(1, 0, 2).contiguous()

    def jet(self, network: WeightNetwork, index: Tensor) -> Tensor:
        """The network's outputs over some samples and their derivatives along the frames, (4 or 5, n, K)."""
        inputs = self._inputs[index].permute(1, 0, 2).contiguous()
        inputs[..., :3] *= network.gain
        return network.jet(inputs)

    def grams(self, network: WeightNetwork, index: Tensor, *, centred: bool = True) -> tuple[Tensor, Tensor]:
        """Energy and mass Gram matrices of the network's outputs over some samples, each (K, K).

        Args:
            centred: handles have no mean, so the energy is that of the outputs without theirs.
        """
        mass = self.mass[index] / self.mass[index].sum()
        # Both are shares of the whole body; over a part of the samples they are scaled up to it.
        stiffness = self.stiffness[index] * (len(self.points) / len(index))
        A = M = torch.zeros((), dtype=torch.float64, device=mass.device)
        level = None
        for block in torch.arange(len(index), device=index.device).split(_BLOCK):
            part = index[block]
            jet = self.jet(network, part)
            if centred and level is None:
                # Else the energy of an output that hardly varies is lost in float32 when its mean is taken off, and
                # can come out negative.
                level = jet[0].detach().mean(0)
            energy, its_mass = energy_and_mass(
                jet, self._local[part], stiffness[block], mass[block], self.bending, level=level
            )
            A, M = A + energy, M + its_mass
        energy, M = without_mean(A, M)
        return energy if centred else A[1:, 1:], M

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
            part = index[block]
            # With the whole Hessian: what frames leave to chance, a solve for the best takes advantage of.
            read = None if self.read is None else self.read[:, part]
            jet = self._unitless(field.jet(self.samples[part], order=self._order, read=read))
            X = (self.samples[part] - self.centre) / self.scale
            energy, its_mass = energy_and_mass(jet, X, stiffness[block], mass[block], self.bending)
            A, M = A + energy, M + its_mass
        _, C = rayleigh_ritz(*without_mean(A, M), handles - 1)
        mix = torch.zeros(len(A), C.shape[1] + 1, dtype=torch.float64)
        mix[0, 0] = 1
        mix[0, 1:] = -M[0, 1:] @ C
        mix[1:, 1:] = C
        return mix


def _normalised(
    sampled: Shape, material: Material, centre: Tensor, scale: float, device: torch.device
) -> dict[str, Tensor]:
    """The fields of a Problem that have a row for each sample."""
    count = len(sampled.samples)
    mass = sampled.sample_volumes * material.per_sample("density", count)
    mu, lam = material.lame(count)
    stiffness = sampled.sample_volumes * (lam / 2 + 2 * mu)
    return {
        "samples": sampled.samples,
        "points": ((sampled.samples - centre) / scale).float().to(device),
        "mass": (mass / mass.sum()).to(device),
        "stiffness": (stiffness / stiffness.sum()).to(device),
    }


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
