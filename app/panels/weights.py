"""Weights: how the handles' weight fields are shown."""

from __future__ import annotations

import itertools

import polyscope.imgui as psim

from app.session import Session
from app.theme import packed
from app.ui import LABELS, Ui
from app.weight_fields import handle_colors, one_handle

MODES = {"off": "Off", "one": "One", "all": "All", "dominant": "Largest", "grid": "Grid"}
_HINTS = {
    "off": "The body in its own colour.",
    "one": "The weight of one handle: red is positive, blue negative.",
    "all": "Every handle in its own hue, as strong as its weight.",
    "dominant": "Each place in the hue of the handle with the largest weight there.",
    "grid": "A small copy of the body for each handle.",
}

# Polyscope's coolwarm and viridis, as they look.
_SIGNED = (
    (0.23, 0.30, 0.75),
    (0.55, 0.69, 0.996),
    (0.866, 0.866, 0.866),
    (0.957, 0.60, 0.48),
    (0.706, 0.016, 0.15),
)
_UNSIGNED = (
    (0.267, 0.005, 0.33),
    (0.23, 0.32, 0.545),
    (0.128, 0.567, 0.55),
    (0.37, 0.79, 0.38),
    (0.99, 0.906, 0.144),
)


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
    handle = min(session.selected_handle, count - 1)
    chosen = ui.knob("##handle", handle, 0, count - 1, "%d", f"{handle} of {count - 1}", room=56)
    session.selected_handle = handle if chosen is None else chosen
    psim.EndGroup()
    ui.label("Colours")
    view.signed = ui.choice("signed", view.signed, {True: "Signed", False: "Size"})
    _, most = one_handle(body, session.selected_handle, localized=view.localized)
    psim.SetCursorPosX(psim.GetStyle().WindowPadding[0] + ui.px(LABELS))
    _colorbar(ui, most)


def _colorbar(ui: Ui, most: float) -> None:
    """The colours of one handle's weight, from the least to the largest value."""
    stops = _SIGNED if ui.view.signed else _UNSIGNED
    (x, y), width, height = psim.GetCursorScreenPos(), ui.free_width, ui.px(12)
    paint, step = psim.GetWindowDrawList(), width / (len(stops) - 1)
    for number, (left, right) in enumerate(itertools.pairwise(stops)):
        a, b = packed(left), packed(right)
        start = x + number * step
        paint.AddRectFilledMultiColor((start, y), (start + step, y + height), a, b, b, a)
    psim.Dummy((width, height))
    low = f"{-most:.2g}" if ui.view.signed else "0"
    left = psim.GetStyle().WindowPadding[0] + ui.px(LABELS)
    psim.SetCursorPosX(left)
    ui.faint_inline(low.replace("-", "−"))
    high = f"{most:.2g}"
    psim.SameLine(left + width - psim.CalcTextSize(high)[0])
    ui.faint_inline(high)
