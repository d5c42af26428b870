"""Plain values a world hands out: reports of a step, and states to come back to."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    Attributes:
        iterations: Newton iterations, over all bodies. residual: largest RMS displacement error [m].
        energy: kinetic + elastic + gravitational [J], gravity counted from the height y = 0.
        converged: whether every body met its tolerance. seconds: wall time of the step.
        kinetic, elastic, potential: the parts of the energy [J]; potential is gravity's.
        message: empty, or what went wrong and what was done about it.
    """

    iterations: int
    residual: float
    energy: float
    converged: bool
    seconds: float
    kinetic: float = 0.0
    elastic: float = 0.0
    potential: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class BodyState:
    """Reduced coordinates `z` and their rates [1/s], each float64 on the CPU, shape (3, r)."""

    position: torch.Tensor
    velocity: torch.Tensor


@dataclass(frozen=True)
class WorldState:
    """Time [s] and the state of each body, in the order they were added. 24 H numbers a body at the most."""

    time: float
    bodies: tuple[BodyState, ...]
