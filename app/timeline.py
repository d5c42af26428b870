"""Timeline: every simulated frame since the last reset, as reduced states, within a memory bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sim.state import BodyState, WorldState

MEMORY_BOUND = 256 * 2**20
"""Bytes kept; with one body of 32 handles that is some 80,000 frames, 20 minutes at 60 a second."""

_FRAME_OVERHEAD = 500  # bytes of Python objects around a frame's numbers


@dataclass(frozen=True)
class _Frame:
    """Time [s], each body's coordinates (3, r), and where the rates do not follow from the frame before, them."""

    time: float
    positions: tuple[np.ndarray, ...]
    velocities: tuple[np.ndarray | None, ...]
    generations: tuple[int, ...]

    @property
    def bytes(self) -> int:
        arrays = (*self.positions, *(v for v in self.velocities if v is not None))
        return sum(array.nbytes for array in arrays) + _FRAME_OVERHEAD


class Timeline:
    """Frames by number: 0 is the state after a reset, n the one after the n-th step.

    The oldest frames are given up when the memory bound is met. When a body's handles are exchanged, all its
    frames follow by the same matrix, applied when a frame is looked at.

    Args:
        bound: memory for frames [bytes].

    Attributes:
        cursor: the frame that is shown; the last one while simulating.
    """

    def __init__(self, bound: int = MEMORY_BOUND) -> None:
        self._bound = bound
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._first = 0
        self._carries: list[list[np.ndarray]] = []
        self.cursor = 0

    def __len__(self) -> int:
        """Frames kept."""
        return len(self._frames)

    @property
    def first(self) -> int:
        """Number of the oldest frame kept; above 0 once the memory bound was met."""
        return self._first

    @property
    def last(self) -> int:
        """Number of the newest frame; -1 when there is none."""
        return self._first + len(self._frames) - 1

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return self._bytes

    @property
    def bound(self) -> int:
        """Memory to use at the most [bytes]."""
        return self._bound

    @property
    def at_end(self) -> bool:
        """Whether the newest frame is shown."""
        return self.cursor >= self.last

    def time(self, frame: int) -> float:
        """Simulated time of a frame [s]."""
        return self._frames[frame - self._first].time

    # -- writing --------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._bytes, self._first, self.cursor = 0, 0, 0
        self._carries = []

    def append(
        self,
        time: float,
        positions: Sequence[np.ndarray],
        velocities: Sequence[np.ndarray],
        timestep: float,
    ) -> None:
        """Keep the state after a step of `timestep` [s]; it becomes the frame shown.

        Args:
            positions, velocities: reduced coordinates of each body and their rates [1/s], (3, r); copied.
        """
        if not self._carries:
            self._carries = [[] for _ in positions]
        generations = tuple(len(carries) for carries in self._carries)
        previous = self._frames[-1] if self._frames else None
        kept = []
        for index, (position, velocity) in enumerate(zip(positions, velocities, strict=True)):
            follows = (
                previous is not None
                and previous.generations[index] == generations[index]
                and _close(velocity, (position - previous.positions[index]) / timestep)
            )
            # Implicit Euler's rates need not be kept; those of a frame after a jump must be.
            kept.append(None if follows else velocity.copy())
        frame = _Frame(time, tuple(p.copy() for p in positions), tuple(kept), generations)
        self._frames.append(frame)
        self._bytes += frame.bytes
        while self._bytes > self._bound and len(self._frames) > 1:
            self._give_up_oldest(timestep)
        self.cursor = self.last

    def truncate(self, frame: int) -> None:
        """Forget what comes after a frame, which becomes the frame shown."""
        while self.last > max(frame, self._first):
            self._bytes -= self._frames.pop().bytes
        self.cursor = self.last

    def carry(self, index: int, matrix: np.ndarray) -> None:
        """The body of this number has other handles now: its coordinates become `z @ matrix`, (r, r')."""
        if self._carries:
            self._carries[index].append(matrix)
            self._bytes += matrix.nbytes

    # -- reading --------------------------------------------------------------------------------------------

    def state(self, frame: int, timestep: float) -> WorldState:
        """The world's state at a frame, to go on from.

        Raises:
            IndexError: that frame is not kept.
        """
        return WorldState(
            self.time(frame),
            tuple(
                BodyState(torch.from_numpy(position), torch.from_numpy(velocity))
                for position, velocity in self._numbers(frame, timestep)
            ),
        )

    def copy(self) -> Timeline:
        """The same frames (which never change), to be read in another thread."""
        other = Timeline(self._bound)
        other._frames = self._frames.copy()
        other._bytes, other._first, other.cursor = self._bytes, self._first, self.cursor
        other._carries = [list(carries) for carries in self._carries]
        return other

    def _numbers(self, frame: int, timestep: float) -> list[tuple[np.ndarray, np.ndarray]]:
        if not self._first <= frame <= self.last:
            raise IndexError(f"Frame {frame} is not kept; there are {self._first} to {self.last}.")
        here = self._frames[frame - self._first]
        numbers = []
        for index, position in enumerate(here.positions):
            velocity = here.velocities[index]
            if velocity is None:
                velocity = (position - self._frames[frame - self._first - 1].positions[index]) / timestep
            for matrix in self._carries[index][here.generations[index] :]:
                position, velocity = position @ matrix, velocity @ matrix
            numbers.append((np.ascontiguousarray(position), np.ascontiguousarray(velocity)))
        return numbers

    def _give_up_oldest(self, timestep: float) -> None:
        gone, heir = self._frames[0], self._frames[1]
        velocities = tuple(
            (position - before) / timestep if velocity is None else velocity
            for position, before, velocity in zip(
                heir.positions, gone.positions, heir.velocities, strict=True
            )
        )
        # The new oldest frame has none before it to take its rates from.
        complete = _Frame(heir.time, heir.positions, velocities, heir.generations)
        self._bytes += complete.bytes - heir.bytes - gone.bytes
        self._frames.popleft()
        self._frames[0] = complete
        self._first += 1


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= 1e-9 * (1e-12 + np.abs(a).max(initial=0.0)))
