"""What panels read from the session: plain values, and the hands they hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from app.session.hands import HandCommands
    from sim.body import Body

Status = Literal["empty", "loading", "ready", "error"]
TrainingState = Literal["idle", "running", "paused", "stopping", "done", "failed"]
SimulationState = Literal["stopped", "playing", "paused"]
Tool = Literal["pull", "pin", "handle"]

_ENERGY_STEPS = 600  # ten seconds of steps in the plot


@dataclass(frozen=True)
class LoadingView:
    """A file on its way in.

    Attributes:
        name: of the file. stage: what is being done, as a clause ("reading the mesh"). fraction: 0 to 1.
    """

    name: str
    stage: str = "starting"
    fraction: float = 0.0


@dataclass
class TrainingView:
    """How training stands; kept after it has ended, until the next one begins.

    Attributes:
        state: "idle" (never trained), "running", "paused", "stopping", "done" or "failed".
        preset, handles: what was asked for. body: name of the body that is trained.
        step, steps: done, and to do at the most. progress: share done, 0 to 1, all stages together.
        curve_steps, curve_losses: a point for every step so far, contiguous float64 for implot.
        look_steps, look_energies: the same for the smoother energy on samples kept for looking.
        rank, rank_wanted: effective rank of the handles, and the number of handles but the constant.
        orthonormality: largest deviation from orthonormal; 0 is perfect.
        energy_above_bound: relative distance to where the energy seems to be heading, e.g. 0.05; NaN unknown.
        rate: steps a second. seconds_left: expected, NaN while unknown.
        message: one sentence on what happens now, or how it ended.
        live_weights: whether new weights are put in by themselves while training runs.
    """

    state: TrainingState = "idle"
    preset: str = "good"
    handles: int = 32
    body: str = ""
    step: int = 0
    steps: int = 0
    progress: float = 0.0
    curve_steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    curve_losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    look_steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    look_energies: np.ndarray = field(default_factory=lambda: np.zeros(0))
    rank: float = math.nan
    rank_wanted: int = 0
    orthonormality: float = math.nan
    energy_above_bound: float = math.nan
    rate: float = 0.0
    seconds_left: float = math.nan
    message: str = ""
    live_weights: bool = True

    @property
    def active(self) -> bool:
        """Whether a training job holds the worker."""
        return self.state in ("running", "paused", "stopping")


class Energies:
    """The energies of the last steps [J] for a plot: contiguous float64 arrays, oldest first.

    Attributes:
        time [s], kinetic, elastic, gravity, total: each of length `len(energies)`.
    """

    def __init__(self, capacity: int = _ENERGY_STEPS) -> None:
        # Rows of double length, written twice a lap, so that the newest `capacity` values lie in one piece.
        self._rows = np.zeros((5, 2 * capacity))
        self._capacity = capacity
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._capacity)

    def append(self, time: float, kinetic: float, elastic: float, gravity: float) -> None:
        """Add a step."""
        if self._end == self._rows.shape[1]:
            self._rows[:, : self._capacity] = self._rows[:, self._capacity :]
            self._end = self._capacity
        self._rows[:, self._end] = time, kinetic, elastic, gravity, kinetic + elastic + gravity
        self._end += 1

    def clear(self) -> None:
        """Forget all steps."""
        self._end = 0

    def _row(self, index: int) -> np.ndarray:
        return self._rows[index, self._end - len(self) : self._end]

    @property
    def time(self) -> np.ndarray:
        return self._row(0)

    @property
    def kinetic(self) -> np.ndarray:
        return self._row(1)

    @property
    def elastic(self) -> np.ndarray:
        return self._row(2)

    @property
    def gravity(self) -> np.ndarray:
        return self._row(3)

    @property
    def total(self) -> np.ndarray:
        return self._row(4)


class GrabHandle:
    """The hand that pulls, from the press of the button to its release; made by `Session.grab`.

    Attributes:
        body: what it holds.
    """

    def __init__(self, commands: HandCommands, body: Body, grab) -> None:
        self.body = body
        self._commands = commands
        self._grab = grab

    @property
    def active(self) -> bool:
        """False once it was released, by whomever (a reset, a new scene)."""
        return self._commands.holds(self._grab)

    @property
    def point(self) -> np.ndarray:
        """Where the held place is now [m], shape (3,): one end of the pull line."""
        return self._grab.point.numpy()

    @property
    def target(self) -> np.ndarray:
        """Where the hand is [m], shape (3,): the other end."""
        return self._grab.target.numpy()

    def move_to(self, target: np.ndarray) -> None:
        """Move the hand [m], shape (3,); does nothing once released or for numbers that are not finite."""
        target = np.asarray(target, dtype=np.float64)
        if self.active and target.shape == (3,) and np.isfinite(target).all():
            self._grab.move_to(target)

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self.active:
            self._grab.release()


class HeldPin:
    """A pin in the world; made by `Session.pin` and friends, listed in `Session.pins`.

    Attributes:
        body: what it holds. key: stays the same over undo, redo and changes of handles.
    """

    def __init__(self, body: Body, key: int, pin, region) -> None:
        self.body = body
        self.key = key
        self._pin = pin
        self._region = region

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which rest points [m], shape (n, 3), lie in the region it was made for, bool (n,)."""
        return self._region(torch.from_numpy(np.asarray(points, dtype=np.float64))).numpy()

    @property
    def rest(self) -> np.ndarray:
        """Held rest points [m], shape (m, 3)."""
        return self._pin.rest

    @property
    def targets(self) -> np.ndarray:
        """Where they are held [m], shape (m, 3): draw these."""
        return self._pin.force.targets


class HandleGrip:
    """A handle led by a gizmo; made by `Session.drag_handle`, listed in `Session.grips`.

    It holds the ball of samples around the handle's point like a soft pin that follows the gizmo.

    Attributes:
        body: whose handle. handle: its number. key: stays the same over undo and redo.
    """

    def __init__(self, commands: HandCommands, body: Body, handle: int, key: int) -> None:
        self.body = body
        self.handle = handle
        self.key = key
        self._commands = commands

    @property
    def active(self) -> bool:
        """False once it was released, undone or reset."""
        return self._commands.has_grip(self.key)

    @property
    def transform(self) -> np.ndarray:
        """Where the gizmo stands, shape (4, 4) [m]: a rotation and a place. Set the gizmo from this after undo."""
        return self._commands.grip_transform(self.key)

    def move_to(self, transform: np.ndarray) -> None:
        """Lead the region by a new gizmo pose, shape (4, 4); scale is ignored. Does nothing once released.

        All moves until `Session.settle` are one step for undo.
        """
        self._commands.move_grip(self.key, transform)

    def release(self) -> None:
        """Let go; a second time does nothing. Can be undone."""
        self._commands.release_grip(self.key)
