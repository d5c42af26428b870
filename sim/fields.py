"""Fields: raw weight functions of space, with their spatial gradients, before any handle is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import torch

from sim.errors import BasisError

Tensor = torch.Tensor


class Field(Protocol):
    """K smooth functions of the rest position, evaluated where they are asked.

    `kind` names the family in saved files; `outputs` is K. Points are rest positions [m], shape (n, 3), in
    the field's dtype and on its device; gradients are per metre.
    """

    kind: str
    outputs: int

    def value(self, points: Tensor) -> Tensor:
        """Values, shape (n, K)."""

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n, K) and spatial gradients (n, K, 3) [1/m]."""

    def to(self, device: torch.device, dtype: torch.dtype) -> Field:
        """The same field on another device or in another dtype."""

    def tensors(self) -> dict[str, Tensor]:
        """What must be stored to build it again."""

    def settings(self) -> dict:
        """JSON-able rest of what must be stored."""


Builder = Callable[[dict[str, Tensor], dict], Field]
_BUILDERS: dict[str, Builder] = {}


def register_field(kind: str, build: Builder) -> None:
    """Make saved fields of this kind loadable; `build` checks its input and raises BasisError."""
    _BUILDERS[kind] = build


def build_field(kind: str, tensors: dict[str, Tensor], settings: dict) -> Field:
    """Build a stored field.

    Raises:
        BasisError: nobody knows this kind, or its tensors do not fit together.
    """
    if kind not in _BUILDERS:
        raise BasisError(
            f"unknown kind of weights {kind!r}; this version knows {', '.join(sorted(_BUILDERS))}"
        )
    return _BUILDERS[kind](tensors, settings)


def require(tensors: dict[str, Tensor], name: str, shape: tuple[int | None, ...]) -> Tensor:
    """The named tensor, checked: there, finite, floating point and of this shape (None fits any length).

    Raises:
        BasisError: it is not.
    """
    tensor = tensors.get(name)
    if tensor is None:
        raise BasisError(f"the tensor {name!r} is missing")
    fits = tensor.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        raise BasisError(f"the tensor {name!r} has shape {tuple(tensor.shape)}, expected {shape}")
    if not tensor.dtype.is_floating_point or not torch.isfinite(tensor).all():
        raise BasisError(f"the tensor {name!r} holds values that are not finite numbers")
    return tensor


class FunctionField:
    """Weights from any torch function `points (n, 3) -> (n, K)`; gradients by automatic differentiation."""

    kind = "function"

    def __init__(self, function: Callable[[Tensor], Tensor], outputs: int) -> None:
        self._function = function
        self.outputs = outputs

    def value(self, points: Tensor) -> Tensor:
        values = self._function(points)
        if not isinstance(values, torch.Tensor) or tuple(values.shape) != (len(points), self.outputs):
            got = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise BasisError(
                f"The weight function gave {got} for {len(points)} points; it must give a tensor of shape "
                f"({len(points)}, {self.outputs}): one column for every handle but the constant one."
            )
        return values.to(points.dtype)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        values = self.value(points)
        try:
            gradient = self._forward_mode(points)
        except NotImplementedError:
            # Some torch operations (cdist among them) know only reverse mode: a pass for each output.
            gradient = self._reverse_mode(points)
        return values.detach(), gradient.detach()

    def _forward_mode(self, points: Tensor) -> Tensor:
        columns = []
        for axis in range(3):
            tangent = torch.zeros_like(points)
            tangent[:, axis] = 1
            columns.append(torch.func.jvp(self.value, (points,), (tangent,))[1])
        return torch.stack(columns, dim=-1)

    def _reverse_mode(self, points: Tensor) -> Tensor:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            totals = self.value(points).sum(0)
            rows = [torch.autograd.grad(total, points, retain_graph=True)[0] for total in totals]
        return torch.stack(rows, dim=1)

    def to(self, device: torch.device, dtype: torch.dtype) -> FunctionField:
        return self

    def tensors(self) -> dict[str, Tensor]:
        raise BasisError(
            "These weights come from a Python function, which cannot be written to a file. "
            "Build the basis in a script each time, or train one."
        )

    def settings(self) -> dict:
        return {}


