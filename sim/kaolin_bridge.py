"""To and from NVIDIA Kaolin's Simplicits, where it is installed: the only module that imports kaolin.

The package registry's `kaolin` 0.1 is an empty placeholder; real wheels come from the vendor's own index, for
certain versions of torch. Nothing else in this project needs it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from sim.basis import HandleBasis
from sim.errors import BasisError
from sim.material import Material

if TYPE_CHECKING:
    from sim.shape import Shape

MISSING = (
    "Kaolin is not installed (or only its empty 0.1 placeholder is). Install a wheel of kaolin 0.18 or newer "
    "from NVIDIA's index for this torch, as its installation page says; all else works without it."
)


def kaolin_version() -> str | None:
    """The version of a usable Kaolin, or None."""
    try:
        module = importlib.import_module("kaolin")
        importlib.import_module("kaolin.physics.simplicits")
    except ImportError:
        return None
    return str(getattr(module, "__version__", "unknown"))


def to_skinned_physics_points(
    shape: Shape, material: Material, basis: HandleBasis, *, device: torch.device
) -> Any:
    """A `kaolin.physics.simplicits.SkinnedPhysicsPoints` with this body, ready for a `SimplicitsScene`.

    Kaolin counts every sample as the same share of the volume and keeps its constant handle last.

    Raises:
        BasisError: Kaolin is missing.
    """
    simplicits = _simplicits()
    count = len(shape.samples)
    weights, gradients = basis.weights_and_gradients(shape.samples)
    order = [*range(1, basis.handles), 0]

    def place(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float().to(device).contiguous()

    return simplicits.SkinnedPhysicsPoints(
        pts=place(shape.samples),
        yms=place(material.per_sample("young", count)),
        prs=place(material.per_sample("poisson", count)),
        rhos=place(material.per_sample("density", count)),
        appx_vol=place(torch.tensor(float(shape.volume))),
        skinning_weights=place(weights[:, order]),
        dwdx=place(gradients[:, order]),
    )


def basis_from_skinning_module(module: Any, *, handles: int) -> HandleBasis:
    """Handles from a trained `kaolin.physics.simplicits` skinning module.

    Args:
        module: has `compute_skinning_weights(points) -> (n, handles)`, its constant handle last.
        handles: counting the constant one.

    Raises:
        BasisError: Kaolin is missing, or `module` is not one of its skinning modules.
    """
    _simplicits()
    if not hasattr(module, "compute_skinning_weights"):
        raise BasisError(f"{type(module).__name__} is not a Kaolin skinning module.")

    def function(points: torch.Tensor) -> torch.Tensor:
        return module.compute_skinning_weights(points.float())[:, :-1].to(points.dtype)

    return HandleBasis.from_function(function, handles=handles)


def _simplicits() -> ModuleType:
    if kaolin_version() is None:
        raise BasisError(MISSING)
    return importlib.import_module("kaolin.physics.simplicits")
