"""Commands on training: start, pause, stop, look at and keep its weights."""

from __future__ import annotations

import os
from pathlib import Path

from app.session.state import SessionState


class TrainingCommands(SessionState):
    """Training of the selected body in the worker; see app/training_job.py."""

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
        raise NotImplementedError

    def pause_training(self) -> None:
        """Rest after the step that is being taken.

        Raises:
            Refusal: training is not running.
        """
        raise NotImplementedError

    def resume_training(self) -> None:
        """Go on after a pause.

        Raises:
            Refusal: training is not paused.
        """
        raise NotImplementedError

    def stop_training(self) -> None:
        """End after the step that is being taken, and use what was learned.

        Raises:
            Refusal: training is not running.
        """
        raise NotImplementedError

    def use_weights_now(self) -> None:
        """Put the weights as they are now into the moving body, and go on training.

        Raises:
            Refusal: training is not running.
        """
        raise NotImplementedError

    def set_live_weights(self, live: bool) -> None:
        """Whether better weights are put in by themselves while training runs."""
        self.training.live_weights = bool(live)

    def save_weights(self, path: str | os.PathLike) -> Path:
        """Write the selected body's weights (.safetensors).

        Raises:
            Refusal: nothing is open. BasisError: it cannot be written.
        """
        raise NotImplementedError
