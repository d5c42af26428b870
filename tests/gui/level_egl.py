"""Level 3: the mouse in the window drawn by EGL: pulling, pinning, leading handles, weights. Run by test_window.py."""

import numpy as np
import polyscope as ps
import pytest

from app.pointer import Pull

pytest_plugins = ["egl_window"]


def middle(drive) -> tuple[float, float]:
    """A pixel on the box."""
    return drive.pixel(drive.session.positions(drive.session.bodies[0]).mean(0))


def camera() -> np.ndarray:
    return ps.get_camera_view_matrix().copy()


# -- geometry -----------------------------------------------------------------------------------------------


def test_our_camera_is_polyscopes(box):
    pose = box.viewer.pose()
    for pixel in ((450.0, 100.0), (700.0, 320.0), (990.0, 600.0)):
        origin, direction = pose.ray(pixel)
        np.testing.assert_allclose(direction, ps.screen_coords_to_world_ray(pixel), atol=1e-4)
        (back,), _ = pose.project((origin + 0.7 * direction)[None])
        np.testing.assert_allclose(back, pixel, atol=1e-3)


def test_our_picking_is_polyscopes(box):
    from app.picking import pick

    box.viewer.session.pause()
    box.frames(2)
    surface = box.viewer.scenery.surfaces[0]
    structure = ps.get_surface_mesh("0 box")
    structure.set_selection_mode("faces_only")
    x, y = middle(box)
    for offset in ((0, 0), (60, -40), (-70, 50), (30, 60)):
        pixel = (round(x + offset[0]), round(y + offset[1]))
        theirs = ps.pick(screen_coords=pixel)
        ours = pick([(surface.vertices, surface.faces)], *box.viewer.pose().ray(pixel))
        assert theirs.is_hit == (ours is not None)
        if ours is not None:
            assert theirs.structure_data["index"] == ours.face
            np.testing.assert_allclose(theirs.position, ours.point, atol=3e-3)


# -- pulling ------------------------------------------------------------------------------------------------


def test_what_is_pulled_follows_the_mouse_and_the_camera_stays(box):
    before, picture = camera(), box.picture()
    start = middle(box)
    box.to(*start)
    box.press()
    gesture = box.viewer.pointer.gesture
    assert isinstance(gesture, Pull)
    held = gesture.hand.point
    for step in range(1, 11):
        box.to(start[0] + 5 * step, start[1] - 8 * step)
    np.testing.assert_allclose(box.pixel(gesture.hand.target), box.mouse, atol=1.0)
    box.frames(25)
    moved = gesture.hand.point - held
    wanted = gesture.hand.target - held
    assert np.linalg.norm(gesture.hand.target - gesture.hand.point) < 0.35 * np.linalg.norm(wanted)
    assert moved @ wanted > 0.6 * wanted @ wanted
    np.testing.assert_array_equal(camera(), before)
    assert np.abs(box.picture().astype(int) - picture).max() > 50
    box.release()
    assert box.viewer.pointer.gesture is None
    assert box.session.world.grabs == ()


def test_a_pull_survives_crossing_panels_and_escape_ends_it(box):
    box.session.tool = "handle"  # Esc has something else to close, and must not
    start = middle(box)
    box.to(start[0], start[1])
    box.press()
    box.to(100, 300)
    assert isinstance(box.viewer.pointer.gesture, Pull)
    np.testing.assert_allclose(box.pixel(box.viewer.pointer.gesture.hand.target), (100, 300), atol=1.0)
    box.key("Escape")
    assert box.viewer.pointer.gesture is None
    assert box.session.world.grabs == ()
    assert box.session.tool == "handle"
    box.release()
    box.key("Escape")
    assert box.session.tool == "pull"


def test_a_drag_beside_the_body_orbits(box):
    before = camera()
    box.drag((900, 120), (960, 150))
    assert not np.allclose(camera(), before)
    assert box.session.world.grabs == ()


def test_a_press_on_a_panel_pulls_nothing(box):
    box.to(150, 300)
    box.press()
    assert box.viewer.pointer.gesture is None
    box.release()


# -- pins and handles ---------------------------------------------------------------------------------------


def test_right_click_pins_and_unpins(box):
    session = box.session
    box.click(*middle(box), button=1)
    (pin,) = session.pins
    session.attempt(session.set_gravity, (0.0, 9.81, 0.0))  # would fall upwards
    box.frames(30)
    held = session.world.pins[0]
    now = session.bodies[0].deform(held.rest).numpy()
    assert np.abs(now - pin.targets).max() < 0.005
    box.click(*box.pixel(pin.targets.mean(0)), button=1)
    assert session.pins == ()
    box.key("Z", control=True)
    assert len(session.pins) == 1
    box.key("Z", control=True, shift=True)
    assert session.pins == ()
    assert not box.problems()


