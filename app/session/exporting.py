"""Commands that bring what was simulated into other files: geometry for other tools, films of any size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.export import export, export_format
from app.film_files import check_film, film_kind
from app.jobs import Failed, Finished, JobContext, Message, Report
from app.motion import RecordedMotion
from app.session.state import SessionState
from scenes.save import scene_text
from scenes.schema import Camera
from sim.errors import StudioError
from sim.trajectory import Trajectory


@dataclass(frozen=True)
class ExportView:
    """An export on its way.

    Attributes:
        name: of the file. stage: what is being done, a clause. fraction: 0 to 1.
    """

    name: str
    stage: str
    fraction: float = 0.0


class ExportCommands(SessionState):
    """Geometry and films of the timeline, made in the worker.

    Attributes:
        exporting: how far, or None.
    """

    exporting: ExportView | None = None

    def _why_not_export_motion(self) -> str | None:
        if len(self.timeline) < 2:
            return "Nothing has been simulated yet, so there is no motion to export."
        return "Wait until training, opening or another export has ended." if self._worker.busy else None

    def export_motion(
        self, path: str | os.PathLike, *, format: str | None = None, fps: float | None = None
    ) -> None:
        """Write the timeline for other tools (see `app.export`), in the worker; a notice says when it is there.

        Args:
            format: a key of `app.export.FORMATS`; from the name when None. fps: frames a second; as it was
                simulated when None.

        Raises:
            Refusal: nothing was simulated, or another job is running. StudioError: a name that fits no format.
        """
        self._require("export_motion")
        file = Path(path).absolute()
        chosen = export_format(file, format)
        rate = fps if fps is not None else 1 / self.world.timestep
        motion_of = self._recorded_motion(file.parent)

        def job(context: JobContext) -> Path:
            motion = RecordedMotion(motion_of(context), folder=file.parent)
            frames = int(motion.seconds * rate + 1e-6) + 1

            def tell(frame: int) -> None:
                context.check()
                context.report(ExportView(file.name, f"writing {chosen}", (frame + 1) / frames))

            return export(motion, file, seconds=motion.seconds, fps=rate, format=chosen, on_frame=tell)

        self._begin_export(job, ExportView(file.name, "gathering the motion"))

    def _why_not_film_motion(self) -> str | None:
        return self._why_not_export_motion()

    def film_motion(
        self,
        path: str | os.PathLike,
        *,
        size: tuple[int, int],
        fps: float,
        turn: float = 0.0,
        transparent: bool = False,
    ) -> None:
        """Film the timeline from the present camera at any size, in a process of its own that needs no window.

        Args:
            path: see `app.film_files.KINDS`. size: [px]. fps: frames a second. turn: seconds for the camera to go
                round once, 0 leaves it. transparent: without background.

        Raises:
            Refusal: nothing was simulated, or another job is running. StudioError: no such film can be made.
        """
        self._require("film_motion")
        file = Path(path).absolute()
        check_film(film_kind(file), size, fps, transparent)
        camera: Camera | None = self.camera
        motion_of = self._recorded_motion(file.parent)

        def job(context: JobContext) -> Path:
            with tempfile.TemporaryDirectory(prefix="simplicits-") as folder:
                recorded = Path(folder) / "motion.safetensors"
                motion_of(context).save(recorded)
                context.report(ExportView(file.name, "drawing the film"))
                command = [sys.executable, "-m", "app.cli", "replay", str(recorded), "-o", str(file)]
                command += ["--size", f"{size[0]}x{size[1]}", "--fps", repr(fps)]
                if camera is not None:
                    numbers = ",".join(map(repr, (*camera.position, *camera.look_at)))
                    command.append(f"--camera={numbers}")
                if turn:
                    command += [f"--turntable={turn}"]
                if transparent:
                    command.append("--transparent")
                _run(command, context)
            return file

        self._begin_export(job, ExportView(file.name, "gathering the motion"))

    def cancel_export(self) -> None:
        """Stop exporting; no half-written file is left. Does nothing when there is none."""
        if self.exporting is not None:
            self._worker.cancel()

    # -- inside ---------------------------------------------------------------------------------------------

    def _recorded_motion(self, folder: Path) -> Callable[[JobContext], Trajectory]:
        """The timeline as it is now; the heavy part is done where the function is called."""
        bodies, h = self.bodies, self.world.timestep
        timeline, scene = self.timeline.copy(), self.current_scene()

        def gather(context: JobContext) -> Trajectory:
            frames = range(timeline.first, timeline.last + 1)
            states = (timeline.state(frame, h) for frame in frames)
            context.check()
            return Trajectory.of(bodies, states, timestep=h, scene_text=scene_text(scene, folder))

        return gather

    def _begin_export(self, job: Callable[[JobContext], Path], view: ExportView) -> None:
        self.exporting = view

        def on_message(message: Message) -> None:
            if isinstance(message, Report):
                self.exporting = message.value
                return
            self.exporting = None
            if isinstance(message, Failed) and not message.cancelled:
                self.notify_exception(message.error, f"exporting {view.name}")
            elif isinstance(message, Finished):
                self.notify("info", f"Exported to {message.result}.")

        self._start_job(job, "exporting", on_message)


def _run(command: list[str], context: JobContext) -> None:
    """Run a program to its end.

    Raises:
        Cancelled: it was stopped. StudioError: it failed; says what it said.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        try:
            while True:
                try:
                    status = process.wait(0.1)
                    break
                except subprocess.TimeoutExpired:
                    context.check()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if status:
            said.seek(0)
            last = said.read().strip().splitlines()[-1:] or [f"it ended with status {status}"]
            raise StudioError(f"The film could not be drawn: {last[0]}")
