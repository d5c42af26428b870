"""The sheet of keys and gestures."""

from __future__ import annotations

import polyscope.imgui as psim

from app.keys import SHEET
from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    if not ui.view.help:
        return
    center = ((ui.column + ui.size[0]) / 2, ui.size[1] / 2)
    with ui.floating("keys", center, pivot=(0.5, 0.5), width=480) as shown:
        if not shown:
            return
        ui.title("Mouse and keys")
        for gesture, doing in SHEET:
            psim.TextUnformatted(gesture)
            psim.SameLine(ui.px(210))
            ui.faint(doing)
        if ui.button("Close", width=ui.free_width):
            ui.view.help = False