@dataclass(frozen=True)
class CosineField:
    """Products of cosines: the free vibration modes of a box under the Laplacian.

    `w_k(X) = prod_i cos(k_i pi (X_i - low_i) / length_i)`: the analytic baseline that needs no training.

    Attributes:
        low: the box's lower corner [m], shape (3,).
        lengths: its side lengths [m], shape (3,).
        wavenumbers: k, shape (K, 3), whole numbers.
    """

    low: Tensor
    lengths: Tensor
    wavenumbers: Tensor
    kind = "cosine"

    @staticmethod
    def lowest(points: Tensor, outputs: int) -> CosineField:
        """The `outputs` lowest non-constant modes of the bounding box of `points` [m], shape (n, 3)."""
        low = points.amin(0)
        lengths = (points.amax(0) - low).clamp_min(1e-9)
        reach = range(outputs + 1)
        # The box's own lengths decide which products come first; ties break by the wavenumbers themselves.
        # Every k' <= k has no larger eigenvalue, so k is among the lowest only if all of those fit too.
        candidates = [
            k
            for k in product(reach, repeat=3)
            if any(k) and (k[0] + 1) * (k[1] + 1) * (k[2] + 1) <= outputs + 1
        ]
        inverse = (1 / lengths).tolist()
        candidates.sort(key=lambda k: (sum((ki * li) ** 2 for ki, li in zip(k, inverse, strict=True)), k))
        wavenumbers = torch.tensor(candidates[:outputs], dtype=points.dtype, device=points.device)
        return CosineField(low, lengths, wavenumbers)

    @property
    def outputs(self) -> int:
        return len(self.wavenumbers)

    def value(self, points: Tensor) -> Tensor:
        return torch.cos(self._phase(points)).prod(-1)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        phase = self._phase(points)
        c, s = torch.cos(phase), torch.sin(phase)
        rate = self.wavenumbers * torch.pi / self.lengths
        (cx, cy, cz), (sx, sy, sz) = c.unbind(-1), s.unbind(-1)
        gradient = -rate * torch.stack([sx * cy * cz, cx * sy * cz, cx * cy * sz], dim=-1)
        return c.prod(-1), gradient

    def _phase(self, points: Tensor) -> Tensor:
        return self.wavenumbers * (torch.pi * (points - self.low) / self.lengths)[:, None, :]

    def to(self, device: torch.device, dtype: torch.dtype) -> CosineField:
        return CosineField(*(t.to(device, dtype) for t in (self.low, self.lengths, self.wavenumbers)))

    def tensors(self) -> dict[str, Tensor]:
        return {"low": self.low, "lengths": self.lengths, "wavenumbers": self.wavenumbers}

    def settings(self) -> dict:
        return {}

    @staticmethod
    def build(tensors: dict[str, Tensor], settings: dict) -> CosineField:
        lengths = require(tensors, "lengths", (3,))
        if (lengths <= 0).any():
            raise BasisError("the box of the cosine weights has a side that is not positive")
        return CosineField(require(tensors, "low", (3,)), lengths, require(tensors, "wavenumbers", (None, 3)))


@dataclass(frozen=True)
class RbfField:
    """Radial bumps `(1 - r)^4 (4 r + 1)`, `r = |X - c| / radius`, with compact support, twice differentiable.

    Source: Wendland 1995, function phi_{3,1}. A wide basis for Rayleigh-Ritz that needs no training.

    Attributes:
        centres: bump centres [m], shape (K, 3).
        radius: support radius [m], shape ().
    """

    centres: Tensor
    radius: Tensor
    kind = "rbf"

    @property
    def outputs(self) -> int:
        return len(self.centres)

    def value(self, points: Tensor) -> Tensor:
        r = (torch.cdist(points, self.centres) / self.radius).clamp_max(1)
        return (1 - r) ** 4 * (4 * r + 1)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        offset = points[:, None, :] - self.centres
        r = (offset.norm(dim=-1) / self.radius).clamp_max(1)
        # d/dX of phi(r) is phi'(r) / r * offset / radius^2, and phi'(r) = -20 r (1 - r)^3: no division by r.
        gradient = (-20 * (1 - r) ** 3 / self.radius**2)[..., None] * offset
        return (1 - r) ** 4 * (4 * r + 1), gradient

    def to(self, device: torch.device, dtype: torch.dtype) -> RbfField:
        return RbfField(self.centres.to(device, dtype), self.radius.to(device, dtype))

    def tensors(self) -> dict[str, Tensor]:
        return {"centres": self.centres, "radius": self.radius}

    def settings(self) -> dict:
        return {}

    @staticmethod
    def build(tensors: dict[str, Tensor], settings: dict) -> RbfField:
        radius = require(tensors, "radius", ())
        if radius <= 0:
            raise BasisError("the radius of the bumps is not positive")
        return RbfField(require(tensors, "centres", (None, 3)), radius)


register_field("cosine", CosineField.build)
register_field("rbf", RbfField.build)
