"""Level 3: the window drawn by EGL, with a person's mouse and keys put in as events. Run by test_window.py."""

import numpy as np
import polyscope as ps
import pytest
from driver import Driver, write_box, write_scene

from app.pointer import Pull
from app.window import open_window
from scenes.schema import MaterialValues

SIZE = (1000, 640)


@pytest.fixture(scope="session", autouse=True)
def window():
    """One for the whole process: Polyscope can be started once."""
    open_window("openGL3_egl", SIZE)
    yield
    ps.shutdown()


@pytest.fixture
def drive():
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def box(drive, tmp_path):
    """A soft box lying on the floor, playing; gives what drives it."""
    drive.open(write_scene(tmp_path))
    drive.frames(10)
    return drive


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
        np.testing.assert_allclose(back, pixel, atol=1e-6)


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


# -- time ---------------------------------------------------------------------------------------------------


def test_scrubbing_shows_what_was(box):
    session = box.session
    seen = {}
    for _ in range(30):
        box.frames(1)
        seen[session.timeline.cursor] = session.positions(session.bodies[0]).copy()
    box.key("Space")
    assert session.simulation == "paused"
    frame = sorted(seen)[len(seen) // 3]
    timeline = session.timeline
    share = (frame - timeline.first) / (timeline.last - timeline.first)
    left, right = 332 + 10 + 84 + 8, 1000 - 10 - 112 - 64 - 16
    y = 640 - 30 - 15
    box.drag((right - 8, y), (left + 8 + share * (right - left - 16), y))
    assert session.timeline.cursor < timeline.last
    shown = session.timeline.cursor
    if shown in seen:
        np.testing.assert_allclose(session.positions(session.bodies[0]), seen[shown], atol=1e-5)
    last = timeline.last
    box.button("Go on here")
    assert session.simulation == "playing"
    assert timeline.last < last + 3


def test_keys_play_step_and_reset(box):
    session = box.session
    box.key("Space")
    assert session.simulation == "paused"
    steps = session.timeline.last
    box.key("Period")
    assert session.timeline.last == steps + 1
    box.key("R")
    assert session.world.time == 0
    box.key("H")
    assert not box.viewer.view.panels
    box.key("H")
    box.key("T")
    assert session.settings.theme == "dark"
    box.key("Slash", shift=True)
    assert box.viewer.view.help
    box.key("Escape")
    assert not box.viewer.view.help


# -- training -----------------------------------------------------------------------------------------------


def test_training_from_the_window(box):
    session = box.session
    box.viewer.view.train_preset = "draft"
    box.button("Train")
    assert session.training.active
    box.until(lambda: session.training.step >= 2, "two steps of training")
    version = session.weights_version
    box.button("Use weights now")
    box.until(lambda: session.weights_version > version or not session.training.active, "weights put in")
    assert session.weights_version > version
    if session.training.active and session.can("stop_training") is None:
        box.button("■  Stop")
    box.until(lambda: not session.training.active, "training stopped")
    assert session.training.state == "done", session.training.message
    assert session.simulation == "playing"
    assert len(session.training.curve_losses) > 1


def test_closing_while_training_asks_once(box):
    import time

    session = box.session
    session.train("best")
    box.until(lambda: session.training.step >= 1, "a step of training")
    box.viewer._wish_to_close()
    box.frames(2)
    assert not box.viewer._done
    box.button("Go on training")
    assert session.training.active
    box.viewer._wish_to_close()
    box.frames(2)
    box.button("Close anyway")
    assert box.viewer._done
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 2.0


# -- files --------------------------------------------------------------------------------------------------


def test_saving_and_opening_again(box, tmp_path):
    session = box.session
    session.attempt(
        session.set_material, session.bodies[0], MaterialValues(young=3e4, poisson=0.3, density=900)
    )
    box.click(*middle(box), button=1)
    box.button("Save as…")
    box.ui.browser.go_to(tmp_path)
    box.ui.browser.name = "again"
    box.button("Save")
    assert (tmp_path / "again.yaml").exists(), box.messages()
    pins = [pin.targets for pin in session.pins]
    stood = session.camera
    box.open(tmp_path / "again.yaml")
    assert float(session.bodies[0].material.young) == pytest.approx(3e4)
    assert len(session.pins) == len(pins) == 1
    np.testing.assert_allclose(box.session.camera.position, stood.position, atol=1e-3)
    np.testing.assert_allclose(box.session.camera.look_at, stood.look_at, atol=1e-3)


def test_a_mesh_is_chosen_in_the_browser(drive, tmp_path):
    write_box(tmp_path / "cube.stl", (20, 20, 20))
    (tmp_path / "notes.txt").write_text("nothing")
    drive.frames(2)
    drive.button("Open a file…")
    browser = drive.ui.browser
    browser.go_to(tmp_path)
    assert [entry.name for entry in browser.entries] == ["cube.stl"]
    browser.selected = browser.entries[0].path
    browser.unit = "mm"
    drive.frames(2)
    drive.button("Open")
    drive.until(lambda: drive.session.status in ("ready", "error"), "opened")
    assert drive.session.bodies[0].size == pytest.approx(0.02, rel=0.2)


def test_a_dropped_file_is_opened(drive, tmp_path):
    scene = write_scene(tmp_path)
    drive.viewer._drop([str(scene)])
    drive.until(lambda: drive.session.status == "ready", "opened")
    assert drive.session.scene.name == "test box"


def test_an_empty_window_offers_scenes(drive):
    drive.frames(2)
    assert {"Gummy bear", "Jelly cube", "Open a file…"} <= set(drive.ui.places)
    drive.button("Jelly cube")
    drive.until(lambda: drive.session.status == "ready", "opened")


# -- what goes wrong ----------------------------------------------------------------------------------------


def test_a_panel_that_fails_leaves_the_window_alive(box):
    panel = next(panel for panel in box.viewer.column if panel.name == "train")
    good = panel.draw

    def bad(session, ui):
        with ui.section("Train"):
            raise RuntimeError("thrown on purpose")

    panel.draw = bad
    box.frames(1)
    assert any("thrown on purpose" in message for message in box.messages())
    frames = box.viewer.frames
    box.frames(6)
    assert box.viewer.frames == frames + 6
    assert panel.failures >= 3  # it is replaced by its error
    panel.draw = good
    box.button("Try again##train")
    box.frames(2)
    assert panel.failures == 0
    assert "Train" in box.ui.places
    assert "Try again##train" not in box.ui.places


def test_a_floating_panel_that_fails_leaves_the_window_alive(box):
    panel = next(panel for panel in box.viewer.floating if panel.name == "toolbar")

    def bad(session, ui):
        with ui.floating("toolbar", (400, 12)):
            raise RuntimeError("thrown on purpose")

    panel.draw = bad
    box.frames(8)
    assert any("thrown on purpose" in message for message in box.messages())
    assert np.ptp(box.picture()) > 100


def test_a_step_that_fails_leaves_the_window_alive(box, monkeypatch):
    def bad():
        raise RuntimeError("no step today")

    monkeypatch.setattr(box.session.world, "step", bad)
    box.frames(3)
    assert any("no step today" in message for message in box.messages())
    monkeypatch.undo()
    box.session.play()
    steps = box.session.timeline.last
    box.until(lambda: box.session.timeline.last > steps, "time goes on")


def test_a_file_that_cannot_be_read_leaves_the_window_alive(box, tmp_path):
    (tmp_path / "broken.obj").write_text("this is no mesh")
    body = box.session.bodies[0]
    box.session.open(tmp_path / "broken.obj")
    box.until(lambda: box.session.loading is None, "the file was refused")
    assert any("broken.obj" in message for message in box.messages())
    assert box.session.bodies == (body,)
    box.frames(2)


def test_a_worker_that_fails_leaves_the_window_alive(box, monkeypatch):
    import app.training_job

    def bad(*arguments, **options):
        raise RuntimeError("the trainer broke")

    monkeypatch.setattr(app.training_job, "train", bad)
    box.session.train("draft")
    box.until(lambda: not box.session.training.active, "training failed")
    assert box.session.training.state == "failed"
    assert any("the trainer broke" in message for message in box.messages())
    box.frames(2)
