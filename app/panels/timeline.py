"""Timeline: everything since the last reset along the bottom, to scrub, to play back, to go on from."""

from __future__ import annotations

import polyscope.imgui as psim

from app.panels.status import HEIGHT as STATUS
from app.session import Session
from app.ui import Ui

HEIGHT = 32.0
"""At UI scale 1 [px]."""
_TIMES, _TIME = 134.0, 60.0  # widths of two times, and of one


def draw(session: Session, ui: Ui) -> None:
    timeline = session.timeline
    if session.world is None or timeline.last < 0:
        return
    height = ui.px(HEIGHT)
    place = (ui.column, ui.size[1] - ui.px(STATUS) - height + 1)
    with ui.bar("timeline", place, (ui.size[0] - ui.column, height)) as shown:
        if shown:
            _contents(session, ui)


def _contents(session: Session, ui: Ui) -> None:
    timeline = session.timeline
    if session.playing_back:
        ui.command(session, "pause", "Hold", width=ui.px(84))
    else:
        hint = "Show what was simulated again, as a film."
        ui.command(session, "play_back", "Play back", width=ui.px(84), hint=hint)
    psim.SameLine()
    roomy = ui.free_width > ui.px(420)  # else there is only the slider
    rest = ui.px(112) + ui.px(64) + 2 * psim.GetStyle().ItemSpacing[0] if roomy else 0.0
    used = timeline.bytes / timeline.bound
    full = f" {used:.0%} of the memory for frames is used; then the oldest go." if used > 0.5 else ""
    now, end = timeline.time(timeline.cursor), timeline.time(timeline.last)
    flags = psim.ImGuiSliderFlags_NoInput | psim.ImGuiSliderFlags_AlwaysClamp
    frame = ui.knob(
        "##frame",
        timeline.cursor,
        timeline.first,
        max(timeline.last, timeline.first + 1),
        "%d",
        f"{now:.2f} s  /  {end:.2f} s" if roomy else f"{now:.2f} s",
        room=_TIMES if roomy else _TIME,
        width=ui.free_width - rest,
        flags=flags,
        hint=f"Drag to look back.{full}",
    )
    if frame is not None:
        session.attempt(session.seek, frame)
    if not roomy:
        return
    psim.SameLine()
    ui.command(
        session,
        "continue_from",
        "Go on here",
        timeline.cursor,
        width=ui.px(112),
        hint="Forget what came after this frame and simulate on.",
    )
    psim.SameLine()
    hint = "The whole motion in one file, to replay at any size."
    if ui.button("Save…", width=ui.px(64), why_not=session.can("save_motion"), hint=hint):
        ui.view.ask("save motion")
