"""Record: a film of what the window shows; films of the timeline at any size; geometry for other tools."""

from __future__ import annotations

import polyscope.imgui as psim

from app.export import FORMATS
from app.film_files import KINDS
from app.live_recording import RATES, SIZES, LiveRecording, film_name, free_name
from app.session import Session
from app.ui import Ui

_KINDS = {".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".gif": "gif", ".png": "png"}
_EXPORTS = {"usd": ".usdc", "npz": ".npz", "obj": "", "ply": ""}


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Record", opened=False) as shown:
        if not shown:
            return
        recording = ui.recording
        _choices(ui, recording)
        _record(session, ui, recording)
        _film(session, ui, recording)
        _export(session, ui, recording)
        _folder(ui, recording)


def _choices(ui: Ui, recording: LiveRecording) -> None:
    choice = recording.choice
    choice.kind = ui.choice("kind", choice.kind, _KINDS, KINDS)
    ui.label("Size", "Of the film [pixels], whatever the size of the window.")
    names = list(SIZES)
    labels = [f"{name}  {width} x {height}" for name, (width, height) in SIZES.items()]
    changed, number = psim.Combo("##size", names.index(choice.size), labels)
    if changed:
        choice.size = names[number]
    ui.label("Rate", "Frames a second of simulated time, whatever the rate of the screen.")
    changed, number = psim.Combo("##rate", RATES.index(choice.fps), [f"{rate} a second" for rate in RATES])
    if changed:
        choice.fps = RATES[number]
    _, choice.transparent = psim.Checkbox("No background", choice.transparent)
    ui.tooltip("Keeps transparency: mov, webm, png, gif.")
    psim.SameLine()
    _, choice.panels = psim.Checkbox("With panels", choice.panels)
    ui.tooltip("Record the whole window, panels and pointer's line included.")


def _record(session: Session, ui: Ui, recording: LiveRecording) -> None:
    recorder = recording.recorder
    if recorder is None:
        hint = "Films what you see and do from now on. Ctrl+R starts and stops."
        if ui.button("Record", width=-1.0, why_not=recording.why_not_start(), hint=hint):
            recording.toggle()
        return
    stop = ui.button(
        "Stop", width=ui.px(90), primary=True, why_not=None if recording.on else recording.why_not_start()
    )
    if stop:
        recording.toggle()
    psim.SameLine()
    word = "to write" if recording.closing else "waiting"
    ui.text(
        f"{recorder.seconds:.1f} s, {recorder.bytes / 1e6:.1f} MB, {recorder.waiting} {word}",
        ui.theme.bad if recording.on else None,
    )
    if recording.on and session.simulation != "playing" and not session.playing_back:
        ui.faint("Time stands still, and so does the film.")


def _film(session: Session, ui: Ui, recording: LiveRecording) -> None:
    choice = recording.choice
    ui.heading("The timeline")
    turn = ui.slider(
        "Turn",
        choice.turn,
        0.0,
        30.0,
        "%.0f s a turn" if choice.turn else "still",
        hint="The camera goes round once in so many seconds.",
    )
    if turn is not None:
        choice.turn = float(round(turn))
    if session.exporting is not None:
        psim.ProgressBar(session.exporting.fraction, (-1.0, 0.0), session.exporting.stage)
        if ui.button("Cancel", width=-1.0):
            session.cancel_export()
        return
    why_not = session.can("film_motion") or choice.why_not()
    hint = "Draws all that was simulated once more, at the size chosen, beside the window."
    if ui.button("Film the timeline", width=-1.0, why_not=why_not, hint=hint):
        session.attempt(
            session.film_motion,
            free_name(recording.folder, film_name(session), choice.kind),
            size=SIZES[choice.size],
            fps=float(choice.fps),
            turn=choice.turn,
            transparent=choice.transparent,
        )


def _export(session: Session, ui: Ui, recording: LiveRecording) -> None:
    ui.heading("Export the timeline as")
    width = ui.share(len(_EXPORTS))
    for number, (name, suffix) in enumerate(_EXPORTS.items()):
        if number:
            psim.SameLine()
        if ui.button(
            f"{name}##export", width=width, why_not=session.can("export_motion"), hint=FORMATS[name]
        ):
            path = free_name(recording.folder, f"{film_name(session)}-{name}", suffix)
            session.attempt(session.export_motion, path, format=name)


def _folder(ui: Ui, recording: LiveRecording) -> None:
    ui.label("Folder", str(recording.folder))
    _, text = psim.InputText("##films", str(recording.folder))
    if psim.IsItemDeactivatedAfterEdit():
        recording.set_folder(text)
    if recording.problem:
        ui.text(recording.problem, ui.theme.bad)
