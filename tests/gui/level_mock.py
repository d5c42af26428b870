"""Level 2: the window's logic in ImGui with nothing drawn at all. Run by test_window.py."""

import polyscope as ps
import polyscope.imgui as psim
import pytest
from driver import Driver, write_scene

from app.pointer import Pull
from app.window import open_window


@pytest.fixture(scope="session", autouse=True)
def window():
    """One for the whole process: Polyscope can be started once."""
    open_window("openGL_mock", (1280, 720))
    yield
    ps.shutdown()


@pytest.fixture
def drive():
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def box(drive, tmp_path):
    drive.open(write_scene(tmp_path))
    drive.frames(5)
    return drive


def test_nothing_can_be_done_in_an_empty_window_but_open(drive):
    drive.frames(2)
    for label in ("Save", "Save as…", "Train", "Save weights…"):
        drive.button(label)
    assert drive.session.status == "empty"
    assert drive.ui.browser.purpose is None
    assert not drive.messages()
    drive.button("Open…")
    assert drive.ui.browser.purpose == "open"
    drive.key("Escape")
    assert drive.ui.browser.purpose is None


def test_every_panel_draws_in_every_state(box):
    session, view = box.session, box.viewer.view
    for tool in ("pull", "pin", "handle"):
        session.tool = tool
        for weights in ("off", "one", "all", "dominant", "grid"):
            view.weights = weights
            view.ghost = not view.ghost
            box.frames(2)
    view.help = True
    view.advanced = True
    for kind in ("info", "warning", "error"):
        session.notify(kind, f"a message of kind {kind}", "with details")
    for scale in (0.8, 2.0):
        session.settings.set_ui_scale(scale)
        for theme in ("light", "dark"):
            session.settings.set_theme(theme)
            box.frames(2)
    for purpose in ("open", "save", "save weights", "save motion"):
        view.ask(purpose)
        box.frames(2)
        assert box.ui.browser.purpose is not None
    assert box.problems() == ["a message of kind warning", "a message of kind error"]


def test_buttons_play_step_and_reset(box):
    session = box.session
    box.button("Pause")
    assert session.simulation == "paused"
    last = session.timeline.last
    box.button("Step")
    assert session.timeline.last == last + 1
    box.button("Reset")
    assert session.world.time == 0
    box.button("▶  Play")
    assert session.simulation == "playing"


def test_tools_are_chosen_by_button_and_key(box):
    for label, key, tool in (("Pin", "2", "pin"), ("Handles", "3", "handle"), ("Pull", "1", "pull")):
        box.button(label)
        assert box.session.tool == tool
        box.session.tool = "pull"
        box.key(key)
        assert box.session.tool == tool


def test_undo_is_grey_until_there_is_something(box):
    session = box.session
    assert session.can("undo") is not None
    box.button("↶")
    assert not box.problems()
    session.pin(session.bodies[0], session.bodies[0].shape.vertices[0].numpy())
    box.frames(1)
    box.button("↶")
    assert session.pins == ()
    box.button("↷")
    assert len(session.pins) == 1


def test_pulling_needs_no_picture(box):
    """Picking is arithmetic of our own, so it works where nothing is drawn."""
    session = box.session
    box.to(*box.pixel(session.positions(session.bodies[0]).mean(0)))
    box.press()
    assert isinstance(box.viewer.pointer.gesture, Pull)
    box.to(900, 200)
    box.frames(5)
    assert session.world.grabs
    box.release()
    assert not session.world.grabs


def test_a_slider_is_dragged_and_its_value_stands_beside_it(box):
    box.frames(2)
    x, y = box.ui.places["##Speed"]
    box.drag((x, y), (x + 400, y))  # beyond its end
    assert box.session.speed == pytest.approx(4.0)
    handles = box.ui.places["##handles"]
    assert 104 + 12 < handles[0] < box.ui.column - 40


def test_a_number_is_typed_into_a_slider(box):
    box.frames(2)
    box.to(*box.ui.places["##Speed"])
    psim.GetIO().AddKeyEvent(psim.ImGuiMod_Ctrl, True)
    box.frames(1)
    box.press()
    box.release()
    psim.GetIO().AddKeyEvent(psim.ImGuiMod_Ctrl, False)
    box.frames(1)
    assert box.ui._typed == "##Speed"
    psim.GetIO().AddInputCharactersUTF8("0.5")
    box.frames(2)
    box.key("Enter")
    assert box.session.speed == pytest.approx(0.5)
    assert box.ui._typed == ""


def test_typing_presses_no_keys(box):
    box.viewer.view.ask("save")
    box.frames(3)
    box.click(500, 590)  # the field for the name
    simulation = box.session.simulation
    box.key("Space")
    assert box.session.simulation == simulation
    box.ui.browser.close()


def test_the_column_hides(box):
    assert box.ui.column > 300
    box.key("H")
    assert box.ui.column == 0
    assert "Train" not in box.ui.places
    box.key("H")
    assert "Train" in box.ui.places


def test_messages_are_dismissed(box):
    box.session.notify("error", "one that stays until it is dismissed", "why")
    box.frames(3)
    notice = next(n for n in box.session.notices if n.kind == "error")
    box.session.dismiss(notice)
    box.frames(2)
    assert not box.problems()


def test_the_bottom_line_says_what_the_mouse_does(box):
    box.to(150, 300)
    assert "panels" in box.ui.hint
    box.to(*box.pixel(box.session.positions(box.session.bodies[0]).mean(0)))
    box.until(lambda: "pull" in box.ui.hint, "the hint for a surface")
    box.session.tool = "pin"
    box.frames(1)
    assert "pin" in box.ui.hint


@pytest.mark.parametrize("size", [(1280, 720), (800, 500)])
def test_the_scene_keeps_half_of_the_window_however_large_the_text(box, size):
    ps.set_window_size(*size)
    box.session.settings.set_ui_scale(4.0)
    box.viewer.view.help = True
    box.frames(3)
    assert box.ui.column <= size[0] / 2 + 1
    assert box.ui.scale >= 1
    assert {"Play back", "?", "Close", "−", "+"} <= set(box.ui.places)
    for label, (x, y) in box.ui.places.items():
        if label in ("Reset", "?", "+", "Adv.", "Close"):
            assert 0 < x < size[0], label
            assert y > 0
    scale = box.ui.scale
    box.viewer.view.help = False
    box.frames(2)
    box.button("+")
    assert (box.ui.scale, box.session.settings.ui_scale) == (scale, 4.0)
    box.button("−")
    assert box.ui.scale < scale or scale <= 1
    ps.set_window_size(1280, 720)
    box.frames(2)


def test_what_is_looked_at_stays_in_the_middle_when_the_window_changes(box):
    for size in ((1280, 720), (800, 500), (1000, 400), (1280, 720)):
        ps.set_window_size(*size)
        box.frames(3)
        x, y = box.pixel(ps.get_view_center())
        assert x == pytest.approx((box.ui.column + size[0]) / 2, abs=3)
        assert y == pytest.approx((size[1] - 62) / 2, abs=3)  # above the timeline and the bottom line


def test_a_small_window_still_draws(box):
    ps.set_window_size(420, 300)
    box.frames(3)
    ps.set_window_size(1280, 720)
    box.frames(2)
    assert not box.problems()
