"""Time: fixed steps, slow motion, the timeline, energies, the world's settings, and steps that go wrong."""

import numpy as np
import pytest
from sessions import opened, run

from app.session import Energies, Refusal, Session
from scenes.schema import MaterialValues
from sim.errors import MaterialError, WorldError

H = 1 / 60


@pytest.fixture
def ready(session, scene) -> Session:
    return opened(session, scene)


# -- letting time go on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [20.0, 60.0, 144.0, 61.7])
def test_simulated_time_follows_wall_time_whatever_the_frame_rate(ready, monkeypatch, rate):
    monkeypatch.setattr("app.session.simulation._BUDGET", 10.0)  # a machine that is fast enough
    ready.play()
    for _ in range(round(rate)):
        ready.tick(1 / rate)
    assert ready.world.time == pytest.approx(round(rate) / rate, abs=1.01 * H)
    assert ready.slow_motion == 1.0


def test_speed_scales_time(ready, monkeypatch):
    monkeypatch.setattr("app.session.simulation._BUDGET", 10.0)
    ready.set_speed(0.25)
    ready.play()
    for _ in range(120):
        ready.tick(H)
    assert ready.world.time == pytest.approx(0.5, abs=1.01 * H)
    ready.set_speed(1e9)
    assert ready.speed == 10.0
    ready.set_speed(float("nan"))
    assert ready.speed == 10.0


def test_a_slow_machine_gives_slow_motion_and_says_so(ready, monkeypatch):
    """With no time for more, each frame takes just one step: at 20 frames a second a third of real time."""
    monkeypatch.setattr("app.session.simulation._BUDGET", 0.0)
    ready.play()
    for _ in range(100):
        ready.tick(0.05)
    assert ready.world.time == pytest.approx(100 * H)
    assert ready.slow_motion == pytest.approx(1 / 3, abs=0.02)


def test_a_long_pause_is_not_caught_up(ready):
    ready.play()
    before = ready.world.time
    ready.tick(3600.0)
    assert ready.world.time - before < 0.26


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-9])
def test_frames_without_time_change_nothing(ready, seconds):
    ready.play()
    before, version = ready.world.time, ready.motion_version
    ready.tick(seconds)
    assert (ready.world.time, ready.motion_version) == (before, version)


def test_pausing_holds_and_a_step_is_one_step(ready):
    ready.step()
    assert ready.simulation == "paused"
    assert ready.world.time == pytest.approx(H)
    ready.tick(1.0)
    assert ready.world.time == pytest.approx(H)
    assert ready.step_ms > 0
    assert ready.iterations > 0


def test_reset_comes_back_to_the_start(ready):
    body = ready.selected_body
    start = ready.positions(body).copy()
    ready.reset()
    run(ready, 10)
    moved = ready.positions(body).copy()
    assert np.abs(moved - start).max() > 1e-3 * body.size
    ready.grab(body, moved[0])
    ready.reset()
    assert np.array_equal(ready.positions(body), start)
    assert (ready.world.time, ready.simulation, ready.world.grabs) == (0.0, "stopped", ())
    assert len(ready.timeline) == 1
    run(ready, 10)
    np.testing.assert_allclose(ready.positions(body), moved, atol=1e-5)


def test_positions_are_computed_once_a_motion(ready):
    body = ready.selected_body
    first = ready.positions(body)
    assert ready.positions(body) is first
    ready.step()
    assert ready.positions(body) is not first


# -- timeline -------------------------------------------------------------------------------------------------


@pytest.fixture
def played(ready) -> tuple[Session, list[np.ndarray]]:
    body = ready.selected_body
    ready.reset()
    frames = [ready.positions(body).copy()]
    for _ in range(20):
        ready.step()
        frames.append(ready.positions(body).copy())
    return ready, frames


def test_scrubbing_shows_every_frame_again(played):
    session, frames = played
    assert (session.timeline.first, session.timeline.last) == (0, 20)
    for frame in (0, 20, 7, 8, 3):
        session.seek(frame)
        assert session.timeline.cursor == frame
        assert np.array_equal(session.positions(session.selected_body), frames[frame])
        assert session.world.time == pytest.approx(frame * H)
    assert len(session.timeline) == 21
    session.seek(-10)
    assert session.timeline.cursor == 0
    session.seek(10_000)
    assert session.timeline.cursor == 20


