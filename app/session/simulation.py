"""Commands on motion: play, step, scrub, and what bodies are made of and fall through."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.session.state import SessionState
from scenes.schema import DampingValues, FloorPart, MaterialChoice
from sim.body import Body
from sim.errors import WorldError
from sim.incremental_potential import Damping

_BUDGET = 0.012  # seconds of stepping in a frame: the rest is for drawing and for training
_LONGEST_FRAME = 0.25  # after a longer pause (a dialog, a sleeping laptop) the lost time is not caught up
_LONGEST_STEP = 0.1  # [s] a step that needs longer ends where it is: the window must be drawn
_SMOOTHING = 0.1  # weight of the newest value in smoothed figures
_SPEEDS = (0.01, 10.0)


class SimulationCommands(SessionState):
    """Time, and the settings of the world."""

    # -- time -----------------------------------------------------------------------------------------------

    _why_not_play = _why_not_pause = _why_not_step = _why_not_reset = SessionState._needs_world
    _why_not_seek = _why_not_continue_from = SessionState._needs_world
    _why_not_set_material = _why_not_set_gravity = SessionState._needs_world
    _why_not_set_floor = _why_not_set_damping = SessionState._needs_world

    def play(self) -> None:
        """Simulate on from what is shown; frames of the timeline after it are forgotten.

        Raises:
            Refusal: nothing is open.
        """
        self._require("play")
        self._playing_back = False
        self.timeline.truncate(self.timeline.cursor)
        self._owed = 0.0
        self.simulation = "playing"

    def pause(self) -> None:
        """Hold time, of simulation and of playback.

        Raises:
            Refusal: nothing is open.
        """
        self._require("pause")
        self._playing_back = False
        if self.simulation == "playing":
            self.simulation = "paused"

    def step(self) -> None:
        """One time step, then hold.

        Raises:
            Refusal: nothing is open.
        """
        self._require("step")
        self.play()
        self.simulation = "paused"
        self._step_once()

    def reset(self) -> None:
        """Bodies back to their start, time and timeline to zero, hands open, pins where they hold at the start.

        Raises:
            Refusal: nothing is open.
        """
        self._require("reset")
        self.world.reset()
        self._playing_back = False
        self.simulation = "stopped"
        self._run += 1
        # Led handles are hands, too; pins stay.
        self._history.settle()
        present = self._history.present
        for grip in self._arranger.grips.values():
            grip.release()
        self._arranger.grips.clear()
        self._history.replace(replace(present, grips=()))
        self._begin_timeline()

    def set_speed(self, speed: float) -> None:
        """Speed of simulation and playback: 1 is real time; cut to 0.01 to 10."""
        if np.isfinite(speed):
            self.speed = min(max(float(speed), _SPEEDS[0]), _SPEEDS[1])

    # -- timeline -------------------------------------------------------------------------------------------

    @property
    def playing_back(self) -> bool:
        """Whether the timeline is being shown as a film."""
        return self._playing_back

    def seek(self, frame: int) -> None:
        """Show a frame of the timeline and hold time; out of range means the first or last one kept.

        Args:
            frame: from `timeline.first` to `timeline.last`.

        Raises:
            Refusal: nothing is open.
        """
        self._require("seek")
        self.pause()
        self._show(frame)

    def _why_not_play_back(self) -> str | None:
        if len(self.timeline) < 2:
            return "Nothing has been simulated yet, so there is nothing to show."
        return self._needs_world()

    def play_back(self) -> None:
        """Show the timeline as a film from the frame shown (from the first when at the end), then hold.

        Raises:
            Refusal: there is nothing to show.
        """
        self._require("play_back")
        self.pause()
        if self.timeline.at_end:
            self._show(self.timeline.first)
        self._owed = 0.0
        self._playing_back = True

    def continue_from(self, frame: int) -> None:
        """Go to a frame, forget those after it and simulate on.

        Raises:
            Refusal: nothing is open.
        """
        self._require("continue_from")
        self.seek(frame)
        self.play()

    def _show(self, frame: int) -> None:
        frame = min(max(int(frame), self.timeline.first), self.timeline.last)
        if frame != self.timeline.cursor:
            self.world.set_state(self.timeline.state(frame, self.world.timestep))
            self.timeline.cursor = frame
            self.motion_version += 1

    def _begin_timeline(self) -> None:
        """Frame 0 is where the world is now."""
        self.timeline.clear()
        self.energies.clear()
        self._keep_frame()
        self._owed = 0.0
        self.slow_motion = 1.0
        self.motion_version += 1

    def _keep_frame(self) -> None:
        positions = [body.position for body in self.bodies]
        velocities = [body.velocity for body in self.bodies]
        self.timeline.append(self.world.time, positions, velocities, self.world.timestep)

    # -- letting time go on ---------------------------------------------------------------------------------

    def _advance(self, seconds: float) -> None:
        """Let `seconds` of wall time pass."""
        if self.world is None or not (self.simulation == "playing" or self._playing_back):
            return
        wished = min(max(seconds, 0.0), _LONGEST_FRAME) * self.speed
        self._owed += wished
        if self._playing_back:
            self._advance_film()
            return
        h = self.world.timestep
        began = time.perf_counter()
        taken = 0
        while self._owed >= h and self.simulation == "playing":
            spent = time.perf_counter() - began
            if taken and spent * (taken + 1) / taken > _BUDGET:
                break
            self._step_once()
            self._owed -= h
            taken += 1
        lost = max(0.0, self._owed - h)
        self._owed -= lost
        if wished > 0:
            reached = 1.0 - min(1.0, lost / wished)
            self.slow_motion += _SMOOTHING * (reached - self.slow_motion)
            if reached == 1.0 and self.slow_motion > 0.99:
                self.slow_motion = 1.0

    def _advance_film(self) -> None:
        timeline = self.timeline
        frame = timeline.cursor
        while frame < timeline.last and self._owed >= (
            gap := timeline.time(frame + 1) - timeline.time(frame)
        ):
            self._owed -= gap
            frame += 1
        self._show(frame)
        if timeline.at_end:
            self._playing_back = False

    def _step_once(self) -> None:
        """A step into the timeline; whatever goes wrong becomes a notice, and time holds."""
        world = self.world
        try:
            report = world.step(at_most=_LONGEST_STEP)
            if not all(np.isfinite(body.position).all() for body in world.bodies):
                raise WorldError("A step gave positions that are not numbers; the last good ones are shown.")
        except Exception as error:  # a step must not take the window down
            self.simulation = "paused"
            self.notify_exception(error, "taking a simulation step")
            if len(self.timeline):
                world.set_state(self.timeline.state(self.timeline.last, world.timestep))
            return
        self._keep_frame()
        self.energies.append(world.time, report.kinetic, report.elastic, report.potential)
        milliseconds = 1e3 * report.seconds
        smooth = _SMOOTHING if self.step_ms else 1.0
        self.step_ms += smooth * (milliseconds - self.step_ms)
        self.iterations = report.iterations
        self.motion_version += 1
        if report.message:
            self.notify("warning", report.message)

    # -- settings of the world ------------------------------------------------------------------------------

    def set_material(self, body: Body, material: MaterialChoice) -> None:
        """Make a body of something else, at once; regions of other material stay. Can be undone.

        Args:
            material: a preset's name (sim.material.PRESETS), or `scenes.schema.MaterialValues(young=..., poisson=...,
                density=...)`. Values from a slider until `settle` are one step for undo.

        Raises:
            MaterialError: an unknown name or impossible values; nothing is changed.
        """
        self._require("set_material")
        index = self._index(body)
        present = self._history.present
        if material == present.materials[index]:
            return
        materials = list(present.materials)
        materials[index] = material
        after = replace(present, materials=tuple(materials))
        self._arranger.apply(present, after, run=self._run)
        self._history.push(after, gesture=("material", index))
        self._edit_body(index, material=material)

    def set_gravity(self, gravity: Sequence[float]) -> None:
        """Acceleration [m/s2], three numbers.

        Raises:
            Refusal: nothing is open. WorldError: not three finite numbers.
        """
        self._require("set_gravity")
        self.world.gravity = gravity
        self._edit(gravity=tuple(self.world.gravity.tolist()))

    def set_floor(self, height: float | None, friction: float = 0.5) -> None:
        """A floor at `height` [m] with Coulomb friction, or none. What there is now: `scene.floor`.

        Raises:
            Refusal: nothing is open. WorldError: impossible values.
        """
        self._require("set_floor")
        self.world.floor(height, friction)
        floor = None if height is None else FloorPart(height=float(height), friction=float(friction))
        self._edit(floor=floor)

    def set_damping(self, body: Body, mass: float = 0.0, stiffness: float = 0.0) -> None:
        """Rayleigh damping: of all motion [1/s], and of changes of shape [s].

        Raises:
            Refusal: nothing is open. WorldError: negative or not finite.
        """
        self._require("set_damping")
        index = self._index(body)
        values = np.array([mass, stiffness], dtype=np.float64)
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise WorldError(f"Damping is two finite numbers of 0 or more, got {mass!r} and {stiffness!r}.")
        body.damping = Damping(mass=float(mass), stiffness=float(stiffness))
        self._edit_body(index, damping=DampingValues(mass=float(mass), stiffness=float(stiffness)))

    # -- for drawing ----------------------------------------------------------------------------------------

    def positions(self, body: Body) -> np.ndarray:
        """Vertex positions to draw [m], float32, shape (V, 3): never NaN, computed once a motion.

        When something is wrong with them, the last good ones are given and a notice says so.
        """
        kept = self._shown.get(body)
        if kept is not None and kept[0] == self.motion_version:
            return kept[1]
        points = body.positions().cpu().numpy()
        if not np.isfinite(points).all():
            self.notify("error", f"{body.name} has positions that are not numbers; reset the simulation.")
            points = kept[1] if kept is not None else body.shape.vertices.numpy().astype(np.float32)
        self._shown[body] = (self.motion_version, points)
        return points
