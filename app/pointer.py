"""Pointer: what the mouse does in the scene, as a state machine. No window: mouse and camera come as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.camera import CameraPose
from app.picking import Hit, inside_box, nearest_pixel, pick, plane_hit
from app.session import GrabHandle, HeldPin, Session
from app.view import View
from sim.body import Body

Hover = Literal["panel", "gizmo", "surface", "handle", "background"]

_CLICK = 5.0  # a press that moves less is a click [px]
_HANDLE_REACH = 11.0  # around a handle's point [px]
_HOVER_STILL = 0.5  # [s]: under a mouse that rests, bodies move
_HOVER_EVERY = 0.1  # [s]: rays against large meshes are not free


@dataclass(frozen=True)
class Mouse:
    """The mouse in one frame.

    Attributes:
        position: [px], y down. left, right: whether held. left_pressed...: whether it happened in this frame.
        escape: whether that key was pressed. captured: a panel or a gizmo has the mouse; gizmo: it
            is a gizmo. time: [s].
    """

    position: tuple[float, float]
    left: bool = False
    left_pressed: bool = False
    left_released: bool = False
    right_pressed: bool = False
    right_released: bool = False
    escape: bool = False
    control: bool = False
    captured: bool = False
    gizmo: bool = False
    time: float = 0.0


@dataclass(frozen=True)
class Surface:
    """A body as it is drawn now.

    Attributes:
        vertices: now, [m], (V, 3). rest: at rest, [m], (V, 3). faces: (F, 3). handles: their points [m], (H, 3).
    """

    body: Body
    vertices: np.ndarray
    rest: np.ndarray
    faces: np.ndarray
    handles: np.ndarray


@dataclass
class Pull:
    """A hand that holds the surface; it moves in the plane through `point` that faces the camera."""

    hand: GrabHandle
    point: np.ndarray
    normal: np.ndarray


@dataclass
class BoxSelection:
    """A rubber band from `start` to `end` [px]."""

    start: tuple[float, float]
    end: tuple[float, float]


@dataclass
class BrushSelection:
    """Vertices of one body the brush has passed, bool (V,)."""

    body: Body
    chosen: np.ndarray = field(repr=False)


Gesture = Pull | BoxSelection | BrushSelection


def pin_heads(pins: Sequence[HeldPin], pose: CameraPose) -> np.ndarray:
    """Where each pin's head is on the screen [px], (n, 2): over the middle of what it holds."""
    if not pins:
        return np.zeros((0, 2))
    return pose.project(np.stack([pin.targets.mean(0) for pin in pins]))[0]


