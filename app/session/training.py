"""Commands on training: start, pause, stop, look at and keep its weights."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from app.jobs import Failed, Finished, Message
from app.loading_job import Stage
from app.session.loading import LoadingCommands
from app.session.views import TrainingView
from app.training_job import NewWeights, TrainingControl, TrainingProgress, train_body
from optim.config import TrainConfig
from scenes.handles import train_config
from sim.body import Body

_TRAINING_SHARE = 0.9  # of the progress bar; the rest is the cubature


class TrainingCommands(LoadingCommands):
    """Training of the selected body in the worker; see app/training_job.py."""

    def _why_not_train(self) -> str | None:
        if self.selected_body is None:
            return "Open a mesh or a scene first."
        if self.loading is not None:
            return "Wait until the file is open."
        if self._worker.busy:
            return (
                "Training is running already."
                if self.training.active
                else "Wait until the last job has ended."
            )
        return None

    def train(
        self, preset: str = "good", handles: int | None = None, *, optimizer: str | None = None
    ) -> None:
        """Begin to train the selected body. Returns at once; `training` tells how far it is.

        Args:
            preset: "draft", "good" or "best" (optim.config.PRESETS). handles: as many as now when None.
            optimizer: the scene's choice when None.

        Raises:
            Refusal: nothing to train, or a job is running. TrainingError: settings out of range.
        """
        self._require("train")
        body = self.selected_body
        part = self.scene.bodies[self._index(body)]
        changes = {"preset": preset, "steps": None}
        if handles is not None:
            changes["handles"] = handles
        if optimizer is not None:
            changes["optimizer"] = optimizer
        config = train_config(part, device=str(self.device), **changes)
        self._begin_training(body, config)

    def _begin_training(self, body: Body, config: TrainConfig) -> None:
        live = self.training.live_weights
        self.training = TrainingView(
            state="running",
            preset=config.preset,
            handles=config.handles,
            body=body.name,
            steps=config.total_steps,
            rank_wanted=config.handles - 1,
            message="Getting ready",
            live_weights=live,
        )
        self._curve = Curve(config.total_steps)
        control = TrainingControl(live=live)
        self._control = control

        def on_message(message: Message) -> None:
            self._on_training(body, message)

        self._start_job(lambda context: train_body(context, body, config, control), "training", on_message)

    def _why_not_pause_training(self) -> str | None:
        return None if self.training.state == "running" else "Training is not running."

    def _why_not_resume_training(self) -> str | None:
        return None if self.training.state == "paused" else "Training is not paused."

    def _why_not_stop_training(self) -> str | None:
        return None if self.training.active else "Training is not running."

    def _why_not_use_weights_now(self) -> str | None:
        return None if self.training.state in ("running", "paused") else "Training is not running."

    def pause_training(self) -> None:
        """Rest after the step that is being taken.

        Raises:
            Refusal: training is not running.
        """
        self._require("pause_training")
        self._control.pause()
        self.training.state = "paused"

    def resume_training(self) -> None:
        """Go on after a pause.

        Raises:
            Refusal: training is not paused.
        """
        self._require("resume_training")
        self._control.resume()
        self.training.state = "running"

    def stop_training(self) -> None:
        """End after the step that is being taken, and use what was learned.

        Raises:
            Refusal: training is not running.
        """
        self._require("stop_training")
        self._control.finish()
        self.training.state = "stopping"
        self.training.message = "Stopping; what was learned is put in"

    def use_weights_now(self) -> None:
        """Put the weights as they are now into the moving body, and go on training.

        Raises:
            Refusal: training is not running.
        """
        self._require("use_weights_now")
        self._control.want_weights()

    def set_live_weights(self, live: bool) -> None:
        """Whether better weights are put in by themselves while training runs."""
        self.training.live_weights = bool(live)
        if self._control is not None:
            self._control.set_live(bool(live))

    def _why_not_save_weights(self) -> str | None:
        return None if self.selected_body is not None else "Open a mesh or a scene first."

    def save_weights(self, path: str | os.PathLike) -> Path:
        """Write the selected body's weights (.safetensors).

        Raises:
            Refusal: nothing is open. BasisError: it cannot be written.
        """
        self._require("save_weights")
        file = Path(path)
        if file.suffix.lower() != ".safetensors":
            file = file.with_name(f"{file.name}.safetensors")
        body = self.selected_body
        self._trained.get(body, body.basis).save(file)
        self.notify("info", f"The weights of {body.name} are in {file.name}.")
        return file

    # -- what the worker tells ------------------------------------------------------------------------------

    def _on_training(self, body: Body, message: Message) -> None:
        view = self.training
        if body not in self.bodies or not view.active:
            return  # another scene was opened
        if isinstance(message, Failed):
            if message.cancelled:
                view.state, view.message = "idle", "Training was given up"
            else:
                view.state, view.message = "failed", str(message.error) or type(message.error).__name__
                self.notify_exception(message.error, f"training {body.name}")
        elif isinstance(message, Finished):
            stopped = view.state == "stopping"
            self._take_weights(body, message.result)
            view.state, view.progress, view.seconds_left = "done", 1.0, 0.0
            view.message = f"Stopped at step {view.step}; its weights are in" if stopped else "Done"
            self.notify("info", f"{body.name} moves with its new weights now.")
        elif isinstance(message.value, TrainingProgress):
            self._on_progress(message.value)
        elif isinstance(message.value, NewWeights):
            self._take_weights(body, message.value)
        elif isinstance(message.value, Stage):
            if view.state != "stopping":
                view.message = message.value.text
            view.progress = _TRAINING_SHARE + (1 - _TRAINING_SHARE) * message.value.fraction
            view.seconds_left = math.nan

    def _on_progress(self, progress: TrainingProgress) -> None:
        view, curve = self.training, self._curve
        curve.add(progress)
        view.step, view.steps = progress.step, progress.steps
        view.progress = _TRAINING_SHARE * progress.step / max(1, progress.steps)
        view.curve_steps, view.curve_losses = curve.losses()
        view.look_steps, view.look_energies = curve.looks()
        view.rank, view.orthonormality = progress.effective_rank, progress.orthonormality
        bound = progress.bound_estimate
        view.energy_above_bound = progress.energy / bound - 1 if bound > 0 else math.nan
        view.rate, view.seconds_left = progress.rate, progress.remaining_seconds
        if view.state == "running":
            begun = math.isfinite(progress.energy)
            view.message = (
                f"Step {progress.step} of {progress.steps}" if begun else "Finding the body's modes"
            )


class Curve:
    """Losses and energies of a run, in arrays that grow in place: a plot reads them each frame."""

    def __init__(self, steps: int) -> None:
        self._losses = np.zeros((2, max(16, steps + 1)))
        self._looks = np.zeros((2, 64))
        self._count, self._look_count = 0, 0

    def add(self, progress: TrainingProgress) -> None:
        """Add a step; a loss that is not finite (none yet, or a step that was rolled back) is left out."""
        if math.isfinite(progress.loss) and progress.loss > 0:
            self._losses = _room(self._losses, self._count)
            self._losses[:, self._count] = progress.step, progress.loss
            self._count += 1
        last = self._looks[1, self._look_count - 1] if self._look_count else math.nan
        if progress.energy != last and math.isfinite(progress.energy):
            self._looks = _room(self._looks, self._look_count)
            self._looks[:, self._look_count] = progress.step, progress.energy
            self._look_count += 1

    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and losses, contiguous float64."""
        return self._losses[0, : self._count], self._losses[1, : self._count]

    def looks(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and energies, contiguous float64."""
        return self._looks[0, : self._look_count], self._looks[1, : self._look_count]


def _room(array: np.ndarray, count: int) -> np.ndarray:
    """The array, or a copy of double length when it is full."""
    return array if count < array.shape[1] else np.concatenate([array, np.zeros_like(array)], axis=1)
