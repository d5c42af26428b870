"""`simplicits-studio view`: the window on a scene or a mesh."""

from __future__ import annotations

from typing import Annotated

import tyro


def run(
    source: Annotated[str, tyro.conf.Positional] = "gummy_bear",
    device: str = "auto",
    size: float | None = None,
    empty: bool = False,
) -> int:
    """Open the window: pull, pin and lead what is shown; train its handles meanwhile.

    Args:
        source: scene or mesh file, or the name of a shipped scene.
        device: where bodies compute: auto, cpu, cuda.
        size: longest side of a mesh in metres; guessed from its numbers when left out.
        empty: open nothing.
    """
    from app.display import has_display
    from app.settings import Settings

    if not has_display():
        from sim.errors import StudioError

        raise StudioError(
            "There is no display here to open a window on; `simplicits-studio record` makes a video without one."
        )
    from app.theme import THEMES
    from app.window import open_window, show_splash

    settings = Settings.load()
    colors, scale = THEMES[settings.theme], settings.ui_scale or 1.0
    open_window(colors=colors, scale=scale)
    show_splash(colors, scale)

    # Seconds of reading libraries, with the window on screen already. All of it before any thread begins: an
    # import beside the window's frames would take far longer.
    from app.jobs import leave
    from app.session import Session
    from app.viewer import Viewer

    session = Session(device, settings)
    viewer = Viewer(session)
    if not empty:
        session.attempt(session.open, source, size=size)
    viewer.run()
    if viewer.recording.closing or not session.close(seconds=0):
        leave(0)
    return 0
