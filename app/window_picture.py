"""Pictures of the window for films: with panels as on the screen, or the scene alone, in the middle."""

from __future__ import annotations

import numpy as np
import polyscope as ps

from app.stage import transparent_picture


def take_picture(*, panels: bool, transparent: bool, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """What the window shows now, uint8, shape (height, width, 4), in the window's own size. Outside of the callback.

    Args:
        panels: with all that lies over the scene. transparent: without a background; then no panels.
        shift: how far to move the scene to the right and up [m]: the window shows it beside its panels, a film not.
    """
    if panels:
        return ps.screenshot_to_buffer(transparent_bg=False, include_UI=True)
    view = ps.get_camera_view_matrix()
    try:
        if any(shift):
            moved = view.copy()
            moved[:2, 3] += shift
            ps.set_camera_view_matrix(moved)
        return transparent_picture() if transparent else ps.screenshot_to_buffer(transparent_bg=False)
    finally:
        ps.set_camera_view_matrix(view)
