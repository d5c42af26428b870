"""The scenes that come with the program."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from sim.errors import SceneError

LIBRARY = Path(__file__).parent / "library"
"""Folder of the shipped scene files and their trained weights."""
DEMO = "gummy_bear"
"""The scene shown when none is asked for."""


def shipped_scenes() -> dict[str, Path]:
    """Scene files by short name, in alphabetical order."""
    return {file.stem: file for file in sorted(LIBRARY.glob("*.yaml"))}


def find_scene(name: str | os.PathLike) -> Path:
    """The scene file that a person means: a path, or the short name of a shipped scene.

    Raises:
        SceneError: neither; the message lists the shipped scenes.
    """
    if os.path.exists(name):
        return Path(name)
    scenes = shipped_scenes()
    if str(name) in scenes:
        return scenes[str(name)]
    close = difflib.get_close_matches(str(name), scenes, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise SceneError(
        f"{str(name)!r}: there is no such file, and no shipped scene of that name. {hint}"
        f"Shipped scenes: {', '.join(scenes)}."
    )
