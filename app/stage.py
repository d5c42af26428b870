"""A stage without a window: bodies, floor and light, drawn into arrays. Needs OpenGL, but no display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polyscope as ps
import torch

from app.body_structures import move_body, register_body, set_extent, show_floor
from app.film_camera import Shot
from sim.errors import StudioError

BACKGROUND = (0.93, 0.94, 0.96)
PALETTE = ((0.86, 0.16, 0.14), (0.98, 0.62, 0.12), (0.22, 0.58, 0.84), (0.36, 0.68, 0.32), (0.62, 0.42, 0.78))


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
        self._structures: list[tuple[Drawable, ps.SurfaceMesh | ps.PointCloud]] = []

    def set_floor(self, height: float | None) -> None:
        """Show a shadow on the floor at `height` [m], or no floor."""
        show_floor(height)

    def look(self, shot: Shot) -> None:
        """Put the camera somewhere."""
        ps.set_vertical_fov_degrees(shot.field_of_view)
        ps.look_at(tuple(shot.position.tolist()), tuple(shot.look_at.tolist()))

    def add(self, body: Drawable, color: Sequence[float] | None = None) -> None:
        """Show a body in a colour (RGB from 0 to 1); one of a palette when None."""
        number = len(self._structures)
        color = tuple(color or PALETTE[number % len(PALETTE)])
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
        image = ps.screenshot_to_buffer(transparent_bg=True)
        return image if transparent else over_background(image, BACKGROUND)


def over_background(image: np.ndarray, color: Sequence[float]) -> np.ndarray:
    """A transparent picture on a plain colour: uint8, shape (height, width, 4), opaque.

    Args:
        image: uint8, shape (height, width, 4). color: RGB from 0 to 1.
    """
    alpha = image[..., 3:].astype(np.float32) / 255
    over = image[..., :3] * alpha + 255 * np.array(color, np.float32) * (1 - alpha)
    return np.concatenate([np.rint(over).astype(np.uint8), np.full_like(image[..., 3:], 255)], axis=2)
