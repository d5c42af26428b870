"""Toasts: messages at the lower right, each with a way to dismiss it and details to copy."""

from __future__ import annotations

import polyscope.imgui as psim

from app.notices import Notice
from app.panels.status import HEIGHT as STATUS
from app.panels.timeline import HEIGHT as TIMELINE
from app.session import Session
from app.theme import packed
from app.ui import Ui

_WIDTH = 360.0
_MOST = 5  # shown at once; the newest


def draw(session: Session, ui: Ui) -> None:
    bottom = ui.size[1] - ui.px(STATUS + TIMELINE + 10)
    for notice in reversed(session.notices[-_MOST:]):
        bottom -= _toast(session, ui, notice, bottom) + ui.px(8)


def _toast(session: Session, ui: Ui, notice: Notice, bottom: float) -> float:
    """Draws one; returns its height [px]."""
    color = {"info": ui.theme.accent, "warning": ui.theme.warning, "error": ui.theme.bad}[notice.kind]
    place = (ui.size[0] - ui.px(12), bottom)
    width = min(_WIDTH, (ui.size[0] - ui.column) / ui.scale - 24)
    with ui.floating(f"notice {id(notice)}", place, pivot=(1.0, 1.0), width=width) as shown:
        if not shown:
            return 0.0
        x, y = psim.GetWindowPos()
        _, height = psim.GetWindowSize()
        paint = psim.GetWindowDrawList()
        paint.AddRectFilled((x, y), (x + ui.px(5), y + height), packed(color), ui.px(3))
        close = ui.px(24)
        psim.PushTextWrapPos(psim.GetCursorPosX() + ui.free_width - close)
        times = f"  (× {notice.count})" if notice.count > 1 else ""
        psim.TextUnformatted(notice.text + times)
        psim.PopTextWrapPos()
        psim.SameLine(ui.px(width) - close - ui.px(8))
        if psim.SmallButton("✕"):
            session.dismiss(notice)
        if notice.detail and psim.SmallButton("Copy details"):
            psim.SetClipboardText(f"{notice.text}\n\n{notice.detail}")
        return height
