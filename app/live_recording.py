"""Recording what the window shows: the choices of the panel, the recorder that runs, and where films go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.film_files import check_film
from app.recorder import Recorder
from app.session import Session
from sim.errors import StudioError

SIZES = {
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "square": (1080, 1080),
    "upright": (1080, 1920),
    "4K": (3840, 2160),
}
"""Sizes a person can choose [px]."""
RATES = (24, 25, 30, 50, 60)
"""Frames a second a person can choose."""


@dataclass
class FilmChoice:
    """What the person wants a film to be.

    Attributes:
        kind: suffix, a key of `app.film_files.KINDS`. size: a key of `SIZES`. fps: one of `RATES`.
        transparent: without background. panels: with panels and pointer, as on the screen.
        turn: seconds for the camera to go round once when the timeline is filmed; 0 leaves it where it is.
    """

    kind: str = ".mp4"
    size: str = "720p"
    fps: int = 30
    transparent: bool = False
    panels: bool = False
    turn: float = 0.0

    def why_not(self) -> str | None:
        """None when such a film can be made, else a sentence."""
        try:
            check_film(self.kind, SIZES[self.size], self.fps, self.transparent)
        except StudioError as error:
            return str(error)
        return None


class LiveRecording:
    """Records what the window shows, at the rate of simulated time. Main thread only.

    Args:
        session: whose clock counts, and who is told what came of it.

    Attributes:
        choice: what the next film will be. folder: where films go, `set_folder` changes it. last: the last film,
            or None. problem: why the folder that was asked for is not taken, or empty.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.choice = FilmChoice()
        self.folder = film_folder()
        self.last: Path | None = None
        self.problem = ""
        self._recorder: Recorder | None = None
        self._ending = False
        self._panels = False
        self._transparent = False

    @property
    def on(self) -> bool:
        """Whether pictures are being taken."""
        return self._recorder is not None and not self._ending

    @property
    def closing(self) -> bool:
        """Whether the last film is still being encoded to its end."""
        return self._recorder is not None and self._ending

    @property
    def recorder(self) -> Recorder | None:
        """The one at work."""
        return self._recorder

    def set_folder(self, text: str) -> None:
        """Put the next films elsewhere; a folder that is not there is said in `problem`."""
        folder = Path(text).expanduser()
        there = folder.is_dir()
        self.problem = "" if there else f"There is no folder {text}."
        if there:
            self.folder = folder.absolute()

    def why_not_start(self) -> str | None:
        """None when recording can begin, else a sentence for a tooltip."""
        if self._recorder is not None:
            return "The last film is still being written." if self._ending else "A film is being recorded."
        if self._session.world is None:
            return "Open a mesh or a scene first."
        return self.choice.why_not()

    def start(self, path: Path | None = None) -> Path:
        """Begin to record; into the next free name in `folder` when None.

        Raises:
            StudioError: the film cannot be made, or its place not be written.
        """
        choice = self.choice
        if path is None:
            path = free_name(self.folder, film_name(self._session), choice.kind)
        self._recorder = Recorder(
            path, SIZES[choice.size], choice.fps, transparent=choice.transparent, live=True
        )
        self._panels, self._transparent = choice.panels, choice.transparent
        self._ending = False
        return self._recorder.path

    def stop(self) -> None:
        """Take no more pictures; the film is closed beside, `update` tells when."""
        if self._recorder is not None:
            self._ending = True
            self._recorder.end()

    def cut(self) -> None:
        """Stop, and leave out the pictures that are not written yet."""
        if self._recorder is not None:
            self.stop()
            self._recorder.cut()

    def toggle(self) -> None:
        """The button and the key: begin to record, or stop; what is in the way becomes a notice."""
        if self.on:
            self.stop()
            return
        reason = self.why_not_start()
        if reason is None:
            self._session.attempt(self.start)
        else:
            self._session.notify("warning", reason)

    def update(self, take: Callable[[bool, bool], np.ndarray]) -> None:
        """Once a frame, after drawing: take the pictures that are due, and tell what came of a film.

        Args:
            take: gives the picture; arguments: with panels, transparent.
        """
        recorder = self._recorder
        if recorder is None:
            return
        if recorder.ended:
            self._close(recorder)
            return
        world = self._session.world
        if self._ending or world is None:
            return
        due = recorder.due(world.time)
        if due:
            picture = take(self._panels, self._transparent)
            for _ in range(due):
                recorder.put(picture)

    def close(self) -> None:
        """The window closes: finish the film, which may take a moment."""
        if self._recorder is not None:
            self.stop()
            self._close(self._recorder)

    def _close(self, recorder: Recorder) -> None:
        self._recorder, self._ending = None, False
        try:
            self.last = recorder.finish()
        except Exception as error:
            self._session.notify_exception(error, "recording a film")
        else:
            length = f"{recorder.seconds:.1f} s, {recorder.bytes / 1e6:.1f} MB"
            self._session.notify("info", f"The film is {self.last} ({length}).")


def film_folder(home: Path | None = None) -> Path:
    """Where films go unless the person says otherwise: the home's Videos folder, if there is one."""
    if home is None:
        home = Path.home()
    with contextlib.suppress(OSError):
        for name in ("Videos", "Movies"):
            if (home / name).is_dir():
                return home / name
    return home


def film_name(session: Session) -> str:
    """What a film of the session's scene is called."""
    name = session.scene.name if session.scene is not None else "film"
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60] or "film"


def free_name(folder: Path, name: str, kind: str) -> Path:
    """The first of NAME-1, NAME-2, ... that is not there yet.

    Args:
        kind: suffix; ".png" makes a folder.
    """
    suffix = "" if kind == ".png" else kind
    number = 1
    while (path := folder / f"{name}-{number}{suffix}").exists():
        number += 1
    return path
