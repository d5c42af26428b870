"""Closing: asks once where something would be lost, and lets a film be written to its end."""

from __future__ import annotations

import polyscope.imgui as psim

from app.keys import save
from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    if "closing" not in ui.view.asked:
        return
    reasons = [] if "closing anyway" in ui.view.asked else losses(session)
    if reasons:
        _ask(session, ui, reasons)
        return
    recording = ui.recording
    if recording is None or recording.recorder is None:
        ui.view.ask("quit")
        return
    if recording.on:
        recording.stop()
    _wait_for_film(ui)


def losses(session: Session) -> list[str]:
    """What closing now would lose, a sentence each."""
    found = []
    if session.training.active:
        found.append(
            f"Training of {session.training.body} is running. What it has learned so far would be lost."
        )
    if session.exporting is not None:
        found.append(f"{session.exporting.name} is still being written. It would be lost.")
    if session.unsaved:
        found.append(f"{session.scene.name} was changed, and is not saved.")
    return found


def _ask(session: Session, ui: Ui, reasons: list[str]) -> None:
    with ui.floating("closing", (ui.size[0] / 2, ui.size[1] / 2), pivot=(0.5, 0.5), width=420) as shown:
        if not shown:
            return
        for reason in reasons:
            ui.text(reason)
        psim.Dummy((0, ui.px(4)))
        busy = session.training.active or session.exporting is not None
        width = ui.share(3 if session.unsaved and not busy else 2)
        if ui.button("Close anyway", width=width):
            ui.view.ask("closing anyway")
        psim.SameLine()
        if session.unsaved and not busy:
            if ui.button("Save##closing", width=width):
                save(session, ui)
                if session.dirty:  # it asks where to, or could not be saved
                    _stay(ui)
            psim.SameLine()
        stay = "Go on training" if session.training.active else "Stay"
        if ui.button(stay, width=width, primary=True):
            _stay(ui)


def _wait_for_film(ui: Ui) -> None:
    recording = ui.recording
    with ui.floating("closing", (ui.size[0] / 2, ui.size[1] / 2), pivot=(0.5, 0.5), width=420) as shown:
        if not shown:
            return
        waiting = recording.recorder.waiting
        ui.text("Finishing the film…")
        ui.faint(f"{waiting} pictures to write." if waiting else "Closing the file.")
        psim.Dummy((0, ui.px(4)))
        width = ui.share(2)
        hint = "The film ends with what is written already."
        if ui.button(
            "Cut it short", width=width, hint=hint, why_not=None if waiting else "It is at its end."
        ):
            recording.cut()
        psim.SameLine()
        if ui.button("Stay", width=width, hint="Write the film to its end, and do not close."):
            _stay(ui)


def _stay(ui: Ui) -> None:
    ui.view.take("closing")
    ui.view.take("closing anyway")