def test_going_on_from_a_frame_repeats_what_followed_and_forgets_the_rest(played):
    session, frames = played
    session.continue_from(12)
    assert session.simulation == "playing"
    assert session.timeline.last == 12
    session.tick(H)
    # The rate comes from a difference of positions, so the solve starts a rounding error away.
    np.testing.assert_allclose(session.positions(session.selected_body), frames[13], atol=2e-5)
    assert session.timeline.last == 13


def test_play_after_scrubbing_goes_on_from_what_is_shown(played):
    session, _ = played
    session.seek(5)
    session.play()
    session.tick(H)
    assert session.timeline.last == session.timeline.cursor == 6
    assert session.world.time == pytest.approx(6 * H)


def test_playing_back_shows_the_frames_in_time_and_holds_at_the_end(played):
    session, frames = played
    session.play_back()  # at the end: from the beginning
    assert session.playing_back
    shown = []
    while session.playing_back:
        session.tick(H * 1.001)
        shown.append(session.timeline.cursor)
        assert np.array_equal(session.positions(session.selected_body), frames[session.timeline.cursor])
    assert shown == list(range(1, 21))
    assert session.simulation == "paused"
    assert session.timeline.last == 20
    session.play_back()
    session.pause()
    assert not session.playing_back


def test_nothing_to_play_back_before_the_first_step(ready):
    ready.reset()
    with pytest.raises(Refusal, match="nothing to show"):
        ready.play_back()


# -- settings of the world ------------------------------------------------------------------------------------


def test_settings_act_at_once_and_make_the_scene_dirty(ready):
    body = ready.selected_body
    ready.set_gravity((0, 5, 0))
    ready.unpin_all()
    run(ready, 10)
    assert body.velocity @ body.first_moment @ (0, 1, 0) > 0  # it rises
    assert ready.scene.gravity == (0.0, 5.0, 0.0)
    assert ready.dirty
    ready.set_floor(None)
    assert ready.scene.floor is None
    ready.set_floor(-1.0, 0.3)
    assert (ready.scene.floor.height, ready.scene.floor.friction) == (-1.0, 0.3)
    ready.set_damping(body, mass=2.0)
    assert ready.scene.bodies[0].damping.mass == 2.0


def test_impossible_settings_are_refused_and_change_nothing(ready):
    body = ready.selected_body
    scene, material = ready.scene, body.material
    with pytest.raises(WorldError):
        ready.set_gravity((0, np.nan, 0))
    with pytest.raises(WorldError):
        ready.set_floor(0.0, -1.0)
    with pytest.raises(WorldError):
        ready.set_damping(body, mass=-1.0)
    with pytest.raises(MaterialError):
        ready.set_material(body, "unobtainium")
    with pytest.raises(MaterialError):
        ready.set_material(body, MaterialValues(young=1e5, poisson=0.7, density=1000.0))
    assert ready.scene == scene
    assert body.material is material
    assert ready.can("undo") == "There is nothing to undo."


def test_a_material_acts_on_all_but_the_regions_that_have_their_own(ready):
    body = ready.selected_body
    young = body.material.per_sample("young", 400)
    inside = body.shape.samples[:, 0] >= 0.3
    ready.set_material(body, MaterialValues(young=5e5, poisson=0.3, density=500.0))
    after = body.material.per_sample("young", 400)
    assert (after[~inside] == 5e5).all()
    assert (after[inside] == young[inside]).all()


def test_a_slider_is_one_step_for_undo(ready):
    body = ready.selected_body
    ready.set_material(body, "foam")
    ready.settle()
    for young in (1e4, 2e4, 3e4):
        ready.set_material(body, MaterialValues(young=young, poisson=0.4, density=1000.0))
    ready.settle()
    ready.set_material(body, "cork")
    ready.undo()
    assert ready.scene.bodies[0].material.young == 3e4
    ready.undo()
    assert ready.scene.bodies[0].material == "foam"
    assert body.material.name == "foam"
    assert float(body.material.per_sample("young", 400).min()) == 5e4
    ready.undo()
    assert ready.scene.bodies[0].material == "jelly"
    ready.redo()
    assert ready.scene.bodies[0].material == "foam"


