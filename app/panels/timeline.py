"""Timeline: everything since the last reset, to scrub, to play back, to go on from."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Timeline") as shown:
        if not shown:
            return
        timeline = session.timeline
        if session.world is None or timeline.last < 0:
            ui.faint("What is simulated can be looked at again here.")
            return
        psim.SetNextItemWidth(-1.0)
        changed, frame = psim.SliderInt(
            "##frame",
            timeline.cursor,
            timeline.first,
            max(timeline.last, timeline.first + 1),
            f"{timeline.time(timeline.cursor):.2f} s of {timeline.time(timeline.last):.2f} s",
            psim.ImGuiSliderFlags_NoInput | psim.ImGuiSliderFlags_AlwaysClamp,
        )
        ui.tooltip("Drag to look back.")
        if changed:
            session.attempt(session.seek, frame)
        width = ui.share(3)
        if session.playing_back:
            ui.command(session, "pause", "Hold", width=width)
        else:
            ui.command(session, "play_back", "Play back", width=width, hint="Show it again as a film.")
        psim.SameLine()
        ui.command(
            session,
            "continue_from",
            "Go on here",
            timeline.cursor,
            width=width,
            hint="Forget what came after this frame and simulate on.",
        )
        psim.SameLine()
        if ui.button(
            "Save…",
            width=width,
            why_not=session.can("save_motion"),
            hint="The whole motion in one file, to replay at any size.",
        ):
            ui.view.ask("save motion")
        used = timeline.bytes / timeline.bound
        if used > 0.5:
            ui.faint(f"{used:.0%} of the memory for frames is used; the oldest will go.")
