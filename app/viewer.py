"""Viewer: the window. Its own frame loop around Polyscope, panels that cannot take it down, and pacing for jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polyscope as ps
import polyscope.imgui as psim

from app import overlay, theme
from app.camera import CameraPose, framing, pose_looking, shifted_for_panels
from app.gizmos import Gizmos
from app.keys import press_keys
from app.live_recording import LiveRecording
from app.panels import COLUMN, FLOATING, Draw
from app.panels.closing import losses, open_file
from app.panels.status import HEIGHT as STATUS
from app.panels.timeline import HEIGHT as TIMELINE
from app.picking import nearest_pixel
from app.pointer import Mouse, Pointer, explain
from app.quality import Quality
from app.scenery import Scenery
from app.session import Session
from app.ui import Ui, fitting_scale
from app.view import View
from app.window import use_theme
from app.window_picture import take_picture
from scenes.schema import Camera

_FRAME = 1 / 60  # [s]
_WAITING = 0.1  # [s]
_TIRED = 3  # failures in a row after which a panel is no longer asked to draw itself
_FIELD_OF_VIEW = 45.0
_DIRECTION = (0.45, 0.35, 1.0)  # to the camera, where a scene names none


@dataclass
class PanelState:
    """A panel, and how often in a row it failed."""

    name: str
    draw: Draw
    failures: int = 0
    error: str = ""


class Viewer:
    """Shows a session in the window that `open_window` has opened; one a process.

    Args:
        session: what to show. quality: how richly it is drawn; fits itself to the machine when None.

    Attributes:
        view: what the person chose to see. pointer: what the mouse does. scenery: what is drawn.
        frames: drawn so far. frame_ms: of the last one, without resting [ms].
    """

    def __init__(self, session: Session, quality: Quality | None = None) -> None:
        self.session = session
        self._quality = quality or Quality()
        self.view = View()
        self.ui = Ui(self.view, theme.THEMES[session.settings.theme], session.settings.ui_scale or 1.0)
        self.recording = LiveRecording(session)
        self.ui.recording = self.recording
        self.scenery = Scenery(session, self.view, self.ui.theme)
        self.pointer = Pointer(session, self.view)
        self.gizmos = Gizmos(session)
        self.column = [PanelState(name, draw) for name, draw in COLUMN.items()]
        self.floating = [PanelState(name, draw) for name, draw in FLOATING.items()]
        self.frames = 0
        self.frame_ms = 0.0
        self._styled: object = None
        self._look_pending = False
        self._gridded = False
        self._pressed_at: tuple[float, float] | None = None
        self._panels_shown, self._height_shown = np.array(self._panels()), self.ui.size[1]
        self._event_frame = False
        self._done = False
        self._began = time.perf_counter()
        self._use_quality()
        ps.set_user_callback(self._callback)
        ps.set_files_dropped_callback(self._drop)

    # -- the loop -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Show frames until the person closes the window; then end all jobs and take the window away."""
        try:
            while not self._done:
                self.turn()
        finally:
            self.close()
            ps.shutdown()

    def turn(self) -> None:
        """Once around the loop: a frame, the close button, and rest for whoever else wants to run."""
        began = time.perf_counter()
        self.frame(began - self._began)
        self._began = began
        # True once a press of the close button, so it is read exactly once a frame.
        if ps.window_requests_close():
            self._wish_to_close()
        self._rest(time.perf_counter() - began)

    def frame(self, seconds: float) -> None:
        """One frame: `seconds` of wall time have passed since the last."""
        began = time.perf_counter()
        self.session.tick(seconds)
        self.session.attempt(self._before_drawing)
        self._event_frame = True
        drawing = time.perf_counter()
        ps.frame_tick()
        if self._quality.judge(1e3 * (time.perf_counter() - drawing)):
            self._use_quality()
        self._event_frame = False
        self.session.attempt(self._after_drawing)
        self.session.attempt(self.recording.update, self.picture)
        self.frames += 1
        self.frame_ms = 1e3 * (time.perf_counter() - began)

    def close(self) -> None:
        """End all jobs and show nothing any more; the window itself stays."""
        self.recording.close()
        self.session.close()
        self.gizmos.clear()
        self.scenery.clear()
        ps.clear_user_callback()
        ps.clear_files_dropped_callback()
        ps.set_do_default_mouse_interaction(True)

    def _rest(self, worked: float) -> None:
        """Sleep to the frame's end; a job gets at least as much time as the frame took.

        Polyscope never lets go of the interpreter while it draws, so nothing else would run.
        """
        rest = _FRAME - worked
        if self.session.busy or self.recording.closing:
            rest = max(rest, 1.1 * worked)
        if self.session.world is None and self.session.loading is not None:
            rest = max(rest, _WAITING)  # there is nothing to look at yet but how far it is
        time.sleep(max(rest, 0.001))

    def _use_quality(self) -> None:
        level = self._quality.level
        ps.set_SSAA_factor(level.samples)
        ps.set_shadow_blur_iters(level.shadow_blur)

    def _wish_to_close(self) -> None:
        if "closing" in self.view.asked:  # a second time: at once
            self.recording.cut()
            self._done = True
        elif losses(self.session) or self.recording.recorder is not None:
            self.view.ask("closing")
        else:
            self._done = True

    # -- before and after drawing ---------------------------------------------------------------------------

    def _before_drawing(self) -> None:
        self.ui.size = tuple(map(float, ps.get_window_size()))
        self.ui.theme = theme.THEMES[self.session.settings.theme]
        self.ui.scale = fitting_scale(self.session.settings.ui_scale or 1.0, self.ui.size[0])
        self.scenery.theme = self.ui.theme
        if self.scenery.sync():
            self._look_pending = True
        self.gizmos.sync()
        self._make_room()
        gridded, self._gridded = self._gridded, self.view.weights == "grid"
        if gridded and not self._gridded:
            self._look_pending = True  # back to where the person had looked from
        if self._look_pending or self.view.take("frame"):
            first, self._look_pending = self._look_pending, False
            self._frame_scene(use_camera=first)
        ps.set_build_default_gui_panels(self.view.advanced)

    def _after_drawing(self) -> None:
        self.gizmos.follow()
        if self.session.world is not None and not self._gridded:
            self._keep_camera()
        if self.view.take("quit"):
            self._done = True

    def _frame_scene(self, *, use_camera: bool) -> None:
        """Look at everything, or as the scene says."""
        bounds = self.scenery.bounds()
        if bounds is None:
            return
        low, high = bounds
        size = self.ui.size
        camera = self.session.camera if use_camera else None
        fov = camera.field_of_view if camera is not None else _FIELD_OF_VIEW
        if camera is not None:
            position, target = np.array(camera.position), np.array(camera.look_at)
        else:
            target = (low + high) / 2
            aspect = max(0.2, (size[0] - self.ui.column) / size[1])
            direction = (0.0, 0.0, 1.0) if self.view.weights == "grid" else _DIRECTION
            position = framing(low, high, direction, fov, aspect)
        pose = shifted_for_panels(pose_looking(position, target, fov, size), target, *self._panels())
        ps.set_vertical_fov_degrees(fov)
        ps.look_at(tuple(pose.position), tuple(pose.position + pose.look))
        ps.set_view_center_raw(tuple(map(float, target)))

    def _make_room(self) -> None:
        """When the column or the window changes, what is looked at stays in the middle of what is left free."""
        panels, height = np.array(self._panels()), self.ui.size[1]
        if height == self._height_shown and np.array_equal(panels, self._panels_shown):
            return
        # The picture grows with the window's height.
        before = self._panels_shown * height / self._height_shown
        self._panels_shown, self._height_shown = panels, height
        if self.session.world is None:
            return
        pose, target = self.pose(), np.asarray(ps.get_view_center(), dtype=np.float64)
        pose = shifted_for_panels(pose, target, *(panels - before))
        ps.look_at(tuple(pose.position), tuple(pose.position + pose.look))
        ps.set_view_center_raw(tuple(map(float, target)))

    def _panels(self) -> tuple[float, float]:
        """Width of the panels at the left and height of those below [px]."""
        return self.ui.column, self.ui.px(STATUS + TIMELINE)

    def pose(self) -> CameraPose:
        """The camera as it is now."""
        parameters = ps.get_view_camera_parameters()
        look, up, right = (
            np.asarray(direction, dtype=np.float64)
            for direction in (
                parameters.get_look_dir(),
                parameters.get_up_dir(),
                parameters.get_right_dir(),
            )
        )
        position = np.asarray(parameters.get_position(), dtype=np.float64)
        return CameraPose(position, look, up, right, float(parameters.get_fov_vertical_deg()), self.ui.size)

    def picture(self, panels: bool, transparent: bool) -> np.ndarray:
        """What is shown now, for a film: as on the screen with panels, or without them and then in the middle."""
        pose = self.pose()
        depth = float((np.asarray(ps.get_view_center()) - pose.position) @ pose.look)
        column, bottom = self._panels()
        half = 0.5 * pose.metres_per_pixel(max(depth, 0.0))
        return take_picture(panels=panels, transparent=transparent, shift=(-half * column, -half * bottom))

    def _keep_camera(self) -> None:
        """Tell the session where the picture is taken from, as if there were no panels."""
        pose = self.pose()
        target = np.asarray(ps.get_view_center(), dtype=np.float64)
        if (target - pose.position) @ pose.look < 1e-6:
            return
        pose = shifted_for_panels(pose, target, *-np.array(self._panels()))
        depth = float((target - pose.position) @ pose.look)
        values = (
            tuple(round(float(x), 5) for x in pose.position),
            tuple(round(float(x), 5) for x in pose.position + depth * pose.look),
        )
        camera = self.session.camera
        if camera is None or not np.allclose([camera.position, camera.look_at], values, atol=1e-4 * depth):
            self.session.camera = Camera(
                position=values[0], look_at=values[1], field_of_view=round(pose.fov, 3)
            )

    # -- inside Polyscope's callback ------------------------------------------------------------------------

    def _callback(self) -> None:
        # An exception that leaves this function breaks Polyscope's frames for the rest of the process.
        try:
            self._style()
            if self._event_frame:
                self._event_frame = False  # a screenshot calls back too, with no events of its own
                self.ui.places.clear()
                self._listen()
            pose = self.pose()
            overlay.draw(self.session, self.ui, self.pointer, pose, self.scenery.surfaces)
            overlay.label_copies(self.ui, self.scenery.grid, pose, self.session.selected_handle)
            self.ui.hint = explain(self.pointer, self.session, self.view)
            self._draw_column()
            for panel in self.floating:
                self._draw_panel(panel)
        except Exception as error:
            self.session.notify_exception(error, "drawing the window")

    def _draw_column(self) -> None:
        if not self.view.panels or self.view.advanced:  # Polyscope's own panels take the same place
            return
        with self.ui.bar("column", (0.0, 0.0), (self.ui.column, self.ui.size[1]), scrolls=True) as shown:
            for panel in self.column if shown else ():
                self._draw_panel(panel)

    def _listen(self) -> None:
        io = psim.GetIO()
        left, right = psim.ImGuiMouseButton_Left, psim.ImGuiMouseButton_Right
        over_panel = psim.IsWindowHovered(psim.ImGuiHoveredFlags_AnyWindow)  # capturing, a gizmo does too
        gizmo = not over_panel and self.gizmos.under(io.MousePos, self.pose())
        mouse = Mouse(
            position=(float(io.MousePos[0]), float(io.MousePos[1])),
            left=psim.IsMouseDown(left),
            left_pressed=psim.IsMouseClicked(left),
            left_released=psim.IsMouseReleased(left),
            right_pressed=psim.IsMouseClicked(right),
            right_released=psim.IsMouseReleased(right),
            escape=psim.IsKeyPressed(psim.ImGuiKey_Escape, False),
            control=io.KeyCtrl,
            captured=io.WantCaptureMouse or gizmo,
            gizmo=gizmo,
            time=time.perf_counter(),
        )
        if self._gridded:
            self._choose_copy(mouse)
        used = self.pointer.update(mouse, self.pose(), self.scenery.surfaces)
        ps.set_do_default_mouse_interaction(not self.pointer.holds_camera)
        press_keys(self.session, self.ui, escape=mouse.escape and not used)

    def _choose_copy(self, mouse: Mouse) -> None:
        """A click on a copy of the grid shows that handle alone; a drag is the camera's."""
        if mouse.left_pressed:
            self._pressed_at = None if mouse.captured else mouse.position
        if not mouse.left_released or self._pressed_at is None:
            return
        moved = np.linalg.norm(np.subtract(mouse.position, self._pressed_at))
        self._pressed_at = None
        pose, grid = self.pose(), self.scenery.grid
        pixels, depths = pose.project(grid.middles) if len(grid.middles) else (np.zeros((0, 2)), np.zeros(0))
        reach = 0.5 * grid.height / pose.metres_per_pixel(float(depths.mean())) if len(depths) else 0.0
        chosen = nearest_pixel(pixels, mouse.position, reach)
        if moved < 5 and chosen is not None:
            self.session.selected_handle = chosen
            self.view.weights = "one"

    def _draw_panel(self, panel: PanelState) -> None:
        if panel.failures >= _TIRED:
            _show_broken(panel, self.ui)
            return
        try:
            panel.draw(self.session, self.ui)
            panel.failures = 0
        except Exception as error:
            panel.failures += 1
            panel.error = f"{type(error).__name__}: {error}"
            self.session.notify_exception(error, f"drawing the {panel.name} panel")

    def _style(self) -> None:
        theme.style_interface(self.ui.theme, self.ui.scale)
        if self._styled != (self.ui.theme.name, self.ui.scale):
            self._styled = (self.ui.theme.name, self.ui.scale)
            use_theme(self.ui.theme, self.ui.scale)

    def _drop(self, paths: list[str]) -> None:
        if not paths:
            return
        path = Path(paths[0])
        if path.is_dir():
            self.ui.browser.ask("open", folder=path)
            return
        if len(paths) > 1:
            self.session.notify("info", f"One file is opened at a time: {path.name}.")
        open_file(self.session, self.ui, path)


def _show_broken(panel: PanelState, ui: Ui) -> None:
    """In place of a panel that fails again and again."""
    in_column = panel.name in COLUMN
    if not in_column:
        psim.SetNextWindowPos((ui.column + ui.px(12), ui.px(60)), psim.ImGuiCond_FirstUseEver)
        psim.Begin(f"The {panel.name} panel", psim.ImGuiWindowFlags_AlwaysAutoResize)
    ui.text(
        f"The {panel.name} panel fails again and again, so it is not drawn: {panel.error[:300]}", ui.theme.bad
    )
    if ui.button(f"Try again##{panel.name}"):
        panel.failures = 0
    if not in_column:
        psim.End()
