"""The file browser's state: where it is, what lies there, what was chosen. Drawing it: panels/files.py."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.loading_job import SCENE_SUFFIXES
from sim.mesh_files import FORMATS

Purpose = Literal["open", "save scene", "save weights", "save motion"]

FILTERS: dict[str, tuple[str, ...]] = {
    "everything": (*SCENE_SUFFIXES, *FORMATS, ".safetensors"),
    "scenes": SCENE_SUFFIXES,
    "meshes": tuple(FORMATS),
    "weights, motions": (".safetensors",),
}
"""Names of filters for opening, and the file endings they let through."""
_ENDINGS: dict[Purpose, str] = {
    "save scene": ".yaml",
    "save weights": ".safetensors",
    "save motion": ".safetensors",
}
_MOST = 2000  # entries shown of a folder


@dataclass(frozen=True)
class Entry:
    """A folder or file in a listing; `size` in bytes, None for folders."""

    name: str
    path: Path
    size: int | None

    @property
    def is_folder(self) -> bool:
        return self.size is None


def list_folder(folder: Path, endings: tuple[str, ...]) -> list[Entry]:
    """Folders first, then files with one of these endings, each by name; hidden ones are left out.

    Raises:
        OSError: the folder cannot be read.
    """
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    folders.append(Entry(entry.name, Path(entry.path), None))
                elif entry.name.lower().endswith(endings) and entry.is_file():
                    files.append(Entry(entry.name, Path(entry.path), entry.stat().st_size))
            except OSError:
                continue  # it went away, or is not ours to see
    by_name = [sorted(group, key=lambda entry: entry.name.lower()) for group in (folders, files)]
    return [*by_name[0], *by_name[1]][:_MOST]


def readable_size(size: int) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@dataclass
class FileBrowser:
    """Asks for a file inside the window: works on every system, without one's own dialogs, and in tests.

    Attributes:
        purpose: what is asked for; None while closed. folder: shown. name: typed, for saving. filter: of FILTERS.
        selected: chosen file. entries, problem: what the folder holds, or why it cannot be shown.
        fresh: just opened, so that typing goes to the name.
        unit, up: of a mesh, as the person chose; "guess" lets the program guess.
    """

    purpose: Purpose | None = None
    folder: Path = field(default_factory=Path.cwd)
    name: str = ""
    filter: str = "everything"
    selected: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    problem: str = ""
    fresh: bool = False
    unit: str = "guess"
    up: Literal["y", "z"] = "y"

    def ask(self, purpose: Purpose, name: str = "", folder: Path | None = None) -> None:
        """Open it for a purpose, with a proposal."""
        self.purpose, self.name, self.selected, self.fresh = purpose, name, None, True
        self.go_to(folder if folder is not None and folder.is_dir() else self.folder)

    def close(self) -> None:
        """Nothing is asked for any more."""
        self.purpose = None

    @property
    def saving(self) -> bool:
        return self.purpose is not None and self.purpose != "open"

    def go_to(self, folder: Path) -> None:
        """Show another folder."""
        self.folder, self.selected = folder.absolute(), None
        self.refresh()

    def set_filter(self, name: str) -> None:
        """Let other kinds of files through."""
        self.filter = name
        self.refresh()

    def refresh(self) -> None:
        """Look again what the folder holds."""
        endings = (_ENDINGS[self.purpose],) if self.saving else FILTERS[self.filter]
        try:
            self.entries, self.problem = list_folder(self.folder, endings), ""
        except OSError as error:
            self.entries = []
            self.problem = f"This folder cannot be shown: {error.strerror or error}."

    @property
    def result(self) -> Path | None:
        """The file that is meant now; None when none is."""
        if not self.saving:
            return self.selected
        name = self.name.strip()
        if not name or "/" in name or "\0" in name:
            return None
        ending = _ENDINGS[self.purpose]
        return self.folder / (name if name.lower().endswith(ending) else name + ending)
