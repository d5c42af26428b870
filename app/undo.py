"""Undo: a line of states, one of them the present; gestures that go on are one step."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

State = TypeVar("State")

_MOST = 200


class UndoHistory(Generic[State]):
    """States that can be gone back to and forward again; `State` is any immutable value.

    Args:
        present: the state to begin with.
    """

    def __init__(self, present: State) -> None:
        self._past: list[State] = []
        self._present = present
        self._future: list[State] = []
        self._gesture: Hashable | None = None

    @property
    def present(self) -> State:
        return self._present

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def push(self, state: State, *, gesture: Hashable | None = None) -> None:
        """A new present; what was undone is forgotten.

        Args:
            gesture: pushes with the same one, until `settle`, count as one step.
        """
        if gesture is None or gesture != self._gesture:
            self._past = [*self._past, self._present][-_MOST:]
        self._present, self._future, self._gesture = state, [], gesture

    def replace(self, state: State) -> None:
        """Change the present without a step: for what happened by itself."""
        self._present = state

    def settle(self) -> None:
        """The gesture is over: the next push is a step of its own."""
        self._gesture = None

    def undo(self) -> State:
        """Go back a step; stays where it is at the beginning."""
        self.settle()
        if self._past:
            self._future.append(self._present)
            self._present = self._past.pop()
        return self._present

    def redo(self) -> State:
        """Go forward a step; stays where it is at the end."""
        self.settle()
        if self._future:
            self._past.append(self._present)
            self._present = self._future.pop()
        return self._present