@pytest.mark.parametrize("mode", ["off", "one", "all", "dominant"])
def test_a_pin_deep_inside_shows_its_points_in_every_mode(box, mode):
    session, body = box.session, box.session.bodies[0]
    session.pause()
    box.viewer.view.weights = mode
    box.frames(4)
    before = box.picture().astype(int)
    pin = session.pin(body, np.zeros(3), 0.04)
    box.frames(3)
    assert not box.viewer.scenery._held(box.viewer.scenery._drawn[0]).any()
    changed = np.abs(box.picture().astype(int) - before)[..., :3].max(2) > 60
    head = box.pixel(pin.targets.mean(0))
    for target in pin.targets[:: max(1, len(pin.targets) // 12)][:6]:
        x, y = np.round(box.pixel(target)).astype(int)
        if np.hypot(x - head[0], y - head[1]) > 14:
            assert changed[y - 3 : y + 4, x - 3 : x + 4].any()
    assert changed.sum() > 100


def test_a_right_drag_pans_and_pins_nothing(box):
    before, (x, y) = camera(), middle(box)
    box.to(x, y)
    box.press(1)
    box.to(x + 40, y)
    box.release(1)
    assert box.session.pins == ()
    assert not np.allclose(camera(), before)


def test_a_box_selects_what_is_pinned(box):
    session = box.session
    session.reset()
    session.pause()
    box.button("Pin")
    box.button("Box##shape")
    before = camera()
    top = box.pixel((-0.16, 0.26, 0.0)), box.pixel((0.16, 0.15, 0.0))
    box.drag(*top)
    (pin,) = session.pins
    assert pin.targets[:, 1].min() > 0.1
    assert np.ptp(pin.targets[:, 0]) > 0.15
    np.testing.assert_array_equal(camera(), before)
    # Held vertices are shown in colour.
    assert box.viewer.scenery._held(box.viewer.scenery._drawn[0]).any()


def test_a_brush_selects_what_it_passes(box):
    session = box.session
    session.pause()
    box.key("2")
    box.button("Brush##shape")
    x, y = middle(box)
    box.drag((x - 50, y), (x + 50, y))
    (pin,) = session.pins
    assert np.ptp(pin.targets[:, 0]) > 0.05
    box.key("1")
    assert session.tool == "pull"


def test_a_handle_is_led_by_its_gizmo(box):
    session = box.session
    box.button("Handles")
    box.frames(2)
    body = session.bodies[0]
    points = session.handle_points(body)
    pixels = np.array([box.pixel(point) for point in points])
    # One that no other covers on the screen.
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=2) + 1e9 * np.eye(len(pixels))
    handle = int(apart.min(1).argmax())
    session.pause()
    box.click(*pixels[handle])
    (grip,) = session.grips
    assert (grip.handle, session.selected_handle) == (handle, handle)
    start = grip.transform.copy()
    place = np.array(box.pixel(start[:3, 3]))
    np.testing.assert_allclose(place, pixels[handle], atol=1.0)  # where it was clicked
    box.frames(1)
    assert "Esc lets go" in box.ui.hint
    before = camera()
    box.drag(place, (place[0], place[1] - 45))
    moved = grip.transform[:3, 3] - start[:3, 3]
    assert moved[1] > 0.02
    np.testing.assert_array_equal(camera(), before)
    held = body.basis.handle_points[handle].numpy()[None]
    rest = body.deform(held).numpy()[0]
    session.play()
    box.frames(40)
    followed = body.deform(held).numpy()[0] - rest
    assert followed @ moved > 0.3 * moved @ moved
    # Turning by the session moves the gizmo too.
    box.key("Z", control=True)
    assert np.allclose(session.grips[0].transform, start, atol=1e-5) if session.grips else True
    assert not box.problems()


# -- weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["one", "all", "dominant", "grid"])
def test_weight_fields_are_drawn(box, mode):
    before = box.picture()
    box.viewer.view.weights = mode
    box.viewer.view.ghost = mode == "one"
    box.frames(6)
    assert np.abs(box.picture().astype(int) - before)[:, 400:].max() > 60
    box.viewer.view.weights, box.viewer.view.ghost = "off", False
    box.frames(2)
    assert ps.has_surface_mesh("0 box")
    assert not ps.has_surface_mesh("weights of handle 0")
    assert not box.problems()


def test_a_copy_in_the_grid_is_chosen_and_the_camera_comes_back(box):
    session, view = box.session, box.viewer.view
    session.pause()
    box.frames(2)
    before = camera()
    view.weights = "grid"
    box.frames(4)
    assert not np.allclose(camera(), before, atol=0.01)
    box.click(*box.pixel(box.viewer.scenery.grid.middles[4]))
    assert (view.weights, session.selected_handle) == ("one", 4)
    box.frames(2)
    np.testing.assert_allclose(camera(), before, atol=2e-3)


def test_clicking_a_handles_point_selects_it(box):
    box.viewer.view.handle_points = True
    box.session.pause()
    box.frames(2)
    points = [box.pixel(p) for p in box.session.handle_points(box.session.bodies[0])]
    box.click(*points[4])
    assert box.session.selected_handle == 4
    assert box.session.grips == ()
