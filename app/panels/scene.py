"""Scene: open and save, recent files, the body's mesh and size."""

from __future__ import annotations

import os

import polyscope.imgui as psim

from app.keys import save
from app.panels.closing import open_file
from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Scene") as shown:
        if not shown:
            return
        width = ui.share(3)
        if ui.button("Open…", width=width, hint="A scene, a mesh, weights or a motion (Ctrl+O)."):
            ui.view.ask("open")
        psim.SameLine()
        if ui.button(
            "Save", width=width, why_not=session.can("save_scene"), hint="As a scene file (Ctrl+S)."
        ):
            save(session, ui)
        psim.SameLine()
        if ui.button("Save as…", width=width, why_not=session.can("save_scene")):
            ui.view.ask("save")
        _recent(session, ui)
        if session.world is not None:
            _body(session, ui)


def _recent(session: Session, ui: Ui) -> None:
    ui.label("Recent")
    if not psim.BeginCombo("##recent", "choose…" if session.settings.recent else "none yet"):
        return
    try:
        for number, path in enumerate(session.settings.recent):
            psim.PushID(number)
            if psim.Selectable(os.path.basename(path)):
                if os.path.exists(path):
                    open_file(session, ui, path)
                else:
                    session.settings.forget(path)
                    session.notify("warning", f"{path} is not there any more.")
            ui.tooltip(path)
            psim.PopID()
    finally:
        psim.EndCombo()


def _body(session: Session, ui: Ui) -> None:
    bodies = session.bodies
    if len(bodies) > 1:
        ui.label("Body")
        current = bodies.index(session.selected_body) if session.selected_body in bodies else 0
        changed, number = psim.Combo("##body", current, [body.name for body in bodies])
        if changed:
            session.selected_body, session.selected_handle = bodies[number], 0
    body = session.selected_body
    if body is None:
        return
    extent = body.shape.vertices.amax(0) - body.shape.vertices.amin(0)
    ui.pair("Size", " × ".join(f"{100 * float(x):.3g}" for x in extent) + " cm")
    ui.pair("Mass", f"{body.mass:.3g} kg", f"Volume {1e3 * body.shape.volume:.3g} litres.")
    report = str(body.shape.report)
    ui.pair(
        "Mesh",
        f"{len(body.shape.faces):,} triangles",
        report,
    )
