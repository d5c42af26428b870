"""The network whose features span the handles' weights, and its exact derivatives in space.

Values and derivatives travel together (sim/jets.py): one matrix product a layer, no finite differences. Source of
the architecture: Modi et al. 2024, sec. 4.2, an ELU network of the rest position. Here tanh is the default: handles
as good in energy but without ELU's kinks move several times nearer to the full-space solution (docs/training.md).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from sim.errors import BasisError
from sim.fields import register_field, require
from sim.jets import ACTIVATIONS, layer_jet, linear_jet, position_jet
from sim.splines import SplineField

Tensor = torch.Tensor


class WeightNetwork(nn.Module):
    """A network of normalised rest positions, (n, 3) -> (n, outputs), and of what else it is given there.

    Args:
        layers: hidden layers, each followed by the activation. width: of each.
        gain: multiplies the input, so that weights of unit size already bend within the body.
        generator: seeded; the only source of randomness of the initial weights.
        activation: a name in ACTIVATIONS.
        outputs: of a last, linear layer; None leaves it away, and the last hidden layer's features are the outputs.
        places: values of the further inputs at points of the body, (m, 3 + E), behind their positions times the
            gain: units shall bend there. None: no further inputs, and units bend anywhere in the unit box.
    """

    def __init__(
        self,
        layers: int,
        width: int,
        *,
        gain: float,
        generator: torch.Generator,
        activation: str = "tanh",
        outputs: int | None = None,
        places: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.gain = gain
        self.activation = activation
        self.linear_output = outputs is not None
        sizes = (
            [3 if places is None else places.shape[1]]
            + [width] * layers
            + ([outputs] if outputs is not None else [])
        )
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for number, linear in enumerate(self.linears):
            _orthogonal_(linear.weight, generator)
            if number == 0:
                # Where each unit bends passes through a random point of the body, or of its box.
                if places is None:
                    points = gain * (torch.rand(width, 3, generator=generator) - 0.5)
                else:
                    points = places[torch.randint(len(places), (width,), generator=generator)]
                linear.bias.data = -(linear.weight.data * points).sum(1)
            else:
                linear.bias.data = 0.1 * torch.randn(linear.out_features, generator=generator)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (n, K) of a network of the position alone, and their gradient by it, (n, K, 3)."""
        jet = self.jet(position_jet(points, self.gain))
        return jet[0], jet[1:].permute(1, 2, 0)

    def jet(self, inputs: Tensor) -> Tensor:
        """Outputs and their derivatives, (S, n, K); see sim/jets.py.

        Args:
            inputs: the jet of what the network reads, (S, n, 3 + E): `gain` times the position, then the rest.
        """
        weights = [linear.weight for linear in self.linears]
        biases = [linear.bias for linear in self.linears]
        return _layers(inputs, weights, biases, self.activation, self.linear_output)[-1]


