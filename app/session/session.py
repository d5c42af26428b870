"""Session: the one object behind the window."""

from __future__ import annotations

from app.session.exporting import ExportCommands
from app.session.hands import HandCommands
from app.session.simulation import SimulationCommands
from app.session.training import TrainingCommands


class Session(TrainingCommands, SimulationCommands, HandCommands, ExportCommands):
    """What the window shows (attributes: see SessionState) and what its buttons do: commands on files, on training, on
    motion, of the hand and of export.

    Args:
        device: where bodies compute: "auto", "cpu", "cuda"... settings: kept from run to run; read from the
            person's config folder when None.
    """

    def tick(self, seconds: float) -> None:
        """Once a frame, before drawing: take what the worker has done, and let time go on.

        Physics runs in fixed steps for at most some 12 ms; what does not fit makes slow motion instead of a
        frozen window. Never raises: what goes wrong becomes a notice.

        Args:
            seconds: wall time since the last frame.
        """
        self._poll_worker()
        self._notices.expire()
        self.attempt(self._advance, seconds)

    @property
    def busy(self) -> bool:
        """Whether the worker has something to do: pace frames so that it gets its share."""
        return self._worker.busy

    def wait(self, seconds: float) -> bool:
        """Wait until the worker has something to tell the next tick, or has nothing to do; whether that is so.

        For scripts and tests, which have no frames to draw meanwhile.
        """
        return self._worker.wait(seconds)

    def close(self, seconds: float = 2.0) -> bool:
        """End all jobs; returns within this time.

        Returns:
            Whether they have ended. One that has not (a library call cannot be interrupted) ends with the process.
        """
        self._next_job = None
        return self._worker.close(seconds)
