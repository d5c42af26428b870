"""The sheet of keys and gestures."""

from __future__ import annotations

import polyscope.imgui as psim

from app.keys import SHEET
from app.session import Session
from app.ui import Ui

_WIDTH = 480.0


def draw(session: Session, ui: Ui) -> None:
    if not ui.view.help:
        return
    width = min(_WIDTH, ui.size[0] / ui.scale - 24)
    most = ui.size[0] - ui.px(width / 2 + 12)  # over the column rather than beyond the window
    center = (min((ui.column + ui.size[0]) / 2, most), ui.size[1] / 2)
    with ui.floating("keys", center, pivot=(0.5, 0.5), width=width) as shown:
        if not shown:
            return
        ui.title("Mouse and keys")
        for gesture, doing in SHEET:
            psim.TextUnformatted(gesture)
            psim.SameLine(ui.px(210))
            ui.faint(doing)
        if ui.button("Close", width=ui.free_width):
            ui.view.help = False