class Pointer:
    """Turns mouse frames into commands of a session.

    Args:
        session: what the commands go to. view: how selecting works.

    Attributes:
        gesture: what is going on, or None. hover: what is under the mouse. hovered_handle: body and number.
    """

    def __init__(self, session: Session, view: View) -> None:
        self._session = session
        self._view = view
        self.gesture: Gesture | None = None
        self.hover: Hover = "background"
        self.hovered_handle: tuple[Body, int] | None = None
        self._right_press: tuple[float, float] | None = None
        self._hover_at = (-1.0, (-1.0, -1.0))
        self._hit_at = -1.0

    @property
    def holds_camera(self) -> bool:
        """Whether the camera must stay where it is."""
        return self.gesture is not None

    def update(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> bool:
        """Once a frame.

        Returns:
            Whether Esc was used up here.
        """
        if self.gesture is not None and mouse.escape:
            self.cancel()
            return True
        if isinstance(self.gesture, Pull) and not self.gesture.hand.active:
            self.gesture = None
        if self.gesture is not None:
            self._go_on(mouse, pose, surfaces)
        else:
            self._look(mouse, pose, surfaces)
            if mouse.left_pressed and not mouse.captured:
                self._begin(mouse, pose, surfaces)
            self._right_click(mouse, pose, surfaces)
        return False

    def cancel(self) -> None:
        """Let go of everything, selecting nothing."""
        if isinstance(self.gesture, Pull):
            self._session.attempt(self.gesture.hand.release)
        self.gesture = None

    # -- beginning ------------------------------------------------------------------------------------------

    def _begin(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
        session, tool = self._session, self._session.tool
        handle = self._handle_under(mouse, pose, surfaces)
        if handle is not None:
            session.selected_body, session.selected_handle = handle
            if tool == "handle":
                session.attempt(session.drag_handle, *handle)
            return
        boxing = tool == "pin" and self._view.pin_shape == "box"
        if boxing and not mouse.control:
            self.gesture = BoxSelection(mouse.position, mouse.position)
            return
        hit = self._hit(mouse, pose, surfaces)
        if hit is None:
            return
        surface = surfaces[hit.surface]
        session.selected_body = surface.body
        if tool == "handle" and mouse.control:
            nearest = int(np.linalg.norm(surface.handles - hit.point, axis=1).argmin())
            session.selected_handle = nearest
            session.attempt(session.drag_handle, surface.body, nearest)
        elif tool == "pin" and self._view.pin_shape == "ball":
            if not self._take_pin(mouse, pose):
                self._toggle_pin(surface, hit)
        elif tool == "pin":
            self.gesture = BrushSelection(surface.body, np.zeros(len(surface.vertices), bool))
            self._brush(surface, hit)
        else:
            hand = session.attempt(session.grab, surface.body, hit.point)
            if hand is not None:
                self.gesture = Pull(hand, hit.point, -pose.look)

    def _right_click(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
        """A right click pins or unpins; a right drag is the camera's."""
        if mouse.right_pressed:
            self._right_press = None if mouse.captured else mouse.position
        if not mouse.right_released or self._right_press is None:
            return
        moved = np.linalg.norm(np.subtract(mouse.position, self._right_press))
        self._right_press = None
        if moved <= _CLICK and self._take_pin(mouse, pose):
            return
        hit = self._hit(mouse, pose, surfaces) if moved <= _CLICK else None
        if hit is not None:
            self._toggle_pin(surfaces[hit.surface], hit)

    def _take_pin(self, mouse: Mouse, pose: CameraPose) -> bool:
        """Takes away the pin whose head is under the mouse; returns whether there was one."""
        pins = self._session.pins
        found = nearest_pixel(pin_heads(pins, pose), mouse.position, _HANDLE_REACH)
        if found is not None:
            self._session.attempt(self._session.unpin, pins[found])
        return found is not None

    def _toggle_pin(self, surface: Surface, hit: Hit) -> None:
        session = self._session
        rest = hit.barycentric @ surface.rest[surface.faces[hit.face]]
        there = session.attempt(session.pin_at, surface.body, rest)
        if there is not None:
            session.attempt(session.unpin, there)
        else:
            session.attempt(session.pin, surface.body, rest, self._radius(surface))

    # -- going on -------------------------------------------------------------------------------------------

    def _go_on(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
        gesture, over = self.gesture, mouse.left_released or not mouse.left
        if isinstance(gesture, Pull):
            if over:
                self.cancel()
                return
            target = plane_hit(*pose.ray(mouse.position), gesture.point, gesture.normal)
            if target is not None:
                gesture.hand.move_to(target)
        elif isinstance(gesture, BoxSelection):
            gesture.end = mouse.position
            if over:
                self.gesture = None
                self._pin_box(gesture, pose, surfaces)
        elif isinstance(gesture, BrushSelection):
            if over:
                self.gesture = None
                if gesture.chosen.any():
                    self._session.attempt(self._session.pin_vertices, gesture.body, gesture.chosen)
                return
            hit = self._hit(mouse, pose, surfaces)
            if hit is not None and surfaces[hit.surface].body is gesture.body:
                self._brush(surfaces[hit.surface], hit)

    def _pin_box(self, box: BoxSelection, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
        if np.abs(np.subtract(box.end, box.start)).max() <= _CLICK:
            return
        for surface in surfaces:
            chosen = inside_box(pose.project(surface.vertices)[0], box.start, box.end)
            if chosen.any():
                self._session.attempt(self._session.pin_vertices, surface.body, chosen)

    def _brush(self, surface: Surface, hit: Hit) -> None:
        distance = np.linalg.norm(surface.vertices - hit.point, axis=1)
        # On a coarse mesh the brush may lie between vertices.
        self.gesture.chosen |= distance <= max(self._radius(surface), float(distance.min()))

    # -- looking --------------------------------------------------------------------------------------------

    def _look(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
        if mouse.captured:
            self.hover, self.hovered_handle = "gizmo" if mouse.gizmo else "panel", None
            return
        last, place = self._hover_at
        if not mouse.left_pressed and (mouse.left or mouse.time - last < _HOVER_EVERY):
            return
        self._hover_at = (mouse.time, mouse.position)
        self.hovered_handle = self._handle_under(mouse, pose, surfaces)
        if self.hovered_handle is not None:
            self.hover = "handle"
        elif (
            place != mouse.position
            or mouse.time - self._hit_at > _HOVER_STILL
            or self.hover in ("panel", "gizmo")
        ):
            hit, self._hit_at = self._hit(mouse, pose, surfaces), mouse.time
            self.hover = "background" if hit is None else "surface"

    def _handle_under(
        self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]
    ) -> tuple[Body, int] | None:
        if not (self._view.handle_points or self._session.tool == "handle"):
            return None
        for surface in surfaces:
            pixels, _ = pose.project(surface.handles) if len(surface.handles) else (np.zeros((0, 2)), None)
            found = nearest_pixel(pixels, mouse.position, _HANDLE_REACH)
            if found is not None:
                return surface.body, found
        return None

    def _hit(self, mouse: Mouse, pose: CameraPose, surfaces: Sequence[Surface]) -> Hit | None:
        return pick([(s.vertices, s.faces) for s in surfaces], *pose.ray(mouse.position))

    def _radius(self, surface: Surface) -> float:
        return self._view.pin_radius * surface.body.size


def explain(pointer: Pointer, session: Session, view: View) -> str:
    """What the mouse does now, for the bottom line."""
    gesture = pointer.gesture
    if isinstance(gesture, Pull) and session.simulation != "playing":
        return "Time stands still: press Space, and the body follows the mouse."
    if isinstance(gesture, Pull):
        return "Pulling: move the mouse, release to let go. Esc cancels."
    if isinstance(gesture, BoxSelection):
        return "Release to pin everything inside the box. Esc cancels."
    if isinstance(gesture, BrushSelection):
        return "Paint over what is to be held, release to pin it. Esc cancels."
    if session.world is None:
        return "Drop a mesh or a scene into the window, or choose one."
    if pointer.hover == "panel":
        return "Hold Ctrl and click a slider to type a number. H hides the panels, ? shows all keys."
    if pointer.hover == "gizmo":
        return "Drag an arrow, a ring or the middle to lead the handle. Esc lets go of it."
    orbit = "Drag the background to orbit, right-drag to pan, wheel to zoom."
    if pointer.hover == "handle":
        number = pointer.hovered_handle[1] if pointer.hovered_handle else 0
        doing = "select it and show its gizmo" if session.tool == "handle" else "show its weights"
        return f"Handle {number}: click to {doing}."
    if session.tool == "pin" and view.pin_shape == "box":
        return "Drag a box around what is to be held. Ctrl + drag orbits."
    if pointer.hover == "surface":
        return {
            "pull": "Drag to pull. Right click pins or unpins this place.",
            "pin": "Click to pin or unpin this place."
            if view.pin_shape == "ball"
            else "Drag over what is to be held.",
            "handle": "Click a point to lead its handle; Ctrl + click takes the nearest. Drag to pull.",
        }[session.tool]
    return orbit
