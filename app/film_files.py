"""Kinds of film a person can ask for, by the name of the file; and how each keeps what was written, come what may.

While it grows, a film is called NAME.partial.SUFFIX; it gets its own name when it is whole. A process that is killed
leaves that partial film, which plays up to its last second (or last picture); the next recording to the same place
renames it to NAME.interrupted.SUFFIX first, so that nothing is lost.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

import numpy as np

from sim.errors import StudioError

KINDS = {
    ".mp4": "H.264, plays everywhere",
    ".mov": "ProRes 4444, for editing, keeps transparency",
    ".webm": "VP9, for the web, keeps transparency",
    ".gif": "small loops, at most 50 frames a second",
    ".png": "a folder of numbered PNG pictures, keeps transparency",
}
"""Suffix and what it is for; no suffix means a folder of pictures, too."""

RESERVE = 16 * 2**20
"""Bytes that a recording leaves free on the disk, so that the file can be closed properly."""

# Of a picture's bytes a pixel, on the low side: to refuse only what certainly cannot fit.
_BYTES_A_PIXEL = {".mp4": 0.02, ".mov": 0.5, ".webm": 0.02, ".gif": 0.1, ".png": 0.1}


class FilmFile(Protocol):
    """A film being written. `write` and `finish` raise StudioError; what was written is kept then."""

    path: Path

    @property
    def bytes(self) -> int:
        """Written so far."""

    def write(self, image: np.ndarray) -> None:
        """Append a picture, uint8, shape (height, width, 3 or 4)."""

    def finish(self) -> Path:
        """Close and name the film."""


def open_film(
    path: str | os.PathLike,
    size: tuple[int, int],
    fps: float,
    *,
    transparent: bool = False,
    live: bool = False,
    expected_frames: int | None = None,
) -> FilmFile:
    """Begin a film; arguments as of `app.recorder.Recorder`.

    Raises:
        StudioError: a kind, size or rate that cannot be; no room on the disk; a place that cannot be written.
    """
    from app.picture_folder import PictureFolder
    from app.video import VideoFile

    path = Path(path)
    kind = film_kind(path)
    check_film(kind, size, fps, transparent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudioError(f"The folder {path.parent} cannot be made: {error.strerror or error}") from error
    needed = 0 if expected_frames is None else expected_frames * size[0] * size[1] * _BYTES_A_PIXEL[kind]
    check_space(path, needed=needed)
    if kind == ".png":
        return PictureFolder(path.with_suffix(""), size, transparent=transparent)
    return VideoFile(path, size, fps, transparent=transparent, live=live)


def film_kind(path: Path) -> str:
    """The key of `KINDS` that a file's name asks for.

    Raises:
        StudioError: a suffix that is none of them.
    """
    kind = path.suffix.lower() or ".png"
    if kind not in KINDS:
        choices = "; ".join(f"{suffix}: {text}" for suffix, text in KINDS.items())
        raise StudioError(f"{path.name}: films of kind {path.suffix!r} are not made here. {choices}.")
    return kind


def check_film(kind: str, size: tuple[int, int], fps: float, transparent: bool) -> None:
    """Refuse what a kind of film cannot be.

    Raises:
        StudioError: says what would be right.
    """
    width, height = size
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise StudioError(f"A film's size lies between 16 and 8192 pixels a side, got {width} x {height}.")
    if kind in (".mp4", ".webm") and (width % 2 or height % 2):
        raise StudioError(f"A {kind} film needs an even width and height, got {width} x {height}.")
    if not 0 < fps <= 1000:
        raise StudioError(f"A film's rate lies between 0 and 1000 frames a second, got {fps:g}.")
    if kind == ".gif" and fps > 50:
        raise StudioError(f"A GIF shows at most 50 frames a second, got {fps:g}; 25 is usual.")
    if kind == ".mp4" and transparent:
        raise StudioError("An .mp4 cannot be transparent; name the film .mov, .webm or .png.")


def check_space(path: Path, *, needed: float = 0.0) -> None:
    """Refuse to begin where the disk is too full.

    Args:
        path: of the film; its folder exists. needed: bytes it will take, at the least.

    Raises:
        StudioError: says how much there is.
    """
    free = shutil.disk_usage(path.parent).free
    if free < RESERVE + needed:
        raise StudioError(
            f"There is too little room in {path.parent} for {path.name}: {free / 1e6:.0f} MB are free, "
            f"at least {(RESERVE + needed) / 1e6:.0f} MB are needed."
        )


def space_is_short(folder: Path) -> bool:
    """Whether the disk has just enough room left to close a film."""
    return shutil.disk_usage(folder).free < RESERVE / 2


def partial_path(path: Path) -> Path:
    """What a film is called while it grows."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def keep_interrupted(path: Path) -> Path | None:
    """Give what a killed recording left a name of its own.

    Args:
        path: of the film that it was to become.

    Returns:
        Where it is now; None when there is nothing.
    """
    partial = partial_path(path)
    if not partial.exists():
        return None
    kept = path.with_name(f"{path.stem}.interrupted{path.suffix}")
    if kept.is_dir():
        shutil.rmtree(kept)
    os.replace(partial, kept)
    return kept


def stopped(path: Path, frames: int, reason: str) -> StudioError:
    """The one message about a recording that could not go on."""
    kept = f"the {frames} frames written before that are in {path}" if frames else "nothing was kept"
    return StudioError(f"The recording had to stop: {reason}; {kept}.")
