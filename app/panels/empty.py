"""The empty window: says what to do."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui
from scenes.shipped import shipped_scenes

_WIDTH = 420.0


def draw(session: Session, ui: Ui) -> None:
    if session.world is not None or session.loading is not None or ui.browser.purpose is not None:
        return
    center = ((ui.column + ui.size[0]) / 2, ui.size[1] * 0.45)
    with ui.floating("start", center, pivot=(0.5, 0.5), width=_WIDTH) as shown:
        if not shown:
            return
        ui.title("Make something soft", 1.5)
        ui.faint("Drop a mesh or a scene file into this window, or choose one:")
        psim.Dummy((0, ui.px(4)))
        if ui.button("Open a file…", width=ui.free_width, primary=True):
            ui.view.ask("open")
        psim.Dummy((0, ui.px(4)))
        ui.faint("Or play with a scene that comes along:")
        width = ui.share(2)
        for number, (name, path) in enumerate(shipped_scenes().items()):
            if number % 2:
                psim.SameLine()
            if ui.button(name.replace("_", " ").capitalize(), width=width):
                session.attempt(session.open, path)
