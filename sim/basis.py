"""HandleBasis: the weight functions of a body's handles, at any point, immutable; on file or from code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from sim.errors import BasisError
from sim.fields import Field, FunctionField, build_field, require
from sim.orthonormal import effective_rank, elastic_gram, orthonormal_mix, orthonormality_defect, varimax
from sim.tensor_files import write_tensors

if TYPE_CHECKING:
    from sim.material import Material
    from sim.shape import Shape

Tensor = torch.Tensor
FORMAT_VERSION = 1
_CHUNK = 16384  # rows evaluated at once: a million points must not need a million rows of activations
_LOCALIZER_SAMPLES = 4096  # varimax needs the pattern of the weights, not every sample


@dataclass(frozen=True)
class CubaturePoints:
    """Reference samples that were chosen as cubature points.

    Attributes:
        samples: their numbers, int64, (n,). points: their positions [m], float64, (n, 3): what tells whether a
            shape has the same samples. weights: [m3], float64, (n,).
    """

    samples: Tensor
    points: Tensor
    weights: Tensor

    @staticmethod
    def of(tensors: dict[str, Tensor]) -> CubaturePoints | None:
        """From stored tensors, checked; None when there are none.

        Raises:
            BasisError: they do not fit together.
        """
        if "cubature.samples" not in tensors:
            return None
        samples = tensors["cubature.samples"]
        if samples.ndim != 1 or samples.dtype != torch.int64 or (samples < 0).any():
            raise BasisError("the cubature's sample numbers are damaged")
        weights = require(tensors, "cubature.weights", (len(samples),))
        if (weights < 0).any():
            raise BasisError("a cubature weight is negative")
        return CubaturePoints(samples, require(tensors, "cubature.points", (len(samples), 3)), weights)

    def fits(self, samples: np.ndarray) -> bool:
        """Whether a shape's samples [m], (N, 3), are the ones these points were chosen from."""
        index = self.samples.numpy()
        if len(index) == 0 or index.max() >= len(samples):
            return False
        size = np.ptp(samples, axis=0).max()
        return bool(np.allclose(samples[index], self.points.numpy(), rtol=0, atol=1e-9 * size))


