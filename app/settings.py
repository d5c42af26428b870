"""What the program remembers from run to run: recent files, theme, size of text. Losing it loses nothing."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_FILE = Path("simplicits-studio") / "settings.json"
_MOST_BYTES = 100_000
_MOST_RECENT = 12

Theme = Literal["light", "dark"]


class _Stored(msgspec.Struct, omit_defaults=False):
    """The file's content; unknown keys of a newer version are left alone."""

    theme: Theme = "light"
    ui_scale: Annotated[float, Meta(ge=0.5, le=4.0)] | None = None
    recent: Annotated[list[Annotated[str, Meta(max_length=4096)]], Meta(max_length=100)] = []


def settings_path(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where a person's settings lie: XDG on Linux, Application Support on macOS, AppData on Windows."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".")
    if platform == "win32":
        folder = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        chosen = environment.get("XDG_CONFIG_HOME", "")
        # The XDG specification says that a relative path is to be ignored.
        folder = Path(chosen) if os.path.isabs(chosen) else home / ".config"
    return folder / _FILE


class Settings:
    """Recent files, theme and size of text.

    Every change is written at once; a file that cannot be read or written is never a reason to fail.

    Args:
        path: of the file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None, stored: _Stored | None = None) -> None:
        self.path = path
        self._stored = stored if stored is not None else _Stored()

    @staticmethod
    def load(path: Path | None = None) -> Settings:
        """Read the file (the platform's own place when None); defaults for whatever is missing or damaged."""
        path = path if path is not None else settings_path()
        try:
            with path.open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                return Settings(path)
            return Settings(path, msgspec.json.decode(content, type=_Stored))
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            return Settings(path)

    @property
    def theme(self) -> Theme:
        """ "light" or "dark"."""
        return self._stored.theme

    @property
    def ui_scale(self) -> float | None:
        """Size of text, 1 is normal; None lets the screen decide."""
        return self._stored.ui_scale

    @property
    def recent(self) -> tuple[str, ...]:
        """Files opened or saved, newest first, at most 12; some may be gone."""
        return tuple(self._stored.recent)

    def set_theme(self, theme: Theme) -> None:
        """Change and keep the theme."""
        self._change(theme=theme)

    def set_ui_scale(self, scale: float | None) -> None:
        """Change and keep the size of text, cut to 0.5 to 4."""
        self._change(ui_scale=None if scale is None else min(max(float(scale), 0.5), 4.0))

    def remember(self, path: str | os.PathLike) -> None:
        """Put a file on top of the recent ones."""
        text = os.path.abspath(path)
        rest = [other for other in self._stored.recent if other != text]
        self._change(recent=[text, *rest][:_MOST_RECENT])

    def forget(self, path: str | os.PathLike) -> None:
        """Take a file (one that is gone) off the list."""
        text = os.path.abspath(path)
        self._change(recent=[other for other in self._stored.recent if other != text])

    def _change(self, **values) -> None:
        stored = msgspec.structs.replace(self._stored, **values)
        if stored == self._stored:
            return
        self._stored = stored
        if self.path is not None:
            with contextlib.suppress(
                OSError, ValueError
            ):  # a full or read-only disk must not stop the window
                _write(self.path, msgspec.json.format(msgspec.json.encode(stored), indent=2))


def _write(path: Path, content: bytes) -> None:
    """Beside, then renamed: a reader sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=".settings.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
