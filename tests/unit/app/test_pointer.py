"""The mouse's state machine on a real session, with no window."""

import numpy as np
import pytest
from sessions import opened

from app.camera import pose_looking
from app.pointer import BoxSelection, BrushSelection, Mouse, Pointer, Pull, Surface, explain, pin_heads
from app.view import View

SIZE = (800.0, 600.0)


class Scene:
    """An opened session, a camera, and a pointer over it."""

    def __init__(self, session, file) -> None:
        opened(session, file)
        self.session, self.view = session, View(pin_radius=0.15)
        self.pointer = Pointer(session, self.view)
        self.body = session.bodies[0]
        self.pose = pose_looking((0.3, 0.4, 1.5), (0, 0.1, 0), 45.0, SIZE)
        self.time = 0.0

    @property
    def surfaces(self):
        shape = self.body.shape
        return [
            Surface(
                self.body,
                self.session.positions(self.body),
                shape.vertices.numpy(),
                shape.faces.numpy(),
                self.session.handle_points(self.body),
            )
        ]

    def pixel(self, point):
        return tuple(self.pose.project(np.asarray(point, float)[None])[0][0])

    @property
    def middle(self):
        return self.pixel(self.session.positions(self.body).mean(0))

    def mouse(self, position, **state) -> bool:
        self.time += 0.2
        return self.pointer.update(Mouse(tuple(position), time=self.time, **state), self.pose, self.surfaces)

    def click(self, position, **state) -> None:
        self.mouse(position, left=True, left_pressed=True, **state)
        self.mouse(position, left_released=True, **state)

    def right_click(self, position) -> None:
        self.mouse(position, right_pressed=True)
        self.mouse(position, right_released=True)


@pytest.fixture
def here(session, scene):
    return Scene(session, scene)


def test_the_target_of_a_pull_lies_under_the_mouse(here):
    here.mouse(here.middle, left=True, left_pressed=True)
    pull = here.pointer.gesture
    assert isinstance(pull, Pull)
    assert here.pointer.holds_camera
    for place in ((300, 200), (20, 580), (790, 10)):
        here.mouse(place, left=True, captured=True)  # also over a panel
        np.testing.assert_allclose(here.pixel(pull.hand.target), place, atol=1e-6)
        # In the plane through the point of the press that faces the camera.
        assert abs((pull.hand.target - pull.point) @ here.pose.look) < 1e-9
    here.mouse((300, 200), left_released=True)
    assert here.pointer.gesture is None
    assert here.session.world.grabs == ()


def test_escape_lets_go_and_is_used_up(here):
    here.mouse(here.middle, left=True, left_pressed=True)
    assert here.mouse(here.middle, left=True, escape=True)
    assert here.session.world.grabs == ()
    assert not here.mouse(here.middle, escape=True)


def test_a_reset_ends_the_pull(here):
    here.mouse(here.middle, left=True, left_pressed=True)
    here.session.reset()
    here.mouse(here.middle, left=True)
    assert here.pointer.gesture is None


def test_a_press_beside_or_on_a_panel_is_not_ours(here):
    here.mouse((5, 5), left=True, left_pressed=True)
    assert not here.pointer.holds_camera
    here.mouse((5, 5), left_released=True)
    here.mouse(here.middle, left=True, left_pressed=True, captured=True)
    assert here.pointer.gesture is None


def test_a_lost_release_ends_the_pull(here):
    """The button may come up outside of the window."""
    here.mouse(here.middle, left=True, left_pressed=True)
    here.mouse(here.middle, left=False)
    assert here.pointer.gesture is None


def test_right_click_pins_and_unpins(here):
    here.session.unpin_all()
    here.right_click(here.middle)
    (pin,) = here.session.pins
    np.testing.assert_allclose(pin_heads(here.session.pins, here.pose)[0], here.pixel(pin.targets.mean(0)))
    here.right_click(pin_heads(here.session.pins, here.pose)[0])
    assert here.session.pins == ()


def test_a_right_drag_is_the_cameras(here):
    before = [pin.key for pin in here.session.pins]
    here.mouse(here.middle, right_pressed=True)
    x, y = here.middle
    here.mouse((x + 30, y), right_released=True)
    assert [pin.key for pin in here.session.pins] == before


def test_a_box_pins_what_is_in_it_and_a_click_nothing(here):
    here.session.unpin_all()
    here.session.tool, here.view.pin_shape = "pin", "box"
    here.click((5, 5))
    assert here.session.pins == ()
    positions = here.session.positions(here.body)
    top = positions[positions[:, 1] > np.median(positions[:, 1])]
    pixels = here.pose.project(top)[0]
    low, high = pixels.min(0) - 2, pixels.max(0) + 2
    here.mouse(low, left=True, left_pressed=True)
    assert isinstance(here.pointer.gesture, BoxSelection)
    here.mouse(high, left=True)
    here.mouse(high, left_released=True)
    (pin,) = here.session.pins
    assert pin.targets[:, 1].min() > positions[:, 1].min()


def test_a_brush_paints_one_body(here):
    here.session.unpin_all()
    here.session.tool, here.view.pin_shape = "pin", "brush"
    here.mouse(here.middle, left=True, left_pressed=True)
    brush = here.pointer.gesture
    assert isinstance(brush, BrushSelection)
    first = brush.chosen.sum()
    assert first > 0
    x, y = here.middle
    here.mouse((x, y + 60), left=True)
    assert brush.chosen.sum() > first
    here.mouse((x, y + 60), left_released=True)
    assert len(here.session.pins) == 1


def test_the_handle_tool_leads_a_handle(here):
    here.session.tool = "handle"
    points = here.session.handle_points(here.body)
    here.click(here.pixel(points[2]))
    chosen = here.session.selected_handle
    (grip,) = here.session.grips
    assert grip.handle == chosen
    assert np.linalg.norm(np.subtract(here.pixel(points[chosen]), here.pixel(points[2]))) <= 22
    here.session.undo()
    here.click(here.middle, control=True)
    assert len(here.session.grips) == 1


def test_the_bottom_line_follows_the_mouse(here):
    said = set()
    for tool in ("pull", "pin", "handle"):
        here.session.tool = tool
        for place, captured in (((5, 5), False), (here.middle, False), ((5, 5), True)):
            here.mouse(place, captured=captured)
            said.add(explain(here.pointer, here.session, here.view))
    assert len(said) >= 5
    here.session.tool = "pull"
    here.mouse(here.middle, left=True, left_pressed=True)
    assert "press Space" in explain(here.pointer, here.session, here.view)
    here.session.play()
    assert explain(here.pointer, here.session, here.view).startswith("Pulling")
