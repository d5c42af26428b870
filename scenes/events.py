"""Scripted hands: where each one is at a time, and what that does to a world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenes.schema import Event
from sim.errors import SceneError
from sim.hands import Grab
from sim.world import World


def hand_position(event: Event, time: float) -> np.ndarray | None:
    """Where the hand of `event` is at `time` [s].

    Returns:
        World position [m], shape (3,), on the piecewise linear path, equal time for each leg; None while
        the hand is open (before `at`, from `until` on).
    """
    if not event.at <= time < event.until:
        return None
    path = np.array(event.path, dtype=np.float64)
    progress = (time - event.at) / (event.until - event.at) * (len(path) - 1)
    leg = np.arange(len(path))
    return np.array([np.interp(progress, leg, path[:, axis]) for axis in range(3)])


class ScriptedHands:
    """Plays events on a world. Call `follow` before each `world.step()`.

    The world's clock alone decides: after `world.reset()` the hands begin again.

    Raises:
        SceneError: an event names a body that the world does not have.
    """

    def __init__(self, world: World, events: Sequence[Event]) -> None:
        bodies = {body.name: body for body in world.bodies}
        for index, event in enumerate(events):
            if event.grab.body not in bodies:
                raise SceneError(
                    f"events[{index}].grab.body: there is no body {event.grab.body!r}; "
                    f"there are {', '.join(map(repr, bodies))}."
                )
        self._world = world
        self._events = tuple(events)
        self._bodies = [bodies[event.grab.body] for event in events]
        self._grabs: list[Grab | None] = [None] * len(events)

    @property
    def positions(self) -> tuple[np.ndarray | None, ...]:
        """Where each event's hand is now [m], None where it is open."""
        return tuple(hand_position(event, self._clock) for event in self._events)

    def follow(self) -> None:
        """Take hold, move or let go, as the script says for the world's time."""
        for index, target in enumerate(self.positions):
            grab = self._grabs[index]
            if grab is not None and grab not in self._world.grabs:  # the world was reset, or its body is gone
                grab = None
            if target is None:
                if grab is not None:
                    grab.release()
                    grab = None
            else:
                if grab is None:
                    event = self._events[index].grab
                    grab = self._world.grab(
                        self._bodies[index], event.point, event.radius, strength=event.strength
                    )
                grab.move_to(target)
            self._grabs[index] = grab

    @property
    def _clock(self) -> float:
        # A sum of time steps falls short of round times by rounding; a millionth of a step makes up for it.
        return self._world.time + 1e-6 * self._world.timestep
