"""Notices: what the window tells the person, in plain words, until it is dismissed or has been read."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sim.errors import StudioError

Kind = Literal["info", "warning", "error"]

_MOST = 20  # older ones go: a body that complains at each step must not fill the memory
_READ_AFTER = {"info": 6.0, "warning": 12.0, "error": float("inf")}  # [s]; errors wait to be dismissed


@dataclass(frozen=True, eq=False)
class Notice:
    """One message.

    Attributes:
        kind: "info", "warning" or "error". text: a sentence or two for the person. detail: to copy into a
            report (a traceback, a file's text), may be empty. shown_at: on the clock of `Notices` [s].
        count: how many times in a row it was said.
    """

    kind: Kind
    text: str
    detail: str = ""
    shown_at: float = 0.0
    count: int = 1


class Notices:
    """The messages on show, oldest first. Main thread only.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shown: list[Notice] = []

    @property
    def shown(self) -> tuple[Notice, ...]:
        """Oldest first."""
        return tuple(self._shown)

    def add(self, kind: Kind, text: str, detail: str = "") -> Notice:
        """Show a message; the same message again is counted instead of repeated."""
        count = 1
        for notice in self._shown:
            if (notice.kind, notice.text) == (kind, text):
                count = notice.count + 1
                self._shown.remove(notice)
                break
        notice = Notice(kind, text, detail, self._clock(), count)
        self._shown = [*self._shown, notice][-_MOST:]
        return notice

    def add_exception(self, error: BaseException, *, doing: str) -> Notice:
        """Show what went wrong while `doing` (a clause: "loading bunny.obj").

        The project's own errors are in the person's words already; anything else is our mistake, and says so.
        """
        detail = "".join(traceback.format_exception(error))
        if isinstance(error, StudioError):
            return self.add("error", str(error), detail)
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return self.add(
            "error", f"Something went wrong while {doing} ({what[:200]}). Nothing else is lost.", detail
        )

    def dismiss(self, notice: Notice) -> None:
        """Take a message away; a second time does nothing."""
        self._shown = [other for other in self._shown if other is not notice]

    def expire(self) -> None:
        """Take away what has been readable for long enough; errors stay."""
        now = self._clock()
        self._shown = [n for n in self._shown if now - n.shown_at < _READ_AFTER[n.kind]]