class NetworkField:
    """A trained network as a field of weight functions; holds copies, never changes.

    Its K outputs are the body's modes, where the network reads them, and the features of the last hidden layer, side
    by side. One that reads the position alone gives those of all hidden layers: the earlier ones cost nothing more, and
    the space they add makes better handles. A network with a linear output layer gives that layer's outputs alone.

    Args:
        network: is copied. centre: origin of the normalised coordinates [m], (3,). scale: their unit [m].
        modes: functions of the position [m] that the network reads beside it.
    """

    kind = "network"

    def __init__(
        self, network: WeightNetwork, centre: Tensor, scale: float, modes: SplineField | None = None
    ) -> None:
        self._gain = network.gain
        self._activation = network.activation
        self._linear_output = network.linear_output
        self._weights = [linear.weight.detach().clone() for linear in network.linears]
        self._biases = [linear.bias.detach().clone() for linear in network.linears]
        self._centre = centre.detach().clone()
        self._scale = float(scale)
        self._modes = modes
        self._all_layers = modes is None

    @property
    def outputs(self) -> int:
        if self._linear_output:
            return len(self._biases[-1])
        hidden = self._biases if self._all_layers else self._biases[-1:]
        return sum(len(bias) for bias in hidden) + (self._modes.outputs if self._modes else 0)

    def value(self, points: Tensor) -> Tensor:
        x = (points - self._centre) * (self._gain / self._scale)
        read, layers = [], []
        if self._modes is not None:
            read = [self._modes.value(points)]
            x = torch.cat([x, *read], dim=1)
        activate = ACTIVATIONS[self._activation]
        for number, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            x = torch.addmm(bias, x, weight.T)
            if not (self._linear_output and number == len(self._weights) - 1):
                x = activate(x)
            layers.append(x)
        return self._outputs(read, layers)

    def _outputs(self, read: list[Tensor], layers: list[Tensor]) -> Tensor:
        """Side by side along the last dimension."""
        if self._linear_output:
            return layers[-1]
        return torch.cat([*read, *(layers if self._all_layers else layers[-1:])], dim=-1)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        jet = self.jet(points)
        return jet[0], jet[1:].permute(1, 2, 0)

    def jet(self, points: Tensor, *, order: int = 1, read: Tensor | None = None) -> Tensor:
        """Values and derivatives by x, y, z [1, 1/m, 1/m2], (4 or 10, n, K); see sim/jets.py.

        Args:
            points: [m], (n, 3). order: of the last derivatives, 1 or 2. read: the modes' jet there of this order,
                where it is known already.
        """
        inputs = position_jet(points - self._centre, self._gain / self._scale, order=order)
        beside = []
        if self._modes is not None:
            beside = [self._modes.jet(points, order=order) if read is None else read]
            inputs = torch.cat([inputs, *beside], dim=2)
        layers = _layers(inputs, self._weights, self._biases, self._activation, self._linear_output)
        return self._outputs(beside, layers)

    def to(self, device: torch.device, dtype: torch.dtype) -> NetworkField:
        copy = object.__new__(NetworkField)
        copy._gain, copy._scale = self._gain, self._scale
        copy._activation, copy._linear_output = self._activation, self._linear_output
        copy._weights = [t.to(device, dtype) for t in self._weights]
        copy._biases = [t.to(device, dtype) for t in self._biases]
        copy._centre = self._centre.to(device, dtype)
        copy._modes = self._modes and self._modes.to(device, dtype)
        copy._all_layers = self._all_layers
        return copy

    def tensors(self) -> dict[str, Tensor]:
        named = {f"weight{i}": t for i, t in enumerate(self._weights)}
        named |= {f"bias{i}": t for i, t in enumerate(self._biases)}
        if self._modes is not None:
            named |= {f"modes.{name}": tensor for name, tensor in self._modes.tensors().items()}
        return named | {"centre": self._centre}

    def settings(self) -> dict:
        return {
            "layers": len(self._weights),
            "gain": self._gain,
            "scale": self._scale,
            "activation": self._activation,
            "linear_output": self._linear_output,
            "modes": self._modes and self._modes.settings(),
            "all_layers": self._all_layers,
        }

    @staticmethod
    def build(tensors: dict[str, Tensor], settings: dict) -> NetworkField:
        layers, gain, scale = settings["layers"], float(settings["gain"]), float(settings["scale"])
        if not isinstance(layers, int) or not 1 <= layers <= 64:
            raise BasisError(f"a network of {layers!r} layers is not possible")
        if not (math.isfinite(gain) and math.isfinite(scale) and scale > 0):
            raise BasisError("the network's scale is not a positive number")
        if settings["activation"] not in ACTIVATIONS:
            raise BasisError(f"networks with the activation {settings['activation']!r} are not known here")
        field = object.__new__(NetworkField)
        field._gain, field._scale, field._linear_output = gain, scale, bool(settings["linear_output"])
        field._activation = settings["activation"]
        field._all_layers = bool(settings.get("all_layers", True))  # older files do not say
        field._centre = require(tensors, "centre", (3,))
        field._modes, size = None, 3
        if settings.get("modes") is not None:
            prefix = "modes."
            parts = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            field._modes = SplineField.build(parts, settings["modes"])
            size += field._modes.outputs
        field._weights, field._biases = [], []
        for i in range(layers):
            field._weights.append(require(tensors, f"weight{i}", (None, size)))
            size = len(field._weights[-1])
            field._biases.append(require(tensors, f"bias{i}", (size,)))
        return field


def _layers(
    jet: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    activation: str,
    linear_output: bool,
) -> list[Tensor]:
    """The jets of every layer."""
    layers = []
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if linear_output and number == len(weights) - 1:
            jet = linear_jet(jet, weight, bias)
        else:
            jet = layer_jet(jet, weight, bias, activation)
        layers.append(jet)
    return layers


def _orthogonal_(weight: Tensor, generator: torch.Generator) -> None:
    rows, columns = weight.shape
    random = torch.randn(max(rows, columns), min(rows, columns), generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(random)
    q = q * torch.sign(r.diagonal())
    weight.data.copy_(q if rows >= columns else q.T)


register_field(NetworkField.kind, NetworkField.build)
