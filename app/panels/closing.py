"""Closing while training runs: asks once."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    if "closing" not in ui.view.asked:
        return
    if not session.training.active:
        ui.view.ask("quit")
        return
    with ui.floating("closing", (ui.size[0] / 2, ui.size[1] / 2), pivot=(0.5, 0.5), width=400) as shown:
        if not shown:
            return
        ui.text(f"Training of {session.training.body} is running. What it has learned so far would be lost.")
        psim.Dummy((0, ui.px(4)))
        width = ui.share(2)
        if ui.button("Close anyway", width=width):
            ui.view.ask("quit")
        psim.SameLine()
        if ui.button("Go on training", width=width, primary=True):
            ui.view.take("closing")
