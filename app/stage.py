"""A stage without a window: bodies, floor and light, drawn into arrays. Needs OpenGL, but no display."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polyscope as ps

from sim.body import Body
from sim.errors import StudioError

BACKGROUND = (0.93, 0.94, 0.96)
PALETTE = ((0.86, 0.16, 0.14), (0.98, 0.62, 0.12), (0.22, 0.58, 0.84), (0.36, 0.68, 0.32), (0.62, 0.42, 0.78))


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
        self._meshes: dict[Body, ps.SurfaceMesh | ps.PointCloud] = {}

    def set_floor(self, height: float | None) -> None:
        """Show a shadow on the floor at `height` [m], or no floor."""
        ps.set_ground_plane_mode("none" if height is None else "shadow_only")
        if height is not None:
            ps.set_ground_plane_height_mode("manual")
            ps.set_ground_plane_height(height)

    def look(
        self, position: Sequence[float], target: Sequence[float], *, field_of_view: float | None = None
    ) -> None:
        """Put the camera at `position` [m], looking at `target` [m]; field of view in degrees."""
        if field_of_view is not None:
            ps.set_vertical_field_of_view(field_of_view)
        ps.look_at(tuple(map(float, position)), tuple(map(float, target)))

    def add(self, body: Body, color: Sequence[float] | None = None) -> None:
        """Show a body in a colour (RGB from 0 to 1)."""
        color = tuple(color or PALETTE[len(self._meshes) % len(PALETTE)])
        points = body.positions().cpu().numpy()
        name = f"{len(self._meshes)} {body.name}"
        if len(body.shape.faces):
            mesh = ps.register_surface_mesh(
                name, points, body.shape.faces.numpy(), smooth_shade=True, color=color, material="wax"
            )
        else:
            mesh = ps.register_point_cloud(name, points, color=color, material="wax")
        self._meshes[body] = mesh
        low, high = points.min(0), points.max(0)
        for other in self._meshes:
            here = other.positions().cpu().numpy()
            low, high = np.minimum(low, here.min(0)), np.maximum(high, here.max(0))
        ps.set_length_scale(float(np.linalg.norm(high - low)))
        ps.set_bounding_box(low, high)

    def draw(self, *, transparent: bool = False) -> np.ndarray:
        """The bodies where they are now, uint8, shape (height, width, 4)."""
        for body, mesh in self._meshes.items():
            points = body.positions().cpu().numpy()
            if isinstance(mesh, ps.SurfaceMesh):
                mesh.update_vertex_positions(points)
            else:
                mesh.update_point_positions(points)
        image = ps.screenshot_to_buffer(transparent_bg=True).astype(np.float32)
        if transparent:
            return image.astype(np.uint8)
        alpha = image[..., 3:] / 255
        over = image[..., :3] * alpha + 255 * np.array(BACKGROUND, np.float32) * (1 - alpha)
        return np.concatenate([over, np.full_like(alpha, 255)], axis=2).astype(np.uint8)
