"""Gizmos: one on each handle that is led, kept in step with the session in both directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polyscope as ps

from app.camera import CameraPose
from app.session import HandleGrip, Session

_SCREEN_RADIUS = 0.13  # of a gizmo, in heights of the window: where its arrows end
_SMALL = 0.7  # Polyscope's own size is too large beside a body
_SAME = 1e-6


@dataclass
class _Gizmo:
    grip: HandleGrip
    widget: ps.TransformationGizmo
    shown: np.ndarray


class Gizmos:
    """The gizmos of a session's grips."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._gizmos: dict[int, _Gizmo] = {}

    def sync(self) -> None:
        """Before drawing: gizmos for new grips, none for released ones, each where its grip is."""
        grips = {grip.key: grip for grip in self._session.grips}
        for key in set(self._gizmos) - set(grips):
            self._gizmos.pop(key).widget.remove()
        for key, grip in grips.items():
            transform = grip.transform
            if key not in self._gizmos:
                widget = ps.add_transformation_gizmo(f"handle {key}")
                widget.set_gizmo_scale(_SMALL)
                widget.set_allow_scaling(False)
                self._gizmos[key] = _Gizmo(grip, widget, np.full((4, 4), np.nan))
            gizmo = self._gizmos[key]
            gizmo.grip = grip
            if not np.allclose(transform, gizmo.shown, atol=_SAME):  # undo, reset
                gizmo.widget.set_transform(transform)
                gizmo.shown = np.asarray(gizmo.widget.get_transform(), dtype=np.float64)

    def follow(self) -> None:
        """After drawing: what the person moved leads its handle."""
        for gizmo in self._gizmos.values():
            transform = np.asarray(gizmo.widget.get_transform(), dtype=np.float64)
            if not np.allclose(transform, gizmo.shown, atol=_SAME):
                gizmo.shown = transform
                gizmo.grip.move_to(transform)

    def under(self, mouse: tuple[float, float], pose: CameraPose) -> bool:
        """Whether a press there belongs to a gizmo."""
        for gizmo in self._gizmos.values():
            (pixel,), _ = pose.project(gizmo.shown[:3, 3][None])
            if np.linalg.norm(pixel - np.asarray(mouse)) < _SCREEN_RADIUS * pose.size[1]:
                return True
        return False

    def clear(self) -> None:
        """Take all away."""
        gizmos, self._gizmos = self._gizmos, {}
        for gizmo in gizmos.values():
            gizmo.widget.remove()
