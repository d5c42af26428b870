"""Scenery: bodies, floor, ghosts and weight colours as Polyscope structures, kept up to date with the session."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polyscope as ps

from app.body_structures import move_body, register_body, set_extent, show_floor
from app.pointer import Surface
from app.session import Session
from app.theme import BODY_COLORS, Color, Theme, scene_color
from app.view import View
from app.weight_fields import blended, dominant, handle_colors, one_handle, vertex_weights
from app.weight_grid import WeightGrid
from scenes.build import placement
from sim.body import Body

_FIELD = "weights"
_GHOST_TRANSPARENCY = 0.28
_GHOST_PASSES = 3


@dataclass
class _Drawn:
    """What is on show of one body."""

    body: Body
    structure: ps.SurfaceMesh | ps.PointCloud
    vertices: np.ndarray
    rest: np.ndarray
    faces: np.ndarray
    color: tuple[float, float, float]
    start: np.ndarray
    ghost: ps.SurfaceMesh | None = None
    handles: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))


class Scenery:
    """Shows a session's world. `sync` once a frame, outside of Polyscope's callback.

    Args:
        session: what to show. view: how. theme: in which colours.
    """

    def __init__(self, session: Session, view: View, theme: Theme) -> None:
        self._session = session
        self._view = view
        self.theme = theme
        self._drawn: list[_Drawn] = []
        self.grid = WeightGrid()
        self._scene = -1
        self._motion = -1
        self._colors: object = None
        self._ghosts: object = None
        self._floor: object = ()

    def sync(self) -> bool:
        """Bring the structures up to date.

        Returns:
            Whether other bodies are shown than before: time to look at them.
        """
        session = self._session
        changed = session.scene_version != self._scene
        if changed:
            self._scene = session.scene_version
            self._rebuild()
        if session.motion_version != self._motion or changed:
            self._motion = session.motion_version
            self._move()
        self._show_floor()
        self._show_grid()
        colors = (
            session.scene_version,
            session.weights_version,
            self._view.weight_key,
            *self._choice(),
            self._pins(),
        )
        if colors != self._colors:
            self._colors = colors
            for drawn in self._drawn:
                self._color(drawn)
        ghosts = (session.scene_version, self._view.ghost)
        if ghosts != self._ghosts:
            self._ghosts = ghosts
            self._show_ghosts()
        return changed

    @property
    def surfaces(self) -> list[Surface]:
        """What the mouse can meet, as drawn; nothing while the grid of weights is shown."""
        if self._view.weights == "grid":
            return []
        return [Surface(d.body, d.vertices, d.rest, d.faces, d.handles) for d in self._drawn]

    def bounds(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Corners of the box around what is shown [m], (3,) each; None when there is nothing."""
        if self._view.weights == "grid" and self.grid.bounds is not None:
            return self.grid.bounds
        if not self._drawn:
            return None
        lows, highs = zip(*((d.vertices.min(0), d.vertices.max(0)) for d in self._drawn), strict=True)
        return np.min(lows, 0).astype(float), np.max(highs, 0).astype(float)

    def clear(self) -> None:
        """Take everything away."""
        self.grid.clear()
        # Polyscope aborts when a structure is used after it was removed: forget it first.
        self._drawn = []
        ps.remove_all_structures()

    # -- building -------------------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        self.clear()
        self._colors = self._ghosts = None
        session = self._session
        parts = session.scene.bodies if session.scene is not None else ()
        for number, body in enumerate(session.bodies):
            part = parts[number] if number < len(parts) else None
            color = part.color if part is not None and part.color else BODY_COLORS[number % len(BODY_COLORS)]
            vertices = session.positions(body)
            rest, faces = body.shape.vertices.numpy(), body.shape.faces.numpy()
            start = rest
            if part is not None:
                matrix = placement(part.transform)
                start = rest @ matrix[:, :3].T + matrix[:, 3]
            name = f"{number} {body.name}"
            structure = register_body(name, vertices, faces, color)
            self._drawn.append(_Drawn(body, structure, vertices, rest, faces, tuple(color), start))
        bounds = self.bounds()
        if bounds is not None:
            set_extent(*bounds)

    def _move(self) -> None:
        for drawn in self._drawn:
            vertices = self._session.positions(drawn.body)
            drawn.vertices = vertices
            drawn.handles = self._session.handle_points(drawn.body)
            move_body(drawn.structure, vertices)

    def _show_floor(self) -> None:
        scene = self._session.scene
        floor = scene.floor.height if scene is not None and scene.floor is not None else None
        if self._view.weights == "grid":
            floor = None
        if floor == self._floor:
            return
        self._floor = floor
        show_floor(floor)

    # -- colours --------------------------------------------------------------------------------------------

    def _choice(self) -> tuple:
        selected = self._session.selected_handle if self._view.weights == "one" else None
        return (
            self._session.selected_body if self._view.weights == "one" else None,
            selected,
            self.theme.name,
        )

    def _pins(self) -> tuple[int, ...]:
        return tuple(pin.key for pin in self._session.pins) if self._session.world is not None else ()

    def _color(self, drawn: _Drawn) -> None:
        structure, view = drawn.structure, self._view
        structure.remove_all_quantities()
        one = view.weights == "one" and drawn.body is self._session.selected_body
        if one:
            self._show_one(drawn)
            return
        held = self._held(drawn)
        if view.weights in ("all", "dominant"):
            weights = vertex_weights(drawn.body, localized=view.localized)
            hues = handle_colors(weights.shape[1]) ** 2.2
            colors = blended(weights, hues) if view.weights == "all" else hues[dominant(weights)]
        elif held.any():
            colors = np.tile(scene_color(drawn.color), (len(drawn.vertices), 1))
        else:
            return
        colors[held] = scene_color(_farther(drawn.color, self.theme.pin, self.theme.warning))
        structure.add_color_quantity(_FIELD, colors, enabled=True, **_on_vertices(structure))

    def _show_one(self, drawn: _Drawn) -> None:
        handle, signed = self._session.selected_handle, self._view.signed
        values, most = one_handle(drawn.body, handle, localized=self._view.localized)
        drawn.structure.add_scalar_quantity(
            _FIELD,
            values if signed else np.abs(values),
            enabled=True,
            datatype="symmetric" if signed else "standard",
            cmap="coolwarm" if signed else "viridis",
            vminmax=(-most, most) if signed else (0.0, most),
            isolines_enabled=True,
            isoline_style="stripe",
            isoline_width=most / 6,
            isoline_width_relative=False,
            isoline_darkness=0.86,
            **_on_vertices(drawn.structure),
        )

    def _held(self, drawn: _Drawn) -> np.ndarray:
        """Which vertices lie where a pin holds, bool (V,)."""
        held = np.zeros(len(drawn.rest), bool)
        for pin in self._session.pins:
            if pin.body is drawn.body:
                held |= pin.covers(drawn.rest) | _near(drawn.rest, pin.rest, drawn.body)
        return held

    # -- beside the bodies ----------------------------------------------------------------------------------

    def _show_ghosts(self) -> None:
        for number, drawn in enumerate(self._drawn):
            if drawn.ghost is not None:
                ghost, drawn.ghost = drawn.ghost, None
                ghost.remove()
            if self._view.ghost and len(drawn.faces):
                drawn.ghost = ps.register_surface_mesh(
                    f"ghost {number}",
                    drawn.start,
                    drawn.faces,
                    smooth_shade=True,
                    color=scene_color(self.theme.faint),
                    material="flat",
                    transparency=_GHOST_TRANSPARENCY,
                )
                drawn.ghost.set_back_face_policy("cull")
        # Bodies stay solid and hide what is behind them only when surfaces are peeled off in order of depth.
        ps.set_transparency_mode("pretty" if self._view.ghost else "none")
        ps.set_transparency_render_passes(_GHOST_PASSES)

    def _show_grid(self) -> None:
        body = self._session.selected_body
        wanted = self._view.weights == "grid" and body is not None
        key = (id(body), self._session.weights_version, self._view.localized, self._view.signed)
        if self.grid.update(body if wanted else None, key, self._view):
            self._view.ask("frame")
        for drawn in self._drawn:
            drawn.structure.set_enabled(not wanted)
            if drawn.ghost is not None:
                drawn.ghost.set_enabled(not wanted)


def _farther(color: Color, *others: Color) -> Color:
    """Which of the others is easiest to tell from a colour: a teal pin on a teal octopus is not seen."""
    return max(others, key=lambda other: float(np.linalg.norm(np.subtract(other, color))))


def _on_vertices(structure: ps.SurfaceMesh | ps.PointCloud) -> dict[str, str]:
    return {"defined_on": "vertices"} if isinstance(structure, ps.SurfaceMesh) else {}


def _near(rest: np.ndarray, held: np.ndarray, body: Body) -> np.ndarray:
    """Surface vertices next to held samples: within their spacing."""
    from scipy.spatial import cKDTree

    spacing = 1.5 * (body.shape.volume / max(1, len(body.space.samples))) ** (1 / 3)
    distance, _ = cKDTree(held).query(rest, distance_upper_bound=spacing)
    return np.isfinite(distance)
