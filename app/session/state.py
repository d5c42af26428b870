"""The session's state, in one place, and how commands refuse what makes no sense."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from app.arrangement import Arrangement, Arranger, replace_part
from app.jobs import Job, Message, Worker
from app.notices import Kind, Notice, Notices
from app.session.views import Energies, LoadingView, SimulationState, Status, Tool, TrainingView
from app.settings import Settings
from app.timeline import Timeline
from app.training_job import TrainingControl
from app.undo import UndoHistory
from scenes.schema import Camera, Scene
from sim.basis import HandleBasis
from sim.body import Body
from sim.device import resolve_device
from sim.errors import StudioError
from sim.world import World

Result = TypeVar("Result")


class Refusal(StudioError):
    """A command makes no sense now; the message says why, in a sentence for a tooltip."""


class SessionState:
    """All that the window shows. Panels read these attributes and call commands; they set none of them but
    `tool`, `selected_handle`, `pull_strength` and `camera`. Main thread only.

    Attributes:
        device: where bodies compute. settings: what is kept from run to run.
        scene: the scene as it was opened, with the person's changes but pins (see `save_scene`); None when empty.
        scene_path: the YAML file it came from or was saved to; None for a bare mesh. dirty: whether it was changed.
        world: what moves, or None. bodies: its bodies, in the scene's order.
        status: "empty", "loading", "ready" or "error". loading: how far, while a file is on its way in.
        training: how training stands. simulation: "stopped" (at its start), "playing" or "paused".
        tool: what a left drag does. speed: of the simulation, 1 is real time. slow_motion: share of the wished
            speed that is reached, 1 unless the machine is too slow. pull_strength: of grabs, 1 lifts a body well.
        step_ms: of a simulation step, smoothed [ms]. iterations: of the last step. energies: for the plot.
        timeline: what was simulated since the last reset.
        selected_body, selected_handle: what weight fields show and training trains.
        camera: where the picture is taken from, `scenes.schema.Camera`: set on loading, read by `save_scene`; the
            viewer keeps it up to date.
        scene_version: grows when other bodies were loaded. weights_version: when handle weights changed.
        motion_version: when positions may have changed: nothing need be drawn anew while it stays.
    """

    def __init__(self, device: str = "auto", settings: Settings | None = None) -> None:
        self.device = resolve_device(device)
        self.settings = settings if settings is not None else Settings.load()
        self._notices = Notices()
        self._worker = Worker()
        self.scene: Scene | None = None
        self.scene_path: Path | None = None
        self.dirty = False
        self._edited = False
        self.world: World | None = None
        self.status: Status = "empty"
        self.loading: LoadingView | None = None
        self.training = TrainingView()
        self.simulation: SimulationState = "stopped"
        self.tool: Tool = "pull"
        self.speed = 1.0
        self.slow_motion = 1.0
        self.pull_strength = 1.0
        self.step_ms = 0.0
        self.iterations = 0
        self.energies = Energies()
        self.timeline = Timeline()
        self.selected_body: Body | None = None
        self.selected_handle = 0
        self.camera: Camera | None = None
        self.scene_version = 0
        self.weights_version = 0
        self.motion_version = 0
        self._owed = 0.0  # simulated time still to be stepped or shown [s]
        self._playing_back = False
        self._shown: dict[Body, tuple[int, np.ndarray]] = {}
        self._control: TrainingControl | None = None
        self._on_message: Callable[[Message], None] | None = None
        self._opening = 0  # number of the wish to open a file that is served now
        self._next_job: Callable[[], None] | None = None
        self._arranger: Arranger | None = None
        self._history = UndoHistory(Arrangement())
        self._keys = itertools.count()
        self._run = 0
        self._trained: dict[Body, HandleBasis] = {}

    @property
    def bodies(self) -> tuple[Body, ...]:
        """In the scene's order."""
        return self.world.bodies if self.world is not None else ()

    @property
    def unsaved(self) -> bool:
        """Whether something the person did is in no file: a mesh that was only opened is `dirty`, but not this."""
        return self.world is not None and self.dirty and self._edited

    # -- messages -------------------------------------------------------------------------------------------

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Messages on show, oldest first."""
        return self._notices.shown

    def notify(self, kind: Kind, text: str, detail: str = "") -> None:
        """Show a message to the person."""
        self._notices.add(kind, text, detail)

    def notify_exception(self, error: BaseException, doing: str) -> None:
        """Show what went wrong while `doing` (a clause: "drawing the train panel"), with a detail to copy."""
        self._notices.add_exception(error, doing=doing)

    def dismiss(self, notice: Notice) -> None:
        """Take a message away."""
        self._notices.dismiss(notice)

    def attempt(self, command: Callable[..., Result], *args: Any, **kwargs: Any) -> Result | None:
        """Run a command as a button does: whatever goes wrong becomes a notice, and None is returned."""
        try:
            return command(*args, **kwargs)
        except Exception as error:  # the border between a button and the program
            name = getattr(command, "__name__", "a command").replace("_", " ")
            self.notify_exception(error, f"doing {name!r}")
            return None

    # -- refusing -------------------------------------------------------------------------------------------

    def can(self, command: str) -> str | None:
        """None when a command makes sense now, else a sentence that says why not (a grey button's tooltip).

        Args:
            command: the method's name, e.g. "train".
        """
        check = getattr(self, f"_why_not_{command}", None)
        return check() if check is not None else None

    def _require(self, command: str) -> None:
        reason = self.can(command)
        if reason is not None:
            raise Refusal(reason)

    def _needs_world(self) -> str | None:
        return None if self.world is not None else "Open a mesh or a scene first."

    # -- for the commands -----------------------------------------------------------------------------------

    def _index(self, body: Body) -> int:
        """A body's number in the scene."""
        if body not in self.bodies:
            raise Refusal("That body is no longer there.")
        return self.bodies.index(body)

    def _edit(self, **values) -> None:
        """Change the scene's own values."""
        if self.scene is not None:
            self.scene = replace_part(self.scene, **values)
            self._mark_edited()

    def _mark_edited(self) -> None:
        self.dirty = self._edited = True

    def _edit_body(self, index: int, **values) -> None:
        """Change the values of one of the scene's bodies."""
        if self.scene is not None:
            parts = list(self.scene.bodies)
            parts[index] = replace_part(parts[index], **values)
            self._edit(bodies=tuple(parts))

    def _start_job(self, job: Job, name: str, on_message: Callable[[Message], None]) -> None:
        """Run a job; what it says comes to `on_message`, in the main thread, from the next tick on."""
        self._worker.start(job, name=name)
        self._on_message = on_message

    def _when_free(self, begin: Callable[[], None]) -> None:
        """Begin at once, or when the job that runs has ended; a later wish replaces an earlier one."""
        if self._worker.busy:
            self._next_job = begin
        else:
            begin()

    def _poll_worker(self) -> None:
        for message in self._worker.poll():
            handle = self._on_message
            try:
                if handle is not None:
                    handle(message)
            except Exception as error:  # a result that cannot be used must not take the window down
                self.notify_exception(error, "taking in what was computed")
        if not self._worker.busy:
            begin, self._next_job = self._next_job, None
            if begin is not None:
                self.attempt(begin)
