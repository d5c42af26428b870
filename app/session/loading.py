"""Commands on files: open, cancel, close, save."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from app.arrangement import Arranger, arrangement_of, replace_part
from app.jobs import Failed, Finished, Job, JobContext, Message
from app.loading_job import LoadedWeights, LoadedWorld, Stage, kind_of, load_tensors, load_world
from app.session.state import Refusal, SessionState
from app.session.views import LoadingView, TrainingView
from app.training_job import NewWeights
from app.undo import UndoHistory
from scenes.save import save_scene, scene_text
from scenes.schema import PinRegion, Scene
from scenes.shipped import find_scene
from sim.basis import HandleBasis
from sim.body import Body, PreparedBasis
from sim.errors import SceneError
from sim.trajectory import Trajectory


class LoadingCommands(SessionState):
    """Opening and saving. Reading happens in the worker; see app/loading_job.py."""

    def open(
        self,
        path: str | os.PathLike,
        *,
        size: float | None = None,
        scale: float | None = None,
        up: Literal["y", "z"] = "y",
    ) -> None:
        """Open a scene (.yaml or a shipped scene's name), a mesh, handle weights (.safetensors, for the selected
        body), or a recorded motion. Returns at once; `loading` tells how far it is, a notice what came of it.

        What is open stays and goes on moving until the new one is there. Training is stopped first.

        Args:
            size: longest side of a mesh [m]. scale: metres per unit of its file. Without either the unit is
                guessed from the numbers, and a notice says so (`app.mesh_units`). up: the mesh's upward axis.

        Raises:
            StudioError: no such scene, or a kind of file that cannot be opened. What is wrong inside a file comes
                as a notice.
        """
        file = Path(path) if Path(path).suffix else find_scene(path)
        kind = kind_of(file)
        device, body = str(self.device), self.selected_body

        def job(context: JobContext) -> LoadedWorld | LoadedWeights:
            if kind == "tensors":
                return load_tensors(context, file, body, device=device)
            return load_world(context, file, device=device, size=size, scale=scale, up=up)

        self.loading = LoadingView(file.name, "waiting for the last job to end")
        self.status = "loading"
        self._opening += 1
        self._worker.cancel()
        self._when_free(lambda: self._begin_loading(file, job))

    def _why_not_cancel_loading(self) -> str | None:
        return None if self.loading is not None else "Nothing is being opened."

    def cancel_loading(self) -> None:
        """Stop opening; what was open stays.

        Raises:
            Refusal: nothing is being opened.
        """
        self._require("cancel_loading")
        self._opening += 1
        self._next_job = None
        self._worker.cancel()
        self._end_loading()

    def close_scene(self) -> None:
        """Back to the empty window; training is stopped, unsaved changes are lost (ask when `dirty`)."""
        self._opening += 1
        self._next_job = None
        self._worker.cancel()
        self.loading = None
        self._adopt(None, None, None)
        self.status = "empty"

    def _why_not_save_scene(self) -> str | None:
        return self._needs_world()

    def save_scene(self, path: str | os.PathLike | None = None) -> Path:
        """Write the scene as YAML, and weights that are in no file yet beside it; opening the file again gives the
        same bodies, materials, pins, floor, gravity and camera, at their start.

        Args:
            path: where to; None where it came from.

        Returns:
            Where it was written.

        Raises:
            Refusal: nothing is open, or no path is known. SceneError, BasisError: it cannot be written.
        """
        self._require("save_scene")
        file = Path(path) if path is not None else self.scene_path
        if file is None:
            raise Refusal("Say where to save this scene: it came from a mesh.")
        if file.suffix.lower() not in (".yaml", ".yml"):
            file = file.with_name(f"{file.name}.yaml")
        file = file.absolute()
        if not file.parent.is_dir():
            raise SceneError(f"There is no folder {file.parent} to save the scene in.")
        for index, (body, part) in enumerate(zip(self.bodies, self.scene.bodies, strict=True)):
            if body in self._trained:
                weights = _own_file(file, body.name, part.weights)
                self._trained.pop(body).save(weights)
                self._edit_body(index, weights=str(weights))
        scene = self.current_scene()
        save_scene(scene, file)
        self.scene_path = file
        self.dirty = self._edited = False
        self.settings.remember(file)
        return file

    def current_scene(self) -> Scene:
        """The scene with the pins and the camera as they are now: what `save_scene` writes.

        Raises:
            Refusal: nothing is open.
        """
        self._require("save_scene")
        pins = self._history.present.pins
        parts = []
        for index, part in enumerate(self.scene.bodies):
            mine = [record for record in pins if record.body == index]
            held = {record.region for record in mine}
            regions = []
            for number, region in enumerate(part.regions):
                if region.pinned and number not in held:
                    if region.material is None:
                        continue  # it was there to pin, and no longer does
                    region = replace_part(region, pinned=False)
                regions.append(region)
            own = tuple(
                PinRegion(where=record.where, stiffness=record.stiffness)
                for record in mine
                if record.region is None
            )
            parts.append(replace_part(part, regions=tuple(regions), pins=own))
        return replace_part(self.scene, bodies=tuple(parts), camera=self.camera)

    def _why_not_save_motion(self) -> str | None:
        if len(self.timeline) < 2:
            return "Nothing has been simulated yet, so there is no motion to save."
        return "Wait until training or opening has ended." if self._worker.busy else None

    def save_motion(self, path: str | os.PathLike) -> None:
        """Write the timeline as a recorded motion (.safetensors), in the worker; a notice says when it is there.

        Raises:
            Refusal: nothing was simulated, or another job is running.
        """
        self._require("save_motion")
        file = Path(path).absolute()
        if file.suffix.lower() != ".safetensors":
            file = file.with_name(f"{file.name}.safetensors")
        bodies, h = self.bodies, self.world.timestep
        timeline, scene = self.timeline.copy(), self.current_scene()

        def job(context: JobContext) -> Path:
            # Handles are exchanged by jobs only, so the bodies' do not change while this one runs.
            frames = range(timeline.first, timeline.last + 1)
            states = (timeline.state(frame, h) for frame in frames)
            text = scene_text(scene, file.parent)
            Trajectory.of(bodies, states, timestep=h, scene_text=text).save(file)
            return file

        def on_message(message: Message) -> None:
            if isinstance(message, Failed):
                self.notify_exception(message.error, f"saving {file.name}")
            elif isinstance(message, Finished):
                self.notify("info", f"The motion is in {file.name}.")

        self._start_job(job, "saving", on_message)

    # -- taking in what was loaded --------------------------------------------------------------------------

    def _begin_loading(self, file: Path, job: Job) -> None:
        self.loading = LoadingView(file.name)
        self.status = "loading"

        wish = self._opening

        def on_message(message: Message) -> None:
            if (
                wish == self._opening
            ):  # else it was cancelled, or another file is wanted: nobody waits for this
                self._on_loading(file, message)

        self._start_job(job, "loading", on_message)

    def _on_loading(self, file: Path, message: Message) -> None:
        if isinstance(message, Failed):
            self._end_loading()
            if not message.cancelled:
                self.status = "ready" if self.world is not None else "error"
                self.notify_exception(message.error, f"opening {file.name}")
        elif isinstance(message, Finished):
            self._end_loading()
            if isinstance(message.result, LoadedWorld):
                self._take_world(message.result, file)
            elif isinstance(message.result, LoadedWeights):
                self._take_loaded_weights(message.result)
        elif isinstance(message.value, Stage):
            self.loading = LoadingView(file.name, message.value.text, message.value.fraction)

    def _end_loading(self) -> None:
        self.loading = None
        self.status = "ready" if self.world is not None else "empty"

    def _take_world(self, loaded: LoadedWorld, file: Path) -> None:
        self._adopt(loaded.scene, loaded.path, loaded.world)
        self.status = "ready"
        if loaded.timeline is None:
            self.simulation = "playing"
        else:
            self.timeline = loaded.timeline
            self.simulation = "paused"
            self.timeline.cursor = -1  # none of its frames is shown yet
            self._show(self.timeline.first)
        self.settings.remember(file)
        for remark in loaded.remarks:
            self.notify("info", remark)
        if loaded.untrained:
            names = ", ".join(self.bodies[index].name for index in loaded.untrained)
            self.notify(
                "info", f"{names} can be pulled at once with untrained handles; Train makes them better."
            )

    def _adopt(self, scene: Scene | None, path: Path | None, world) -> None:
        """Show another world, or none."""
        self.scene, self.scene_path, self.world = scene, path, world
        self.dirty, self._edited = scene is not None and path is None, False
        self.camera = scene.camera if scene is not None else None
        self.selected_body = world.bodies[0] if world is not None and world.bodies else None
        self.selected_handle = 0
        self.simulation = "stopped"
        self.training = TrainingView(live_weights=self.training.live_weights)
        self._playing_back = False
        self._trained.clear()
        self._shown.clear()
        self._run = 0
        self.step_ms, self.iterations = 0.0, 0
        if scene is None:
            self._arranger, self._history = None, UndoHistory(type(self._history.present)())
            self.timeline.clear()
            self.energies.clear()
        else:
            arrangement = arrangement_of(scene, lambda: next(self._keys))
            pins = {r.key: pin for r, pin in zip(arrangement.pins, world.pins, strict=True)}
            self._arranger = Arranger(scene, world, pins)
            self._history = UndoHistory(arrangement)
            self._begin_timeline()
        self.scene_version += 1
        self.weights_version += 1
        self.motion_version += 1

    def _take_loaded_weights(self, loaded: LoadedWeights) -> None:
        if loaded.body not in self.bodies:
            return
        self._exchange(loaded.body, loaded.prepared)
        self._trained.pop(loaded.body, None)
        index = self._index(loaded.body)
        handles = max(loaded.body.basis.handles, 1)
        self._edit_body(index, weights=str(loaded.path.absolute()), handles=handles)
        self.notify("info", f"{loaded.body.name} has the weights of {loaded.path.name} now.")

    def _take_weights(self, body: Body, new: NewWeights) -> None:
        """Put trained weights into a moving body."""
        if body not in self.bodies:
            return
        self._exchange(body, new.prepared)
        self._trained[body] = new.kept
        # As many as were asked for: training may have dropped some that were of no use.
        self._edit_body(self._index(body), handles=max(self.training.handles, new.kept.handles))

    def _exchange(self, body: Body, basis: HandleBasis | PreparedBasis) -> None:
        """Other handles for a moving body; its motion, hands and timeline go on."""
        index = self._index(body)
        self.timeline.carry(index, self.world.set_basis(body, basis))
        points = body.basis.handle_points
        present = self._history.present
        # The handles have moved: a led region belongs to the one that is nearest now.
        self._history.replace(
            replace(
                present,
                grips=tuple(
                    replace(grip, handle=_nearest(points, grip.centre)) if grip.body == index else grip
                    for grip in present.grips
                ),
            )
        )
        if body is self.selected_body:
            self.selected_handle = min(self.selected_handle, body.basis.handles - 1)
        self.weights_version += 1
        self.motion_version += 1


def _nearest(points, centre: np.ndarray) -> int:
    return -1 if points is None else int(np.linalg.norm(points.numpy() - centre, axis=1).argmin())


def _own_file(scene_file: Path, name: str, present: str | None) -> Path:
    """Where a body's weights go: beside the scene, over no file but its own."""
    words = re.sub(r"[^\w.-]+", "_", name).strip("._")[:60] or "body"
    for number in itertools.count(1):
        suffix = f"-{number}" if number > 1 else ""
        file = scene_file.with_name(f"{scene_file.stem}-{words}{suffix}.safetensors")
        if not file.exists() or str(file) == present:
            return file
    raise AssertionError("count() has no end")
