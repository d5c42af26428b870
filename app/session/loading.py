"""Commands on files: open, cancel, close, save."""

from __future__ import annotations

import os
from pathlib import Path

from app.session.state import SessionState


class LoadingCommands(SessionState):
    """Opening and saving. Reading happens in the worker; see app/loading_job.py."""

    def open(self, path: str | os.PathLike, *, size: float | None = None, scale: float | None = None) -> None:
        """Open a scene (.yaml or a shipped scene's name), a mesh, handle weights (.safetensors, for the selected
        body), or a recorded motion. Returns at once; `loading` tells how far it is, a notice what came of it.

        What is open stays and goes on moving until the new one is there. Training is stopped first.

        Args:
            size: longest side of a mesh [m]. scale: metres per unit of its file. Without either the unit is
                guessed from the numbers, and a notice says so (`app.mesh_units`).

        Raises:
            Refusal: a kind of file that cannot be opened, or weights and motions with nothing open.
        """
        raise NotImplementedError

    def cancel_loading(self) -> None:
        """Stop opening; what was open stays.

        Raises:
            Refusal: nothing is being opened.
        """
        raise NotImplementedError

    def close_scene(self) -> None:
        """Back to the empty window; training is stopped, unsaved changes are lost (ask when `dirty`)."""
        raise NotImplementedError

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
        raise NotImplementedError
