"""The handles of a scene's body: read from its weights file, or learned.

The trainer is imported only where something is to be learned: a scene with weights opens sooner.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scenes.schema import BodyPart
from sim.basis import HandleBasis
from sim.errors import SceneError
from sim.material import Material
from sim.shape import Shape

if TYPE_CHECKING:
    from optim.train import TrainConfig


def load_handles(part: BodyPart) -> HandleBasis | None:
    """The handles kept in the body's weights file; None when it has none or training has not written it yet.

    Raises:
        BasisError: the file is damaged or of another version.
        SceneError: the file has more handles than the scene says (fewer is fine: training drops useless
            ones).
    """
    if part.weights is None or not os.path.exists(part.weights):
        return None
    basis = HandleBasis.load(part.weights)
    if basis.handles > part.handles:
        raise SceneError(
            f"weights: {os.path.basename(part.weights)} has {basis.handles} handles, the scene asks for "
            f"{part.handles}; write handles: {basis.handles}, or train again."
        )
    return basis


def train_config(part: BodyPart, *, device: str = "auto", **overrides: Any) -> TrainConfig:
    """How the scene wants the body's handles learned; `overrides` are other fields of `TrainConfig`.

    Raises:
        TrainingError: a setting that the trainer refuses.
    """
    from optim.train import TrainConfig

    settings: dict[str, Any] = {
        "handles": part.handles,
        "optimizer": part.train.optimizer,
        "seed": part.train.seed,
        "device": device,
    }
    if part.train.steps is not None:
        settings["steps"] = part.train.steps
    if part.train.learning_rate is not None:
        settings["learning_rate"] = part.train.learning_rate
    return TrainConfig(**{**settings, **overrides})


def handles_for(
    part: BodyPart,
    shape: Shape,
    material: Material,
    *,
    device: str = "auto",
    on_progress: Callable[..., None] | None = None,
    cancel: threading.Event | None = None,
    **overrides: Any,
) -> HandleBasis:
    """The handles in the weights file or, where there is none, newly learned ones (`steps=0`: at once).

    Raises:
        BasisError, SceneError: see `load_handles`. TrainingError, Cancelled: see `optim.train`.
    """
    basis = load_handles(part)
    if basis is not None:
        return basis
    from optim.train import train

    config = train_config(part, device=device, **overrides)
    return train(shape, material, config, on_progress=on_progress, cancel=cancel)
