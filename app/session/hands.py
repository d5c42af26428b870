"""Commands of the hand: grab, pin, lead handles, undo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.session.state import SessionState
from app.session.views import GrabHandle, HandleGrip, HeldPin
from sim.body import Body


class HandCommands(SessionState):
    """What holds and pulls bodies."""

    # -- pulling --------------------------------------------------------------------------------------------

    def grab(self, body: Body, point: Sequence[float], radius: float | None = None) -> GrabHandle:
        """Take hold of a body's surface; its force is capped (`pull_strength`).

        Args:
            point: on the surface as it is now [m]. radius: of the ball that is held [m]; a twentieth of the body
                when None.

        Raises:
            Refusal: nothing is open. WorldError: impossible numbers.
        """
        raise NotImplementedError

    # -- pins -----------------------------------------------------------------------------------------------

    @property
    def pins(self) -> tuple[HeldPin, ...]:
        """Every pin in the world, those of the scene file included."""
        raise NotImplementedError

    def pin(self, body: Body, point: Sequence[float], radius: float | None = None) -> HeldPin:
        """Hold the ball around a point of a body where it is now. Can be undone.

        Args:
            point: rest position [m], shape (3,): the barycentric point of the picked triangle in
                `body.shape.vertices`. radius: [m], a twelfth of the body when None.

        Raises:
            Refusal: nothing is open. WorldError: nothing lies there.
        """
        raise NotImplementedError

    def pin_vertices(self, body: Body, mask: np.ndarray) -> HeldPin:
        """Hold the region around chosen vertices (box or brush) where it is now. Can be undone.

        Args:
            mask: bool, shape (V,).

        Raises:
            Refusal: nothing is open, or no vertex is chosen.
        """
        raise NotImplementedError

    def pin_at(self, body: Body, point: Sequence[float]) -> HeldPin | None:
        """The pin that holds a rest point [m] (within its spacing), if any: what a right click would unpin."""
        raise NotImplementedError

    def unpin(self, pin: HeldPin) -> None:
        """Take a pin away; a second time does nothing. Can be undone."""
        raise NotImplementedError

    def unpin_all(self) -> None:
        """Take all pins away. Can be undone."""
        raise NotImplementedError

    # -- handles --------------------------------------------------------------------------------------------

    def handle_points(self, body: Body) -> np.ndarray:
        """Where the body's localised handles are now [m], shape (H, 3): draw and pick these.

        Row h belongs to `body.basis.localized_weights(...)[:, h]`. Empty (0, 3) for weights without them.
        """
        raise NotImplementedError

    @property
    def grips(self) -> tuple[HandleGrip, ...]:
        """Every handle that is led by a gizmo."""
        raise NotImplementedError

    def drag_handle(self, body: Body, handle: int) -> HandleGrip:
        """Take a localised handle: its region stays where it is and follows `HandleGrip.move_to`. Can be undone.

        A handle that is led already gives its grip.

        Raises:
            Refusal: nothing is open, or the body has no such handle.
        """
        raise NotImplementedError

    # -- undo -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The gesture is over (mouse released, slider let go): what comes next is another step for undo."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take back the last change of pins, handle grips or material.

        Raises:
            Refusal: nothing to undo.
        """
        raise NotImplementedError

    def redo(self) -> None:
        """Do again what was undone.

        Raises:
            Refusal: nothing to redo.
        """
        raise NotImplementedError
