"""How to train: one frozen value that is stored with the weights it made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from sim.errors import TrainingError

PRESETS = {"draft": 60, "good": 150, "best": 1000}
"""Steps of each preset: about five, seven and twenty CPU seconds for 32 handles, modes and finish included."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `train`.

    Raises:
        TrainingError: a value that makes no sense; the message says the allowed range.
    """

    handles: int = 32
    """H, counting the constant handle."""

    optimizer: str = "ns"
    """A name that `optim.baselines.build_optimizer` knows."""

    preset: Literal["draft", "good", "best"] = "good"
    """How many steps; see PRESETS."""

    steps: int | None = None
    """Instead of the preset's."""

    learning_rate: float | None = None
    """At the start; falls to zero along a half cosine. None takes the optimizer's own."""

    seed: int = 0
    """Of everything random. The same seed on the same machine gives the same weights."""

    device: str = "auto"
    """Where to compute."""

    layers: int = 4
    """Hidden layers. The features of all of them are used in the end, so depth is cheap variety."""

    width: int = 64
    """Units a layer."""

    activation: Literal["tanh", "elu"] = "tanh"
    """Of the hidden layers; "elu" is the paper's, whose kinks make bodies stiffer (docs/training.md)."""

    body_modes: int | None = None
    """How many of the body's modes the network reads beside the position; None is one for each handle but the
    constant, 0 the position alone, as in the paper."""

    gain: float | None = None
    """Multiplies positions (the body's longest side is 1); None is 4 where the network reads the body's modes, else
    it is taken from the shape (`optim.problem.input_gain`)."""

    bending: float = 0.15
    """What strain gradients cost beside strain: the energy's internal length (optim/losses.py), in units of the
    body's longest side. Bodies move nearer to the truth with it; 0 is the paper's energy, and a step takes a quarter
    less time (docs/training.md)."""

    batch: int = 1000
    """Samples a step, drawn anew each time."""

    head: Literal["ritz", "white", "none"] = "ritz"
    """How outputs become orthonormal (optim/head.py); "none" is the NS design note's text."""

    clip: float = 1.0
    """Largest gradient norm, of all parameters together."""

    stop_early: bool = True
    """Stop, in the second half of the run, when the last fifth of the steps has gained less than 0.01 %: what is
    left of a falling learning rate gains less than that again, far under what a handle more or less would."""

    def __post_init__(self) -> None:
        limits = {
            "handles": (1, 512),
            "layers": (1, 32),
            "width": (8, 2048),
            "batch": (64, 1_000_000),
            "clip": (1e-6, 1e6),
            "bending": (0, 100),
        }
        if self.body_modes is not None:
            limits["body_modes"] = (0, 511)
        if self.steps is not None:
            limits["steps"] = (0, 10_000_000)
        if self.gain is not None:
            limits["gain"] = (1e-3, 1e3)
        if self.learning_rate is not None:
            limits["learning_rate"] = (1e-8, 10.0)
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
                raise TrainingError(f"{name} must lie between {low} and {high}, got {value!r}.")
        if self.preset not in PRESETS:
            raise TrainingError(f"Unknown preset {self.preset!r}: use {', '.join(PRESETS)}.")
        if self.activation not in ("tanh", "elu"):
            raise TrainingError(f"Unknown activation {self.activation!r}: use 'tanh' or 'elu'.")
        if self.head not in ("ritz", "white", "none"):
            raise TrainingError(f"Unknown head {self.head!r}: use 'ritz', 'white' or 'none'.")

    @property
    def total_steps(self) -> int:
        """Steps to take at the most."""
        return PRESETS[self.preset] if self.steps is None else self.steps

    def as_dict(self) -> dict:
        """JSON-able."""
        return asdict(self)
