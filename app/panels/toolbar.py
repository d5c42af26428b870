"""Toolbar: tools and time, at the top of the scene, always in reach."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui

TOOLS = {"pull": "Pull", "pin": "Pin", "handle": "Handles"}
_HINTS = {
    "pull": "Drag a body to pull it (1).",
    "pin": "Hold places where they are (2).",
    "handle": "Lead a handle's region with a gizmo (3).",
}
_SHAPES = {"ball": "Ball", "box": "Box", "brush": "Brush"}


def draw(session: Session, ui: Ui) -> None:
    if session.world is None:
        return
    with ui.floating("toolbar", (ui.column + ui.px(12), ui.px(12)), behind=True) as shown:
        if not shown:
            return
        for number, (tool, label) in enumerate(TOOLS.items()):
            if number:
                psim.SameLine(0.0, ui.px(3))
            if ui.button(label, on=session.tool == tool, hint=_HINTS[tool]):
                session.tool = tool
        _gap(ui, 400)
        playing = session.simulation == "playing" or session.playing_back
        width = ui.px(82)
        if playing:
            ui.command(session, "pause", "Pause", width=width, hint="Space")
        else:
            ui.command(session, "play", "▶  Play", width=width, primary=True, hint="Space")
        psim.SameLine(0.0, ui.px(3))
        ui.command(session, "step", "Step", hint="One time step (.)")
        psim.SameLine(0.0, ui.px(3))
        ui.command(session, "reset", "Reset", hint="Back to the start (R)")
        _gap(ui, 566)
        ui.command(session, "undo", "↶", hint="Undo (Ctrl+Z)")
        psim.SameLine(0.0, ui.px(3))
        ui.command(session, "redo", "↷", hint="Redo (Ctrl+Shift+Z)")
        psim.SameLine(0.0, ui.px(3))
        if ui.button("Frame", hint="Look at everything (F)"):
            ui.view.ask("frame")
        psim.SameLine(0.0, ui.px(3))
        if ui.button("?", hint="All keys"):
            ui.view.help = not ui.view.help
        _recording(ui)
        if session.tool == "pin":
            _pin_options(ui)


def _recording(ui: Ui) -> None:
    """That a film is being made is seen whatever the column shows."""
    recording = ui.recording
    if recording is None or recording.recorder is None:
        return
    _gap(ui, 700)
    if recording.closing:
        psim.AlignTextToFramePadding()
        ui.faint_inline("writing the film…")
        return
    ui.swatch(ui.theme.bad)
    psim.SameLine(0.0, ui.px(5))
    label = f"Stop  {recording.recorder.seconds:.1f} s###stop film"
    if ui.button(label, hint="A film is being recorded (Ctrl+R)."):
        recording.stop()


def _pin_options(ui: Ui) -> None:
    view = ui.view
    for number, (shape, label) in enumerate(_SHAPES.items()):
        if number:
            psim.SameLine(0.0, ui.px(3))
        if ui.button(f"{label}##shape", on=view.pin_shape == shape):
            view.pin_shape = shape
    if view.pin_shape != "box":
        psim.SameLine()
        percent = ui.knob(
            "##radius",
            100 * view.pin_radius,
            2.0,
            40.0,
            "%.0f",
            f"radius {100 * view.pin_radius:.0f} %",
            width=ui.px(190),
            hint="Of the body's size. [ and ] change it.",
        )
        if percent is not None:
            view.pin_radius = percent / 100


def _gap(ui: Ui, wanted: float) -> None:
    """Space between groups; a new line where the window is narrower than what is `wanted` (at UI scale 1)."""
    if ui.size[0] - ui.column > ui.px(wanted):
        psim.SameLine(0.0, ui.px(16))