class HandleBasis:
    """H weight functions `w_h(X)`, the first of them the constant 1.

    `w(X) = [1, f(X)] @ mix`, where `f` is a field (a network, bumps, cosines or a function). The displacement
    of a body is `sum_h w_h(X) T_h [X; 1]` (Modi et al. 2024, eq. 2).

    Args:
        field: K raw weight functions.
        mix: shape (K + 1, H), column 0 is `e_0`; None takes the field's outputs as they are.
        localizer: orthogonal, shape (H, H): `weights @ localizer` are bumps to show and to drag.
        handle_points: where each of those bumps peaks [m], shape (H, 3).
        cubature: points that were optimised for these weights, so that a body need not do it again.
        history, diagnostics, metadata: what made this basis (loss a step; rank, orthonormality, energies;
            config, versions, seed), all JSON-able.

    Raises:
        BasisError: shapes that do not fit together, or values that are not finite.
    """

    def __init__(
        self,
        field: Field,
        mix: Tensor | None = None,
        *,
        localizer: Tensor | None = None,
        handle_points: Tensor | None = None,
        cubature: CubaturePoints | None = None,
        history: tuple[Mapping, ...] = (),
        diagnostics: Mapping | None = None,
        metadata: Mapping | None = None,
    ) -> None:
        if mix is None:
            mix = torch.eye(field.outputs + 1)
        self._field = field
        self._mix = mix.detach().to("cpu", torch.float64).clone()
        parts = {"mix": self._mix}
        require(parts, "mix", (field.outputs + 1, None))
        handles = self._mix.shape[1]
        if handles < 1 or self._mix[0, 0] != 1 or self._mix[1:, 0].any():
            raise BasisError("the first handle must be the constant 1")
        self.localizer = None if localizer is None else localizer.detach().to("cpu", torch.float64).clone()
        self.handle_points = (
            None if handle_points is None else handle_points.detach().to("cpu", torch.float64).clone()
        )
        if self.localizer is not None:
            require({"localizer": self.localizer}, "localizer", (handles, handles))
        if self.handle_points is not None:
            require({"handle_points": self.handle_points}, "handle_points", (handles, 3))
        self.cubature = cubature
        self.history = tuple(history)
        self.diagnostics = dict(diagnostics or {})
        self.metadata = dict(metadata or {})
        self._placed: dict[torch.device, tuple[Field, Tensor]] = {}

    @property
    def handles(self) -> int:
        """H, counting the constant handle."""
        return self._mix.shape[1]

    @property
    def field(self) -> Field:
        """The raw weight functions."""
        return self._field

    @property
    def mix(self) -> Tensor:
        """Coefficients of the handles in `[1, field]`, float64, shape (K + 1, H)."""
        return self._mix.clone()

    def with_cubature(self, cubature: CubaturePoints) -> HandleBasis:
        """The same handles, with points optimised for them."""
        return HandleBasis(
            self._field,
            self._mix,
            localizer=self.localizer,
            handle_points=self.handle_points,
            cubature=cubature,
            history=self.history,
            diagnostics=self.diagnostics,
            metadata=self.metadata,
        )

    def weights(self, points: Tensor | np.ndarray) -> Tensor:
        """Weights at rest positions [m], shape (n, 3) -> (n, H), in the points' dtype, on their device.

        Raises:
            BasisError: the points are not (n, 3).
        """
        points = _as_points(points)
        field, mix = self._place(points.device)
        parts = [field.value(chunk) @ mix[1:] + mix[0] for chunk in points.double().split(_CHUNK)]
        return torch.cat(parts).to(points.dtype) if parts else points.new_zeros(0, self.handles)

    def gradients(self, points: Tensor | np.ndarray) -> Tensor:
        """Spatial gradients [1/m] at rest positions [m], shape (n, 3) -> (n, H, 3)."""
        return self.weights_and_gradients(points)[1]

    def weights_and_gradients(self, points: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
        """Weights (n, H) and their spatial gradients (n, H, 3) [1/m] at rest positions [m], shape (n, 3).

        Raises:
            BasisError: the points are not (n, 3).
        """
        points = _as_points(points)
        field, mix = self._place(points.device)
        weights, gradients = [], []
        for chunk in points.double().split(_CHUNK):
            value, gradient = field.value_and_gradient(chunk)
            weights.append(value @ mix[1:] + mix[0])
            gradients.append(torch.einsum("nkd,kh->nhd", gradient, mix[1:]))
        if not weights:
            return points.new_zeros(0, self.handles), points.new_zeros(0, self.handles, 3)
        return torch.cat(weights).to(points.dtype), torch.cat(gradients).to(points.dtype)

    def localized_weights(self, points: Tensor | np.ndarray) -> Tensor:
        """The same space seen as H bumps, shape (n, 3) -> (n, H); needs `orthonormalized` first.

        Raises:
            BasisError: this basis has no localised copy.
        """
        if self.localizer is None:
            raise BasisError(
                "These weights have no localised copy yet: call orthonormalized(shape, material)."
            )
        weights = self.weights(points)
        return weights @ self.localizer.to(weights.device, weights.dtype)

    def orthonormalized(self, shape: Shape, material: Material) -> HandleBasis:
        """The same space of weights, mass-orthonormal over the shape's samples and ordered by energy.

        `sum_i (m_i / m) w_h w_k = delta_hk`; the energy is `sim.orthonormal.elastic_gram`. Directions that
        are numerically the same are dropped, so that H can shrink; `diagnostics` says by how many.

        Raises:
            MaterialError: per-sample material values that do not match the shape's samples.
        """
        points = shape.samples
        mu, lam = material.lame(len(points))
        mass = material.per_sample("density", len(points)) * shape.sample_volumes
        mass = mass / mass.sum()
        weights, gradients = self.weights_and_gradients(points)
        scale = float((points.amax(0) - points.amin(0)).max())
        stiffness = shape.sample_volumes * (lam / 2 + 2 * mu)
        gram = elastic_gram(weights, gradients, points, stiffness, centre=mass @ points, scale=scale)
        change = orthonormal_mix(weights, mass, gram)
        weights = weights @ change
        stride = max(1, len(points) // _LOCALIZER_SAMPLES)
        share = mass[::stride] / mass[::stride].sum()
        localizer = varimax(weights[::stride], share)
        localized = weights @ localizer
        energies = torch.einsum("kh,kl,lh->h", change, gram, change)
        diagnostics = {
            **self.diagnostics,
            "energies": energies.tolist(),
            "effective_rank": effective_rank(weights[:, 1:], mass) if weights.shape[1] > 1 else 0.0,
            "orthonormality": orthonormality_defect(weights, mass),
            "dropped": self.handles - change.shape[1],
        }
        return HandleBasis(
            self._field,
            self._mix @ change,
            localizer=localizer,
            handle_points=points[localized.argmax(0)],
            history=self.history,
            diagnostics=diagnostics,
            metadata=self.metadata,
        )

    @staticmethod
    def from_function(function: Callable[[Tensor], Tensor], *, handles: int) -> HandleBasis:
        """A basis from any torch function of rest positions [m], `(n, 3) -> (n, H - 1)`.

        The constant handle is added. The function must be made of torch operations that know forward-mode
        differentiation (nearly all do), and must treat each point by itself.

        Raises:
            BasisError: fewer than one handle; or, when evaluated, a result of another shape.
        """
        if handles < 1:
            raise BasisError(f"A body needs at least the constant handle; got handles={handles}.")
        return HandleBasis(FunctionField(function, handles - 1))

    def parts(self) -> tuple[dict, dict[str, Tensor]]:
        """What a file keeps of it: a JSON-able header, and named tensors; `from_parts` reads them.

        Raises:
            BasisError: the weights come from a Python function.
        """
        header = {
            "version": FORMAT_VERSION,
            "kind": self._field.kind,
            "settings": self._field.settings(),
            "history": list(self.history),
            "diagnostics": self.diagnostics,
            "metadata": self.metadata,
        }
        tensors = {
            f"field.{name}": t.detach().cpu().contiguous() for name, t in self._field.tensors().items()
        }
        tensors["mix"] = self._mix
        if self.localizer is not None:
            tensors["localizer"] = self.localizer.contiguous()
        if self.handle_points is not None:
            tensors["handle_points"] = self.handle_points.contiguous()
        if self.cubature is not None:
            tensors |= {f"cubature.{k}": v.contiguous() for k, v in vars(self.cubature).items()}
        return header, tensors

    @staticmethod
    def from_parts(header: Mapping, tensors: dict[str, Tensor]) -> HandleBasis:
        """A basis from what `parts` gave, read from a file that may be damaged.

        Raises:
            BasisError: another version, or parts that do not fit together; says which.
        """
        try:
            return _from_parts(header, tensors)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BasisError(f"the weights are damaged: {error}") from error

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file, beside and then renamed: never a half-written one.

        Raises:
            BasisError: the weights come from a Python function, or the place cannot be written.
        """
        header, tensors = self.parts()
        path = Path(path)
        try:
            write_tensors(path, tensors, {"simplicits_studio": json.dumps(header, allow_nan=False)})
        except (OSError, SafetensorError) as error:
            raise BasisError(f"Cannot write weights to {path}: {error}") from error

    @staticmethod
    def load(path: str | os.PathLike) -> HandleBasis:
        """Read a file that `save` wrote.

        Raises:
            BasisError: missing or damaged file, another version, or tensors that do not fit together.
        """
        path = Path(path)
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                text = (file.metadata() or {}).get("simplicits_studio")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise BasisError(f"There is no weights file at {path}.") from error
        except (OSError, SafetensorError) as error:
            raise BasisError(f"{path} is not a readable weights file (safetensors): {error}") from error
        if text is None:
            raise BasisError(f"{path} is a safetensors file, but not one of Simplicits Studio's weights.")
        try:
            return _from_parts(json.loads(text), tensors)
        except (BasisError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BasisError(f"The weights file {path} is damaged or was tampered with: {error}") from error

    def _place(self, device: torch.device) -> tuple[Field, Tensor]:
        if device not in self._placed:
            field = self._field.to(device, torch.float64)
            self._placed[device] = (field, self._mix.to(device))
        return self._placed[device]


def _from_parts(header: Mapping, tensors: dict[str, Tensor]) -> HandleBasis:
    if header.get("version") != FORMAT_VERSION:
        raise BasisError(
            f"it was written in format version {header.get('version')!r}, this program reads {FORMAT_VERSION}"
        )
    parts = {name.removeprefix("field."): t for name, t in tensors.items() if name.startswith("field.")}
    field = build_field(header["kind"], parts, dict(header["settings"]))
    return HandleBasis(
        field,
        require(tensors, "mix", (field.outputs + 1, None)),
        localizer=tensors.get("localizer"),
        handle_points=tensors.get("handle_points"),
        cubature=CubaturePoints.of(tensors),
        history=tuple(header["history"]),
        diagnostics=header["diagnostics"],
        metadata=header["metadata"],
    )


def _as_points(points: Tensor | np.ndarray) -> Tensor:
    points = torch.as_tensor(points)
    if points.ndim != 2 or points.shape[1] != 3:
        raise BasisError(f"Points must have shape (n, 3), got {tuple(points.shape)}.")
    return points if points.dtype.is_floating_point else points.double()
