"""Commands of the hand: grab, pin, lead handles, undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.arrangement import Arrangement, GripRecord, PinRecord, holding_radius, region_around, replace_part
from app.session.state import Refusal, SessionState
from app.session.views import GrabHandle, HandleGrip, HeldPin
from scenes.build import region_mask
from scenes.schema import Sphere, Where
from sim.body import Body
from sim.hands import Grab

_GRAB = 1 / 20  # default radius of a grab, in body sizes
_PIN = 1 / 12  # of a pin
_GRIP = (0.03, 0.15)  # least and largest radius of a led region, in body sizes
_GRIP_SAMPLES = 8  # that a led region holds at the least: fewer could not be turned


class HandCommands(SessionState):
    """What holds and pulls bodies."""

    _why_not_grab = _why_not_pin = _why_not_pin_vertices = SessionState._needs_world
    _why_not_drag_handle = SessionState._needs_world
    _handle_phi: tuple[object, np.ndarray] | None = None

    # -- pulling --------------------------------------------------------------------------------------------

    def grab(self, body: Body, point: Sequence[float], radius: float | None = None) -> GrabHandle:
        """Take hold of a body's surface; its force is capped (`pull_strength`).

        Args:
            point: on the surface as it is now [m]. radius: of the ball that is held [m]; a twentieth of the body
                when None.

        Raises:
            Refusal: nothing is open. WorldError: impossible numbers.
        """
        self._require("grab")
        self._index(body)
        radius = _GRAB * body.size if radius is None else radius
        return GrabHandle(self, body, self.world.grab(body, point, radius, strength=self.pull_strength))

    def holds(self, grab: Grab) -> bool:
        """Whether a grab is still in the world."""
        return self.world is not None and grab in self.world.grabs

    # -- pins -----------------------------------------------------------------------------------------------

    @property
    def pins(self) -> tuple[HeldPin, ...]:
        """Every pin in the world, those of the scene file included."""
        if self._arranger is None:
            return ()
        return tuple(self._view(record) for record in self._history.present.pins)

    def pin(self, body: Body, point: Sequence[float], radius: float | None = None) -> HeldPin:
        """Hold the ball around a point of a body where it is now. Can be undone.

        Args:
            point: rest position [m], shape (3,): the barycentric point of the picked triangle in
                `body.shape.vertices`. radius: [m], a twelfth of the body when None.

        Raises:
            Refusal: nothing is open, or the point is not three finite numbers.
        """
        self._require("pin")
        index = self._index(body)
        centre = np.asarray(point, dtype=np.float64)
        if centre.shape != (3,) or not np.isfinite(centre).all():
            raise Refusal("A pin needs a point of the body.")
        radius = _PIN * body.size if radius is None else float(radius)
        if not (np.isfinite(radius) and radius > 0):
            raise Refusal("A pin's radius must be a positive number of metres.")
        radius = holding_radius(body, centre, radius)
        matrix = self._arranger.placement_of(index)
        place = matrix[:, :3] @ centre + matrix[:, 3]
        return self._add_pin(index, Where(sphere=Sphere(center=tuple(place.tolist()), radius=radius)))

    def pin_vertices(self, body: Body, mask: np.ndarray) -> HeldPin:
        """Hold the region around chosen vertices (box or brush) where it is now. Can be undone.

        Args:
            mask: bool, shape (V,).

        Raises:
            Refusal: nothing is open, or no vertex is chosen.
        """
        self._require("pin_vertices")
        index = self._index(body)
        vertices = body.shape.vertices.numpy()
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != (len(vertices),) or not mask.any():
            raise Refusal("Nothing was chosen to pin.")
        return self._add_pin(index, region_around(body, vertices[mask], self._arranger.placement_of(index)))

    def pin_at(self, body: Body, point: Sequence[float]) -> HeldPin | None:
        """The pin that holds a rest point [m] (within its spacing), if any: what a right click would unpin."""
        if self._arranger is None or body not in self.bodies:
            return None
        index = self._index(body)
        here = np.asarray(point, dtype=np.float64)
        # As near as the body's samples lie to each other: a click on the surface is a little off all of them.
        spacing = (body.shape.volume / len(body.space.samples)) ** (1 / 3)
        for record in reversed(self._history.present.pins):
            if record.body == index:
                pin = self._view(record)
                if (
                    pin.covers(here[None])[0]
                    or np.linalg.norm(pin.rest - here, axis=1).min() <= 1.5 * spacing
                ):
                    return pin
        return None

    def unpin(self, pin: HeldPin) -> None:
        """Take a pin away; a second time does nothing. Can be undone."""
        present = self._history.present
        left = tuple(record for record in present.pins if record.key != pin.key)
        if len(left) < len(present.pins):
            self._arrange(replace(present, pins=left))

    def unpin_all(self) -> None:
        """Take all pins away. Can be undone."""
        present = self._history.present
        if present.pins:
            self._arrange(replace(present, pins=()))

    def _add_pin(self, index: int, where: Where) -> HeldPin:
        matrix = self._arranger.placement_of(index)
        pin = self.world.pin(self.bodies[index], region_mask(where, matrix))
        record = PinRecord(next(self._keys), index, where, targets=pin.force.targets.copy(), run=self._run)
        self._arranger.pins[record.key] = pin
        present = self._history.present
        self._arrange(replace(present, pins=(*present.pins, record)))
        return self._view(record)

    def _view(self, record: PinRecord) -> HeldPin:
        pin, region = self._arranger.pins[record.key], self._arranger.region(record)
        return HeldPin(self.bodies[record.body], record.key, pin, region)

    # -- handles --------------------------------------------------------------------------------------------

    def handle_points(self, body: Body) -> np.ndarray:
        """Where the body's localised handles are now [m], shape (H, 3): draw and pick these.

        Row h belongs to `body.basis.localized_weights(...)[:, h]`. Empty (0, 3) for weights without them.
        """
        rest = body.basis.handle_points
        if rest is None:
            return np.zeros((0, 3))
        if self._handle_phi is None or self._handle_phi[0] is not body.space:
            self._handle_phi = (body.space, body.space.phi_at(rest))
        return rest.numpy() + self._handle_phi[1] @ body.position.T

    @property
    def grips(self) -> tuple[HandleGrip, ...]:
        """Every handle that is led by a gizmo."""
        return tuple(self._grip(record) for record in self._history.present.grips)

    def drag_handle(self, body: Body, handle: int) -> HandleGrip:
        """Take a localised handle: its region stays where it is and follows `HandleGrip.move_to`. Can be undone.

        A handle that is led already gives its grip.

        Raises:
            Refusal: nothing is open, or the body has no such handle.
        """
        self._require("drag_handle")
        index = self._index(body)
        points = body.basis.handle_points
        if points is None or not 0 <= handle < len(points):
            raise Refusal(f"{body.name} has no handle {handle} that can be dragged.")
        present = self._history.present
        for record in present.grips:
            if (record.body, record.handle) == (index, handle):
                return self._grip(record)
        rest = points.numpy()
        centre = rest[handle]
        radius = holding_radius(body, centre, _grip_radius(rest, handle, body.size), _GRIP_SAMPLES)
        pin = self._arranger.take(index, centre, radius)
        start = pin.force.targets.copy()
        origin = np.eye(4)
        origin[:3, 3] = self.handle_points(body)[handle]  # there, where it was clicked
        key = next(self._keys)
        record = GripRecord(key, index, handle, centre, radius, start, origin, origin)
        self._arranger.grips[key] = pin
        self._arrange(replace(present, grips=(*present.grips, record)))
        return self._grip(record)

    def has_grip(self, key: int) -> bool:
        """Whether a handle is still led under this key."""
        return self._grip_record(key) is not None

    def grip_transform(self, key: int) -> np.ndarray:
        """Where a grip's gizmo stands, shape (4, 4) [m]; the identity once it was released."""
        record = self._grip_record(key)
        return np.eye(4) if record is None else record.transform.copy()

    def move_grip(self, key: int, transform: np.ndarray) -> None:
        """Put a grip's gizmo elsewhere; see `HandleGrip.move_to`."""
        record = self._grip_record(key)
        pose = rigid_part(transform)
        if record is None or pose is None or np.array_equal(pose, record.transform):
            return
        moved = replace(record, transform=pose)
        present = self._history.present
        grips = tuple(moved if other is record else other for other in present.grips)
        self._arrange(replace(present, grips=grips), gesture=("grip", key))

    def release_grip(self, key: int) -> None:
        """Let go of a led handle; see `HandleGrip.release`."""
        present = self._history.present
        left = tuple(record for record in present.grips if record.key != key)
        if len(left) < len(present.grips):
            self._arrange(replace(present, grips=left))

    def _grip_record(self, key: int) -> GripRecord | None:
        return next((record for record in self._history.present.grips if record.key == key), None)

    def _grip(self, record: GripRecord) -> HandleGrip:
        return HandleGrip(self, self.bodies[record.body], record.handle, record.key)

    # -- undo -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The gesture is over (mouse released, slider let go): what comes next is another step for undo."""
        self._history.settle()

    def _why_not_undo(self) -> str | None:
        return None if self._history.can_undo else "There is nothing to undo."

    def _why_not_redo(self) -> str | None:
        return None if self._history.can_redo else "There is nothing to redo."

    def undo(self) -> None:
        """Take back the last change of pins, handle grips or material.

        Raises:
            Refusal: nothing to undo.
        """
        self._require("undo")
        self._go_to(self._history.present, self._history.undo())

    def redo(self) -> None:
        """Do again what was undone.

        Raises:
            Refusal: nothing to redo.
        """
        self._require("redo")
        self._go_to(self._history.present, self._history.redo())

    def _arrange(self, after: Arrangement, *, gesture: tuple | None = None) -> None:
        """Make the world as `after` says, as a step that can be undone."""
        before = self._history.present
        self._arranger.apply(before, after, run=self._run)
        self._history.push(after, gesture=gesture)
        self._mark_rearranged(before, after)

    def _go_to(self, before: Arrangement, after: Arrangement) -> None:
        self._arranger.apply(before, after, run=self._run)
        self._mark_rearranged(before, after)
        if self.scene is not None and before.materials != after.materials:
            parts = zip(self.scene.bodies, after.materials, strict=True)
            self._edit(bodies=tuple(replace_part(part, material=material) for part, material in parts))

    def _mark_rearranged(self, before: Arrangement, after: Arrangement) -> None:
        """Led handles are no part of a scene, so they leave nothing to save."""
        if (before.pins, before.materials) != (after.pins, after.materials):
            self._mark_edited()


def rigid_part(transform: np.ndarray) -> np.ndarray | None:
    """The nearest rotation and the place of an affine matrix, shape (4, 4); None when it is not finite."""
    matrix = np.asarray(transform, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    U, _, Vt = np.linalg.svd(matrix[:3, :3])
    U[:, 2] *= np.sign(np.linalg.det(U @ Vt)) or 1.0
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = U @ Vt, matrix[:3, 3]
    return pose


def _grip_radius(points: np.ndarray, handle: int, size: float) -> float:
    """Half the way to the next handle, within limits [m]."""
    distance = np.linalg.norm(points - points[handle], axis=1)
    others = distance[distance > 1e-9 * size]
    reach = 0.5 * float(others.min()) if len(others) else np.inf
    return float(np.clip(reach, _GRIP[0] * size, _GRIP[1] * size))
