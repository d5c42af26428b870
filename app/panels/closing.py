"""Closing, and opening in place of what is open: asks where something would be lost, and lets a film be finished."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polyscope.imgui as psim

from app.keys import save
from app.session import Session
from app.ui import Ui

_WIDTH = 420.0


def draw(session: Session, ui: Ui) -> None:
    if "closing" in ui.view.asked:
        _close(session, ui)
    elif ui.view.opening is not None:
        _open(session, ui)


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


def open_file(session: Session, ui: Ui, path: str | os.PathLike, **options: Any) -> None:
    """Open a file as a person wants it: at once, or after asking, where something would be lost."""
    ui.view.opening = (Path(path), options)
    if not _losses_of_opening(session, ui):
        _begin(session, ui)


def _close(session: Session, ui: Ui) -> None:
    reasons = [] if "closing anyway" in ui.view.asked else losses(session)
    if reasons:
        answer = _ask(session, ui, reasons, "Close anyway")
        if answer == "go on":
            ui.view.ask("closing anyway")
        elif answer == "stay":
            _stay(ui)
        return
    recording = ui.recording
    if recording is None or recording.recorder is None:
        ui.view.ask("quit")
        return
    if recording.on:
        recording.stop()
    _wait_for_film(ui)


def _losses_of_opening(session: Session, ui: Ui) -> list[str]:
    path, _ = ui.view.opening
    weights = path.suffix.lower() == ".safetensors"  # for the body that is there
    busy = session.training.active or session.exporting is not None
    return losses(session) if busy or not weights else []


def _open(session: Session, ui: Ui) -> None:
    reasons = _losses_of_opening(session, ui)
    answer = _ask(session, ui, reasons, "Open anyway") if reasons else "go on"
    if answer == "go on":
        _begin(session, ui)
    elif answer == "stay":
        ui.view.opening = None


def _begin(session: Session, ui: Ui) -> None:
    (path, options), ui.view.opening = ui.view.opening, None
    session.attempt(session.open, path, **options)


def _ask(session: Session, ui: Ui, reasons: list[str], go_on: str) -> str:
    """Returns "go on", "stay", or nothing yet."""
    answer = ""
    with ui.floating("closing", (ui.size[0] / 2, ui.size[1] / 2), pivot=(0.5, 0.5), width=_WIDTH) as shown:
        if not shown:
            return answer
        for reason in reasons:
            ui.text(reason)
        psim.Dummy((0, ui.px(4)))
        busy = session.training.active or session.exporting is not None
        width = ui.share(3 if session.unsaved and not busy else 2)
        if ui.button(go_on, width=width):
            answer = "go on"
        psim.SameLine()
        if session.unsaved and not busy:
            if ui.button("Save##closing", width=width):
                save(session, ui)
                # Else it asks where to, or could not be saved.
                answer = "stay" if session.unsaved else "go on"
            psim.SameLine()
        stay = "Go on training" if session.training.active else "Stay"
        if ui.button(stay, width=width, primary=True) or psim.IsKeyPressed(psim.ImGuiKey_Escape, False):
            answer = "stay"
    return answer


def _wait_for_film(ui: Ui) -> None:
    recording = ui.recording
    with ui.floating("closing", (ui.size[0] / 2, ui.size[1] / 2), pivot=(0.5, 0.5), width=_WIDTH) as shown:
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
