"""How bodies and floors look: the same in the window and in films without one. Polyscope must have been started."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polyscope as ps

from app.theme import scene_color

MATERIAL = "wax"
"""Polyscope's shading for soft bodies: shows bumps without looking hard."""
SMOOTH_LIMIT = 60_000
"""Vertices; above, smooth shading of each frame costs more than it shows."""


def register_body(
    name: str, vertices: np.ndarray, faces: np.ndarray, color: Sequence[float]
) -> ps.SurfaceMesh | ps.PointCloud:
    """Show a body: a surface where it has faces, else its points.

    Args:
        vertices: [m], shape (V, 3). faces: shape (F, 3). color: red, green, blue from 0 to 1, as on the screen.
    """
    color = scene_color(tuple(map(float, color)))
    if not len(faces):
        return ps.register_point_cloud(name, vertices, color=color, material=MATERIAL)
    mesh = ps.register_surface_mesh(
        name, vertices, faces, smooth_shade=len(vertices) < SMOOTH_LIMIT, color=color, material=MATERIAL
    )
    mesh.set_back_face_policy("identical")
    return mesh


def move_body(structure: ps.SurfaceMesh | ps.PointCloud, vertices: np.ndarray) -> None:
    """Put a body's vertices elsewhere [m], shape (V, 3), finite numbers."""
    if isinstance(structure, ps.SurfaceMesh):
        structure.update_vertex_positions(vertices)
    else:
        structure.update_point_positions(vertices)


def show_floor(height: float | None) -> None:
    """Show a shadow on the floor at `height` [m], or no floor."""
    ps.set_ground_plane_mode("none" if height is None else "shadow_only")
    if height is not None:
        ps.set_ground_plane_height_mode("manual")
        ps.set_ground_plane_height(height)


def set_extent(low: np.ndarray, high: np.ndarray) -> None:
    """Tell Polyscope how large the scene is, from the corners of the box around it [m], (3,) each."""
    ps.set_length_scale(float(np.linalg.norm(high - low)) or 1.0)
    ps.set_bounding_box(low, high)
