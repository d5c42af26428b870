"""Keys: what each one does, in one table that the sheet of keys is made from."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui
from scenes.shipped import LIBRARY

SHEET: tuple[tuple[str, str], ...] = (
    ("Left drag on a body", "pull it"),
    ("Left drag beside it", "orbit"),
    ("Right drag", "pan"),
    ("Wheel", "zoom"),
    ("Right click on a body", "pin or unpin that place"),
    ("Click a handle's point", "show its weights; with the handle tool: lead it"),
    ("Space", "play or pause"),
    (".", "one time step"),
    ("R", "reset to the start"),
    ("F", "frame everything"),
    ("1  2  3", "tools: pull, pin, handles"),
    ("[  ]", "smaller or larger pins"),
    ("W", "next way to show weights"),
    ("H", "hide or show the panels"),
    ("T", "light or dark"),
    ("Ctrl+O  Ctrl+S", "open, save"),
    ("Ctrl+R", "record a film, or stop"),
    ("Ctrl+Z  Ctrl+Shift+Z", "undo, redo"),
    ("Esc", "cancel what is going on"),
    ("?", "this sheet"),
)
"""Gesture or key, and what it does."""

_WEIGHTS = ("off", "one", "all", "dominant", "grid")


def press_keys(session: Session, ui: Ui, *, escape: bool) -> None:
    """Obey the keys of this frame; none of them while text is being typed. Inside Polyscope's callback."""
    io, view = psim.GetIO(), ui.view
    if escape:
        _escape(session, ui)
    if io.WantTextInput:
        return
    if io.KeyCtrl:
        if _pressed("Z"):
            command = "redo" if io.KeyShift else "undo"
            if session.can(command) is None:
                session.attempt(getattr(session, command))
        elif _pressed("O"):
            view.ask("open")
        elif _pressed("S"):
            save(session, ui)
        elif _pressed("R") and ui.recording is not None:
            ui.recording.toggle()
        return
    if _pressed("Space") and session.can("play") is None:
        moving = session.simulation == "playing" or session.playing_back
        session.attempt(session.pause if moving else session.play)
    if _pressed("Period") and session.can("step") is None:
        session.attempt(session.step)
    if _pressed("R") and session.can("reset") is None:
        session.attempt(session.reset)
    if _pressed("F"):
        view.ask("frame")
    if _pressed("H"):
        view.panels = not view.panels
    if _pressed("T"):
        session.settings.set_theme("dark" if session.settings.theme == "light" else "light")
    if _pressed("W"):
        view.weights = _WEIGHTS[(_WEIGHTS.index(view.weights) + 1) % len(_WEIGHTS)]
    for key, tool in (("1", "pull"), ("2", "pin"), ("3", "handle")):
        if _pressed(key):
            session.tool = tool
    if _pressed("LeftBracket"):
        view.pin_radius = max(0.02, view.pin_radius / 1.2)
    if _pressed("RightBracket"):
        view.pin_radius = min(0.4, view.pin_radius * 1.2)
    if _pressed("Slash") and io.KeyShift:
        view.help = not view.help


def save(session: Session, ui: Ui) -> None:
    """Save where the scene came from, or ask where. Whether it was saved at once is what `session.dirty` tells."""
    if session.can("save_scene") is not None:
        return
    if session.scene_path is None or session.scene_path.parent == LIBRARY:
        ui.view.ask("save")  # a shipped scene is the program's, and stays as it is
    elif session.attempt(session.save_scene) is not None:
        session.notify("info", f"Saved {session.scene_path.name}.")


def _escape(session: Session, ui: Ui) -> None:
    """One thing at a time: the sheet, then the gizmos, then the tool."""
    if ui.view.help:
        ui.view.help = False
    elif session.grips:
        session.attempt(session.grips[-1].release)
    elif session.tool != "pull":
        session.tool = "pull"


def _pressed(name: str) -> bool:
    return psim.IsKeyPressed(getattr(psim, f"ImGuiKey_{name}"), False)
