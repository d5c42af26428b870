"""Header: what is open, how large it is, how fast it goes."""

from __future__ import annotations

import polyscope.imgui as psim

from app.session import Session
from app.ui import Ui


def draw(session: Session, ui: Ui) -> None:
    title = session.scene.name if session.scene is not None else "Simplicits Studio"
    changed = session.dirty and session.scene is not None
    ui.title(f"{title} *" if changed else title)
    if changed:
        ui.tooltip("Changed since it was saved.")
    if session.world is None:
        ui.faint(f"Computes on {device_name(session)}.")
    else:
        vertices = sum(len(body.shape.vertices) for body in session.bodies)
        handles = " + ".join(str(body.basis.handles) for body in session.bodies[:4])
        ui.faint(f"{vertices:,} vertices  ·  {handles} handles  ·  {device_name(session)}")
        rate = psim.GetIO().Framerate
        slow = f"  ·  {session.slow_motion:.0%} speed" if session.slow_motion < 0.95 else ""
        ui.faint(f"{rate:.0f} frames/s  ·  {session.step_ms:.1f} ms a step{slow}")
        if slow:
            ui.tooltip(
                "This machine needs longer for a step than the step lasts, so the motion is shown slower."
            )
    psim.Dummy((0, ui.px(2)))


def device_name(session: Session) -> str:
    """As a person says it."""
    return {"cpu": "CPU", "cuda": "GPU"}.get(session.device.type, session.device.type)
