"""A stage without a window: bodies, floor and light, drawn into arrays. Needs OpenGL, but no display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polyscope as ps
import torch

from app.body_structures import move_body, register_body, set_extent, show_floor
from app.film_camera import Shot
from app.theme import BODY_COLORS, LIGHT, style_scene
from sim.errors import StudioError

_SHADOW_BLUR = 1
"""Rounds of softening shadows; each costs as much as all the rest of a picture on software GL, the first shows most."""


class Drawable(Protocol):
    """What can be put on the stage: a `sim.Body`, or a `sim.playback.PlayedBody`."""

    name: str

    def positions(self) -> torch.Tensor:
        """Vertices now [m], shape (V, 3)."""


class Stage:
    """Draws bodies at a fixed size. One a process: the drawing library keeps one scene.

    Args:
        size: width and height [px]. samples: of each pixel, an edge length: 2 draws four times as many.

    Raises:
        StudioError: there is no OpenGL here; says what to install.
    """

    def __init__(self, size: tuple[int, int], *, samples: int = 2) -> None:
        ps.set_allow_headless_backends(True)
        ps.set_use_prefs_file(False)
        ps.set_verbosity(0)
        try:
            ps.init("openGL3_egl")
        except RuntimeError as error:
            raise StudioError(
                "Drawing needs OpenGL through EGL, which does not start here. On Debian or Ubuntu: "
                f"sudo apt-get install libegl1 libgl1-mesa-dri ({error})"
            ) from error
        ps.set_window_size(*size)
        ps.set_SSAA_factor(samples)
        ps.set_up_dir("y_up")
        ps.set_view_projection_mode("perspective")
        ps.set_automatically_compute_scene_extents(False)
        style_scene(LIGHT)
        ps.set_shadow_blur_iters(_SHADOW_BLUR)
        self._structures: list[tuple[Drawable, ps.SurfaceMesh | ps.PointCloud]] = []

    def set_floor(self, height: float | None) -> None:
        """Show a shadow on the floor at `height` [m], or no floor."""
        show_floor(height)

    def look(self, shot: Shot) -> None:
        """Put the camera somewhere."""
        ps.set_vertical_fov_degrees(shot.field_of_view)
        ps.look_at(tuple(shot.position.tolist()), tuple(shot.look_at.tolist()))

    def add(self, body: Drawable, color: Sequence[float] | None = None) -> None:
        """Show a body in a colour (RGB from 0 to 1); the window's own when None."""
        number = len(self._structures)
        color = tuple(color or BODY_COLORS[number % len(BODY_COLORS)])
        faces = body.shape.faces.numpy()
        structure = register_body(f"{number} {body.name}", body.positions().cpu().numpy(), faces, color)
        self._structures.append((body, structure))
        set_extent(*self.bounds())

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the box around all bodies now [m], (3,) each."""
        points = [body.positions().cpu().numpy() for body, _ in self._structures]
        return np.min([p.min(0) for p in points], 0), np.max([p.max(0) for p in points], 0)

    def draw(self, *, transparent: bool = False) -> np.ndarray:
        """The bodies where they are now, uint8, shape (height, width, 4)."""
        for body, structure in self._structures:
            move_body(structure, body.positions().cpu().numpy())
        return transparent_picture() if transparent else ps.screenshot_to_buffer(transparent_bg=False)


def transparent_picture() -> np.ndarray:
    """What Polyscope shows now without its background: uint8, shape (height, width, 4)."""
    backdrop = ps.get_background_color()
    try:
        return from_black_and_white(*(_on(ground) for ground in (0.0, 1.0)))
    finally:
        ps.set_background_color(backdrop)


def _on(ground: float) -> np.ndarray:
    ps.set_background_color((ground, ground, ground))
    return ps.screenshot_to_buffer(transparent_bg=False)


def from_black_and_white(black: np.ndarray, white: np.ndarray) -> np.ndarray:
    """A picture with transparency from the same picture on black and on white: uint8, shape (height, width, 4).

    Polyscope's own transparent pictures have hard edges. What covers a share `a` of a pixel with colour `c` gives
    `a c` on black and `a c + (1 - a)` on white.
    """
    dark, bright = black[..., :3].astype(np.float32), white[..., :3].astype(np.float32)
    alpha = np.clip(255 - (bright - dark).mean(axis=2, keepdims=True), 0, 255)
    color = np.clip(255 * dark / np.maximum(alpha, 1.0), 0, 255)
    return np.rint(np.concatenate([color, alpha], axis=2)).astype(np.uint8)
