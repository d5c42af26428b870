"""Loading: how far a file is on its way in."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    loading = session.loading
    if loading is None:
        return
    center = ((ui.column + ui.size[0]) / 2, ui.size[1] - ui.px(56))
    with ui.floating("loading", center, pivot=(0.5, 1.0), width=380, behind=True) as shown:
        if not shown:
            return
        psim.TextUnformatted(ui.fitted(f"Opening {loading.name}", ui.free_width))
        ui.faint(loading.stage[:1].upper() + loading.stage[1:] + "…")
        cancel = ui.px(84)
        psim.ProgressBar(
            loading.fraction, (ui.free_width - cancel - ui.px(8), 0.0), f"{loading.fraction:.0%}"
        )
        psim.SameLine()
        ui.command(session, "cancel_loading", "Cancel", width=cancel)
