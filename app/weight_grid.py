"""The grid of weights: a small copy of the body for each handle, put up a few a frame so that none takes long."""

from __future__ import annotations

import numpy as np
import polyscope as ps

from app.view import View
from app.weight_fields import coarse_mesh, facing, grid_places, vertex_weights
from sim.body import Body

_COPY_VERTICES = 4000  # of a copy, about: it is some hundred pixels tall
_A_FRAME = 4  # copies registered in one frame
_GAP, _GAP_BELOW = 1.12, 1.32  # cells over copies: room between them, and for a number below
_FLAT_BELOW = 0.2  # room for a number in widths of a copy, at the least


class WeightGrid:
    """Copies of one body side by side, upright, or seen from above where it lies flat.

    Attributes:
        bounds: corners of the box around all of them [m]; None when there are none.
        middles: of the copies [m], (H, 3), by handle. height: of a copy and the gap below it [m].
    """

    def __init__(self) -> None:
        self._key: object = None
        self._copies: list[ps.SurfaceMesh] = []
        self._waiting: list[tuple[int, np.ndarray]] = []
        self._mesh: tuple[np.ndarray, np.ndarray] = (np.zeros((0, 3)), np.zeros((0, 3), int))
        self._weights = np.zeros((0, 0))
        self.bounds: tuple[np.ndarray, np.ndarray] | None = None
        self.middles = np.zeros((0, 3))
        self.height = 0.0

    def update(self, body: Body | None, key: object, view: View) -> bool:
        """Show the weights of this body (None: nothing); `key` changes when they do.

        Returns:
            Whether a new grid was laid out.
        """
        if body is None:
            if self._key is not None:
                self.clear()
            return False
        laid_out = key != self._key
        if laid_out:
            self.clear()
            self._key = key
            self._lay_out(body, view)
        for handle, place in self._waiting[:_A_FRAME]:
            self._add(handle, place, view)
        self._waiting = self._waiting[_A_FRAME:]
        return laid_out

    def clear(self) -> None:
        """Take the copies away."""
        copies, self._copies = self._copies, []
        for copy in copies:
            copy.remove()
        self._key, self._waiting, self.bounds = None, [], None
        self.middles = np.zeros((0, 3))

    def _lay_out(self, body: Body, view: View) -> None:
        rest = body.shape.vertices.numpy()
        kept, faces = coarse_mesh(rest, body.shape.faces.numpy(), _COPY_VERTICES)
        vertices = facing(rest[kept] - (rest.min(0) + rest.max(0)) / 2)
        self._mesh = (vertices, faces)
        self._weights = vertex_weights(body, localized=view.localized)[kept]
        width, height, depth = np.ptp(vertices, axis=0)
        # A number needs as much room below a flat body as below a tall one.
        width, height = (
            max(_GAP * width, 0.3 * height),
            max(_GAP_BELOW * height, height + _FLAT_BELOW * width),
        )
        places = grid_places(self._weights.shape[1], width, height, 1.25)
        self.middles = np.column_stack([places, np.zeros(len(places))])
        self.height = float(height)
        self._waiting = list(enumerate(self.middles))
        reach = np.abs(places).max(0) + np.array([width, height]) / 2
        self.bounds = (np.array([*-reach, -depth / 2]), np.array([*reach, depth / 2]))

    def _add(self, handle: int, place: np.ndarray, view: View) -> None:
        vertices, faces = self._mesh
        values = self._weights[:, handle].astype(np.float64)
        most = float(np.abs(values).max()) or 1.0
        name = f"weights of handle {handle}"
        if not len(faces):
            return
        copy = ps.register_surface_mesh(name, vertices + place, faces, smooth_shade=True, material="wax")
        copy.set_back_face_policy("identical")
        copy.add_scalar_quantity(
            "weights",
            values if view.signed else np.abs(values),
            enabled=True,
            datatype="symmetric" if view.signed else "standard",
            cmap="coolwarm" if view.signed else "viridis",
            vminmax=(-most, most) if view.signed else (0.0, most),
        )
        self._copies.append(copy)
