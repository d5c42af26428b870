"""Commands on motion: play, step, scrub, and what bodies are made of and fall through."""

from __future__ import annotations

from collections.abc import Sequence

from app.session.state import SessionState
from scenes.schema import MaterialChoice
from sim.body import Body


class SimulationCommands(SessionState):
    """Time, and the settings of the world."""

    # -- time -----------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Simulate on from what is shown; frames of the timeline after it are forgotten.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    def pause(self) -> None:
        """Hold time, of simulation and of playback.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    def step(self) -> None:
        """One time step, then hold.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Bodies back to their start, time and timeline to zero, hands open, pins where they hold at the start.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    def set_speed(self, speed: float) -> None:
        """Speed of simulation and playback: 1 is real time; from 0.01 to 10."""
        raise NotImplementedError

    # -- timeline -------------------------------------------------------------------------------------------

    @property
    def playing_back(self) -> bool:
        """Whether the timeline is being shown as a film."""
        raise NotImplementedError

    def seek(self, frame: int) -> None:
        """Show a frame of the timeline and hold time; out of range means the first or last one kept.

        Args:
            frame: from `timeline.first` to `timeline.last`.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    def play_back(self) -> None:
        """Show the timeline as a film from the frame shown (from the first when at the end), then hold.

        Raises:
            Refusal: there is nothing to show.
        """
        raise NotImplementedError

    def continue_from(self, frame: int) -> None:
        """Go to a frame, forget those after it and simulate on.

        Raises:
            Refusal: nothing is open.
        """
        raise NotImplementedError

    # -- settings of the world ------------------------------------------------------------------------------

    def set_material(self, body: Body, material: MaterialChoice) -> None:
        """Make a body of something else, at once; regions of other material stay. Can be undone.

        Args:
            material: a preset's name (sim.material.PRESETS), or `scenes.schema.MaterialValues(young=..., poisson=...,
                density=...)`. Values from a slider until `settle` are one step for undo.

        Raises:
            MaterialError: an unknown name or impossible values; nothing is changed.
        """
        raise NotImplementedError

    def set_gravity(self, gravity: Sequence[float]) -> None:
        """Acceleration [m/s2], three numbers.

        Raises:
            Refusal: nothing is open. WorldError: not three finite numbers.
        """
        raise NotImplementedError

    def set_floor(self, height: float | None, friction: float = 0.5) -> None:
        """A floor at `height` [m] with Coulomb friction, or none. What there is now: `scene.floor`.

        Raises:
            Refusal: nothing is open. WorldError: impossible values.
        """
        raise NotImplementedError

    def set_damping(self, body: Body, mass: float = 0.0, stiffness: float = 0.0) -> None:
        """Rayleigh damping: of all motion [1/s], and of changes of shape [s].

        Raises:
            Refusal: nothing is open. WorldError: negative or not finite.
        """
        raise NotImplementedError
