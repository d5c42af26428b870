"""Overlay: pull line, handle points, pins and selections, drawn flat over the scene so that nothing hides them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polyscope.imgui as psim

from app.camera import CameraPose
from app.pointer import BoxSelection, BrushSelection, Pointer, Pull, Surface, pin_heads
from app.session import Session
from app.theme import mixed, packed
from app.ui import Ui
from app.weight_fields import handle_colors
from app.weight_grid import WeightGrid

_DOT = 5.5  # radius of a handle's point at UI scale 1 [px]
_PINNED_DOTS = 200  # held points that are marked, of all pins together
_BRUSHED_DOTS = 400  # vertices of a brush stroke that are marked: more are a blot


def draw(session: Session, ui: Ui, pointer: Pointer, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
    """Draw everything that floats over the scene. Inside Polyscope's callback."""
    paint = psim.GetBackgroundDrawList()
    if ui.view.handle_points or session.tool == "handle":
        _handles(paint, session, ui, pointer, pose, surfaces)
    if ui.view.weights != "grid":
        _pins(paint, session, ui, pose)
    gesture = pointer.gesture
    if isinstance(gesture, Pull) and gesture.hand.active:
        _pull(paint, ui, pose, gesture)
    elif isinstance(gesture, BoxSelection):
        paint.AddRectFilled(*_corners(gesture), packed(ui.theme.pin, 0.15))
        paint.AddRect(*_corners(gesture), packed(ui.theme.pin), 0.0, 0, ui.px(1.5))
    elif isinstance(gesture, BrushSelection):
        _brushed(paint, ui, gesture, pose, surfaces)


def label_copies(ui: Ui, grid: WeightGrid, pose: CameraPose, selected: int) -> None:
    """Each copy's number under it, in its handle's colour."""
    if not len(grid.middles):
        return
    paint, colors = psim.GetBackgroundDrawList(), handle_colors(len(grid.middles))
    for h, (x, y) in enumerate(pose.project(grid.middles - [0.0, 0.46 * grid.height, 0.0])[0]):
        if not np.isfinite([x, y]).all():
            continue
        text = str(h)
        width, height = psim.CalcTextSize(text)
        left, top = float(x) - width / 2, float(y) - height / 2
        if h == selected:
            corners = (left - ui.px(5), top - ui.px(1)), (left + width + ui.px(5), top + height + ui.px(1))
            paint.AddRectFilled(*corners, packed(ui.theme.accent), ui.px(4))
        shade = ui.theme.on_accent if h == selected else mixed(tuple(colors[h]), ui.theme.text, 0.35)
        paint.AddText((left, top), packed(shade), text)


def _pull(paint, ui: Ui, pose: CameraPose, pull: Pull) -> None:
    pixels, _ = pose.project(np.stack([pull.hand.point, pull.hand.target]))
    if not np.isfinite(pixels).all():
        return
    held, target = (tuple(map(float, pixel)) for pixel in pixels)
    halo, color = packed(ui.theme.panel, 0.75), packed(ui.theme.hand)
    paint.AddLine(held, target, halo, ui.px(5.5))
    paint.AddLine(held, target, color, ui.px(2.5))
    paint.AddCircleFilled(held, ui.px(6.5), halo)
    paint.AddCircleFilled(held, ui.px(4.5), color)
    paint.AddCircle(target, ui.px(10), halo, 0, ui.px(5))
    paint.AddCircle(target, ui.px(10), color, 0, ui.px(2.2))


def _handles(
    paint, session: Session, ui: Ui, pointer: Pointer, pose: CameraPose, surfaces: Sequence[Surface]
) -> None:
    for surface in surfaces:
        if not len(surface.handles):
            continue
        pixels, depths = pose.project(surface.handles)
        colors = handle_colors(len(pixels))
        near, far = depths.min(), depths.max()
        led = {grip.handle for grip in session.grips if grip.body is surface.body}
        for h in np.argsort(-depths):
            if not np.isfinite(pixels[h]).all():
                continue
            back = (depths[h] - near) / (far - near) if far > near else 0.0
            selected = surface.body is session.selected_body and h == session.selected_handle
            hovered = pointer.hovered_handle == (surface.body, h)
            radius = ui.px(_DOT * (1.55 if selected else 1.3 if hovered else 1.0 - 0.3 * back))
            place = tuple(map(float, pixels[h]))
            paint.AddCircleFilled(place, radius + ui.px(1.8), packed((1.0, 1.0, 1.0), 0.95 - 0.35 * back))
            paint.AddCircleFilled(
                place, radius, packed(tuple(colors[h]), 1.0 if selected else 1.0 - 0.35 * back)
            )
            if selected or h in led:
                ring = ui.theme.text if selected else ui.theme.pin
                paint.AddCircle(place, radius + ui.px(3.5), packed(ring), 0, ui.px(1.8))


def _pins(paint, session: Session, ui: Ui, pose: CameraPose) -> None:
    """The points each pin holds, also those inside, and a drawing-pin's head in their middle."""
    held = np.concatenate([pin.targets for pin in session.pins]) if session.pins else np.zeros((0, 3))
    if len(held):
        for place in pose.project(held[:: -(-len(held) // _PINNED_DOTS)])[0]:
            if np.isfinite(place).all():
                dot = (float(place[0]), float(place[1]))
                paint.AddCircleFilled(dot, ui.px(2.6), packed((1.0, 1.0, 1.0), 0.8))
                paint.AddCircleFilled(dot, ui.px(1.7), packed(ui.theme.pin))
    for place in pin_heads(session.pins, pose):
        if not np.isfinite(place).all():
            continue
        head = (float(place[0]), float(place[1]))
        paint.AddCircleFilled(head, ui.px(7.2), packed((1.0, 1.0, 1.0), 0.95))
        paint.AddCircleFilled(head, ui.px(5.6), packed(ui.theme.pin))
        paint.AddCircleFilled(head, ui.px(1.9), packed((1.0, 1.0, 1.0)))


def _brushed(paint, ui: Ui, brush: BrushSelection, pose: CameraPose, surfaces: Sequence[Surface]) -> None:
    for surface in surfaces:
        if surface.body is not brush.body:
            continue
        chosen = surface.vertices[brush.chosen]
        chosen = chosen[:: max(1, len(chosen) // _BRUSHED_DOTS)]
        for pixel in pose.project(chosen)[0] if len(chosen) else ():
            if np.isfinite(pixel).all():
                paint.AddCircleFilled(tuple(map(float, pixel)), ui.px(2.4), packed(ui.theme.pin, 0.85))


def _corners(box: BoxSelection) -> tuple[tuple[float, float], tuple[float, float]]:
    low, high = np.minimum(box.start, box.end), np.maximum(box.start, box.end)
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
