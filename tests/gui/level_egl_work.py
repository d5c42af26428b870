"""Level 3: work in the window drawn by EGL: time, training, files, and what goes wrong. Run by test_window.py."""

import numpy as np
import polyscope.imgui as psim
import pytest
from driver import write_box, write_scene

from scenes.schema import MaterialValues

pytest_plugins = ["egl_window"]


def middle(drive) -> tuple[float, float]:
    """A pixel on the box."""
    return drive.pixel(drive.session.positions(drive.session.bodies[0]).mean(0))


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
    left, right = 332 + 10 + 84 + 8, 1000 - 10 - 112 - 64 - 16 - 140
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


def test_the_bottom_line_follows_a_body_that_moves_under_a_resting_mouse(box):
    import time

    session = box.session
    session.pause()
    box.to(*middle(box))
    box.until(lambda: "pull" in box.ui.hint, "the hint for a surface")
    session.set_floor(None)
    for _ in range(60):
        session.step()  # it falls away
    began = time.monotonic()
    box.until(lambda: "orbit" in box.ui.hint, "the hint for the background")
    assert time.monotonic() - began < 10


def test_space_holds_what_is_played_back_and_forgets_nothing(box):
    session = box.session
    box.frames(20)
    last = session.timeline.last
    box.button("Play back")
    assert session.playing_back
    last = session.timeline.last
    box.frames(3)
    box.key("Space")
    assert not session.playing_back
    assert session.simulation == "paused"
    assert session.timeline.last == last > 15
    assert session.timeline.cursor < last
    box.to(*middle(box))
    box.press()
    box.frames(1)
    assert "press Space" in box.ui.hint
    box.release()


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
    box.frames(2)
    assert "Train anew" in box.ui.places  # not "Train": it does not go on from where it is


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


def test_closing_with_changes_asks_and_can_save_them(box, tmp_path):
    session = box.session
    box.viewer._wish_to_close()  # only played with: nothing to ask
    assert box.viewer._done
    box.viewer._done = False
    session.set_gravity((0.0, -5.0, 0.0))
    box.viewer._wish_to_close()
    box.frames(2)
    assert not box.viewer._done
    box.button("Stay")
    assert session.dirty
    assert "closing" not in box.viewer.view.asked
    box.viewer._wish_to_close()
    box.button("Save##closing")
    box.frames(2)
    assert box.viewer._done
    assert "-5" in (tmp_path / "scene.yaml").read_text()


def test_opening_asks_where_training_would_be_lost(box, tmp_path):
    session = box.session
    other = write_scene(tmp_path, name="other.yaml")
    session.train("best")
    box.until(lambda: session.training.step >= 1, "a step of training")
    box.viewer._drop([str(other)])
    box.frames(2)
    assert session.loading is None
    box.button("Go on training")
    assert session.training.active
    box.viewer._drop([str(other)])
    box.button("Open anyway")
    box.until(lambda: session.scene_path == other, "opened")
    assert session.training.state == "idle"
    box.viewer._drop([str(tmp_path / "scene.yaml")])  # nothing to lose: no question
    assert session.loading is not None
    box.until(lambda: session.loading is None, "opened")


def test_a_dropped_folder_is_shown(drive, tmp_path):
    write_box(tmp_path / "cube.stl")
    drive.viewer._drop([str(tmp_path)])
    drive.frames(2)
    assert (drive.ui.browser.purpose, drive.ui.browser.folder) == ("open", tmp_path)
    drive.key("Escape")


def test_a_shipped_scene_is_never_overwritten(drive):
    drive.open("jelly_cube")
    file = drive.session.scene_path
    before = file.read_bytes()
    drive.session.set_gravity((0.0, -5.0, 0.0))
    drive.key("S", control=True)
    drive.frames(2)
    assert drive.ui.browser.purpose == "save scene"
    assert drive.ui.browser.folder != file.parent
    assert file.read_bytes() == before


# -- files --------------------------------------------------------------------------------------------------


def test_saving_and_opening_again(box, tmp_path):
    session = box.session
    session.attempt(
        session.set_material, session.bodies[0], MaterialValues(young=3e4, poisson=0.3, density=900)
    )
    box.click(*middle(box), button=1)
    box.button("Save as…")
    box.frames(2)
    assert box.ui.browser.folder == tmp_path
    psim.GetIO().AddInputCharactersUTF8("again")
    box.frames(2)
    box.button("Save")
    assert (tmp_path / "again.yaml").exists(), box.messages()
    pins = [pin.targets for pin in session.pins]
    stood = session.camera
    box.open(tmp_path / "again.yaml")
    assert float(session.bodies[0].material.young) == pytest.approx(3e4)
    assert len(session.pins) == len(pins) == 1
    np.testing.assert_allclose(box.session.camera.position, stood.position, atol=1e-3)
    np.testing.assert_allclose(box.session.camera.look_at, stood.look_at, atol=1e-3)


def test_a_name_is_typed_and_enter_saves_but_replaces_nothing(box, tmp_path):
    box.button("Save as…")
    box.frames(2)
    psim.GetIO().AddInputCharactersUTF8("typed")
    box.frames(2)
    box.key("Enter")
    assert (tmp_path / "typed.yaml").exists(), box.messages()
    before = (tmp_path / "typed.yaml").stat().st_mtime_ns
    box.session.set_gravity((0.0, -5.0, 0.0))
    box.button("Save as…")
    box.frames(2)
    psim.GetIO().AddInputCharactersUTF8("typed")
    box.frames(2)
    box.key("Enter")
    assert (tmp_path / "typed.yaml").stat().st_mtime_ns == before
    box.button("Replace")
    assert "-5" in (tmp_path / "typed.yaml").read_text()


def test_what_invites_to_open_makes_room_for_the_browser(drive, tmp_path):
    write_box(tmp_path / "cube.stl", (20, 20, 20))
    drive.frames(2)
    drive.button("Open a file…")
    drive.frames(2)
    assert "Gummy bear" not in drive.ui.places
    drive.ui.browser.go_to(tmp_path)
    drive.ui.browser.selected = drive.ui.browser.entries[0].path
    drive.key("Enter")
    drive.until(lambda: drive.session.status in ("ready", "error"), "opened")
    assert drive.session.bodies


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
    def bad(**_):
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
