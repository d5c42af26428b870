"""The session's state, in one place, and how commands refuse what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.jobs import Worker
from app.notices import Kind, Notice, Notices
from app.session.views import Energies, LoadingView, SimulationState, Status, Tool, TrainingView
from app.settings import Settings
from app.timeline import Timeline
from scenes.schema import Scene
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
        self.camera = None
        self.scene_version = 0
        self.weights_version = 0
        self.motion_version = 0
        self._refusals: dict[str, Callable[[], str | None]] = {}

    @property
    def bodies(self) -> tuple[Body, ...]:
        """In the scene's order."""
        return self.world.bodies if self.world is not None else ()

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
        check = self._refusals.get(command)
        return check() if check is not None else None

    def _require(self, command: str) -> None:
        reason = self.can(command)
        if reason is not None:
            raise Refusal(reason)

    def _needs_world(self) -> str | None:
        return None if self.world is not None else "Open a mesh or a scene first."
