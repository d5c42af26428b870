"""The bottom line: what the mouse does now, and the window's own settings."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui, fitting_scale

HEIGHT = 30.0
"""At UI scale 1 [px]."""
_BUTTONS = 166.0  # width they take together
_SCALES = (0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


def draw(session: Session, ui: Ui) -> None:
    height = ui.px(HEIGHT)
    place, size = (ui.column, ui.size[1] - height), (ui.size[0] - ui.column, height)
    with ui.bar("status", place, size) as shown:
        if not shown:
            return
        settings = session.settings
        right = ui.px(_BUTTONS)
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(ui.cut(ui.hint, ui.free_width - right))
        ui.tooltip(ui.hint)
        psim.SameLine(size[0] - right)
        if ui.button("−", hint="Smaller text"):
            settings.set_ui_scale(next((s for s in reversed(_SCALES) if s < ui.scale - 0.01), _SCALES[0]))
        psim.SameLine(0.0, ui.px(3))
        larger = next((s for s in _SCALES if s > ui.scale + 0.01), _SCALES[-1])
        fits = fitting_scale(larger, ui.size[0]) > ui.scale + 0.01
        reason = None if fits else "Larger text needs a larger window."
        if ui.button("+", hint="Larger text", why_not=reason):
            settings.set_ui_scale(larger)
        psim.SameLine(0.0, ui.px(3))
        if ui.button("Dark" if settings.theme == "light" else "Light", hint="Light or dark (T)"):
            settings.set_theme("dark" if settings.theme == "light" else "light")
        psim.SameLine(0.0, ui.px(3))
        hint = "Polyscope's own panels, for whoever knows them."
        if ui.button("Adv.", on=ui.view.advanced, hint=hint):
            ui.view.advanced = not ui.view.advanced
