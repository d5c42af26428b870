"""Weights: how the handles' weight fields are shown."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui
from app.weight_fields import handle_colors

MODES = {"off": "Off", "one": "One", "all": "All", "dominant": "Largest", "grid": "Grid"}
_HINTS = {
    "off": "The body in its own colour.",
    "one": "The weight of one handle: red is positive, blue negative.",
    "all": "Every handle in its own hue, as strong as its weight.",
    "dominant": "Each place in the hue of the handle with the largest weight there.",
    "grid": "A small copy of the body for each handle.",
}


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Weights") as shown:
        if not shown:
            return
        view, body = ui.view, session.selected_body
        if body is None:
            ui.faint("Open something to see its weights.")
            return
        view.weights = ui.choice("weights", view.weights, MODES, _HINTS)
        if view.weights == "one":
            _one(session, ui)
        if view.weights != "off":
            ui.label("Shown as")
            names = {True: "Bumps", False: "Modes"}
            hints = {
                True: "Rotated so that each handle has a place of its own.",
                False: "As training finds them: orthonormal, ordered by their energy.",
            }
            view.localized = ui.choice("localized", view.localized, names, hints)
        _, view.handle_points = psim.Checkbox("Handle points", view.handle_points)
        ui.tooltip("Click a point to see its weights.")
        psim.SameLine(ui.px(160))
        _, view.ghost = psim.Checkbox("Rest shape", view.ghost)
        ui.tooltip("Where the body stood at the start.")


def _one(session: Session, ui: Ui) -> None:
    body, view = session.selected_body, ui.view
    count = body.basis.handles
    color = tuple(handle_colors(count)[min(session.selected_handle, count - 1)])
    ui.label("Handle")
    psim.BeginGroup()
    ui.swatch(color)
    psim.SameLine()
    psim.SetNextItemWidth(-1.0)
    _, session.selected_handle = psim.SliderInt(
        "##handle", min(session.selected_handle, count - 1), 0, count - 1, f"%d of {count - 1}"
    )
    psim.EndGroup()
    ui.label("Colours")
    view.signed = ui.choice("signed", view.signed, {True: "Signed", False: "Size"})