# -- energies -------------------------------------------------------------------------------------------------


def test_energies_of_a_falling_body_turn_from_gravity_to_motion(ready):
    ready.unpin_all()
    ready.set_floor(None)
    ready.reset()
    run(ready, 30)
    energies = ready.energies
    assert len(energies) == 30
    body = ready.selected_body
    fallen = energies.gravity[0] - energies.gravity[-1]
    speed = 9.81 * 30 * H
    assert energies.kinetic[-1] == pytest.approx(body.mass * speed**2 / 2, rel=1e-3)
    # Implicit Euler falls half a step's worth further: sum of n h g h.
    assert fallen == pytest.approx(body.mass * 9.81 * 9.81 * H**2 * (30 * 31 / 2 - 1), rel=1e-3)
    assert (energies.elastic < 1e-3 * energies.kinetic[-1]).all()


def test_the_plot_has_the_newest_values_in_contiguous_arrays():
    energies = Energies(capacity=10)
    for n in range(137):
        energies.append(n, 1.0 * n, 2.0 * n, 3.0 * n)
        kept = np.arange(max(0, n - 9), n + 1)
        for name, factor in (("time", 1), ("kinetic", 1), ("elastic", 2), ("gravity", 3), ("total", 6)):
            row = getattr(energies, name)
            assert row.flags.c_contiguous
            assert row.dtype == np.float64
            assert np.array_equal(row, factor * kept)
    energies.clear()
    assert len(energies.time) == 0


# -- what goes wrong ------------------------------------------------------------------------------------------


def test_a_step_that_raises_is_a_message_and_time_holds(ready):
    """A body whose state was damaged behind the world's back cannot be stepped."""
    body = ready.selected_body
    run(ready, 3)
    good = ready.positions(body).copy()
    body.velocity = np.zeros((3, 1))
    ready.play()
    ready.tick(H)
    assert ready.simulation == "paused"
    assert any(notice.kind == "error" and notice.detail for notice in ready.notices)
    assert np.array_equal(ready.positions(body), good)
    run(ready, 3)  # and the window lives
    assert ready.timeline.last == 6


def test_nan_is_never_drawn(ready):
    body = ready.selected_body
    good = ready.positions(body).copy()
    body.position = np.full_like(body.position, np.nan)
    ready.motion_version += 1
    assert np.array_equal(ready.positions(body), good)
    assert any("not numbers" in notice.text for notice in ready.notices)
    ready.reset()
    assert np.isfinite(ready.positions(body)).all()


def test_nan_in_a_step_goes_back_to_the_last_good_frame(ready):
    body = ready.selected_body
    run(ready, 3)
    good = ready.positions(body).copy()
    body.velocity = np.full_like(body.velocity, np.nan)
    ready.play()
    ready.tick(H)
    shown = ready.positions(body)
    assert np.isfinite(shown).all()
    assert np.abs(shown - good).max() < 0.1 * body.size


def test_what_a_step_has_to_say_is_shown(ready):
    """A body stretched thirtyfold is snapped back by the world, which says so."""
    body = ready.selected_body
    ready.unpin_all()
    body.position = body.space.affine_state(np.diag([30.0, 1.0, 1.0]), np.zeros(3))
    body.velocity = np.zeros_like(body.velocity)
    ready.step()
    assert any(notice.kind == "warning" and "torn" in notice.text for notice in ready.notices)
    assert np.isfinite(ready.positions(body)).all()


def test_attempt_turns_anything_into_a_message(session):
    def careless():
        raise RuntimeError("boom")

    assert session.attempt(careless) is None
    assert session.attempt(session.play) is None
    assert session.attempt(lambda: 7) == 7
    ours, refusal = session.notices
    assert "boom" in ours.text
    assert refusal.text == "Open a mesh or a scene first."
