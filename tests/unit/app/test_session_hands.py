"""The hand: pulling, pinning, leading handles, and taking it all back."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sessions import opened, run

from app.arrangement import holding_radius
from app.session import Refusal, Session
from app.session.hands import rigid_part


@pytest.fixture
def ready(session, scene) -> Session:
    opened(session, scene)
    session.unpin_all()
    session.reset()
    return session


def moved(by=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), start=None) -> np.ndarray:
    pose = np.eye(4) if start is None else start.copy()
    pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ pose[:3, :3]
    pose[:3, 3] += by
    return pose


# -- pulling --------------------------------------------------------------------------------------------------


def test_a_grabbed_place_follows_the_hand(ready):
    ready.set_gravity((0, 0, 0))
    body = ready.selected_body
    place = ready.positions(body)[0].astype(float)
    grab = ready.grab(body, place)
    np.testing.assert_allclose(grab.point, place, atol=0.06 * body.size)
    target = grab.point + np.array([0.05, 0.02, 0.0])
    grab.move_to(target)
    assert np.array_equal(grab.target, target)
    run(ready, 240)
    assert np.linalg.norm(grab.point - target) < 0.1 * 0.054
    grab.release()
    grab.release()
    assert not grab.active
    assert ready.world.grabs == ()


def test_a_hand_far_away_pulls_with_a_capped_force(ready):
    """The body of mass m gains no more than F h a step, whatever the distance: ten times as far is no harder."""
    body = ready.selected_body
    ready.set_gravity((0, 0, 0))
    speeds = []
    for distance in (10.0, 100.0):
        ready.reset()
        grab = ready.grab(body, ready.positions(body)[0])
        grab.move_to(grab.point + np.array([distance, 0, 0]))
        run(ready, 1)
        speeds.append(np.linalg.norm(body.velocity @ body.first_moment))
        grab.release()
    assert speeds[1] == pytest.approx(speeds[0], rel=1e-2)


def test_hands_open_on_reset_and_stay_harmless(ready):
    grab = ready.grab(ready.selected_body, ready.positions(ready.selected_body)[0])
    ready.reset()
    assert not grab.active
    grab.move_to((0, 0, 0))
    grab.move_to((np.nan, 0, 0))
    grab.release()
    grab = ready.grab(ready.selected_body, ready.positions(ready.selected_body)[0])
    before = grab.target
    grab.move_to((np.nan, 0, 0))  # a ray that meets no plane
    assert np.array_equal(grab.target, before)


# -- pins -----------------------------------------------------------------------------------------------------


def test_a_pin_holds_a_ball_of_the_body_where_it_is(ready):
    body = ready.selected_body
    run(ready, 5)
    centre = body.shape.vertices[0].numpy()
    pin = ready.pin(body, centre, radius=0.06)
    assert (np.linalg.norm(pin.rest - centre, axis=1) <= 0.06 + 1e-12).all()
    here = body.deform(pin.rest).numpy()
    np.testing.assert_allclose(pin.targets, here, atol=1e-12)
    run(ready, 60)
    assert np.abs(body.deform(pin.rest).numpy() - here).max() < 5e-3 * body.size
    ready.unpin(pin)
    ready.unpin(pin)
    assert ready.pins == ()
    run(ready, 20)
    assert np.abs(body.deform(pin.rest).numpy() - here).max() > 0.1 * body.size


def test_a_pin_always_holds_something_also_between_samples(ready):
    body = ready.selected_body
    pin = ready.pin(body, body.shape.vertices[0].numpy(), radius=1e-9)
    assert len(pin.rest) == 1
    nearest = np.linalg.norm(body.space.samples - body.shape.vertices[0].numpy(), axis=1).argmin()
    assert np.array_equal(pin.rest[0], body.space.samples[nearest])


def test_a_brushed_region_is_pinned_and_nothing_far_from_it(ready):
    body = ready.selected_body
    vertices = body.shape.vertices.numpy()
    mask = vertices[:, 0] < 0.11
    pin = ready.pin_vertices(body, mask)
    held = pin.rest
    assert held[:, 0].max() < 0.11 + 0.08
    near = body.space.samples[body.space.samples[:, 0] < 0.09]
    # What lies at the surface of the brushed part is held.
    skin = near[np.linalg.norm(near[:, None] - vertices[mask][None], axis=2).min(1) < 0.01]
    assert len(skin) > 0
    assert all((np.linalg.norm(held - point, axis=1) < 1e-12).any() for point in skin)
    with pytest.raises(Refusal, match="Nothing was chosen"):
        ready.pin_vertices(body, np.zeros(len(vertices), bool))
    with pytest.raises(Refusal):
        ready.pin_vertices(body, np.ones(3, bool))


def test_a_click_on_a_pin_finds_it_and_elsewhere_finds_none(ready):
    body = ready.selected_body
    corner, far = body.shape.vertices[0].numpy(), np.array([0.4, 0.1, 0.1])
    pin = ready.pin(body, corner)
    assert ready.pin_at(body, corner).key == pin.key
    assert ready.pin_at(body, far) is None
    newer = ready.pin(body, corner)
    assert ready.pin_at(body, corner).key == newer.key


@pytest.mark.parametrize(
    ("point", "radius"), [((0, 0), None), ((np.nan, 0, 0), None), ((0, 0, 0), -1.0), ((0, 0, 0), np.inf)]
)
def test_pins_that_make_no_sense_are_refused(ready, point, radius):
    with pytest.raises(Refusal):
        ready.pin(ready.selected_body, point, radius)
    assert ready.pins == ()


def test_pins_stay_on_reset_and_hold_where_the_body_starts(ready):
    body = ready.selected_body
    start = body.deform(body.shape.vertices).numpy()
    run(ready, 15)
    pin = ready.pin(body, body.shape.vertices[0].numpy())
    ready.reset()
    (kept,) = ready.pins
    assert kept.key == pin.key
    np.testing.assert_allclose(kept.targets, body.deform(kept.rest).numpy(), atol=1e-9)
    assert np.allclose(body.deform(body.shape.vertices).numpy(), start)
    # One that was made before the reset and is brought back after it holds there, too.
    ready.unpin(kept)
    run(ready, 15)
    ready.undo()
    ready.reset()
    (again,) = ready.pins
    np.testing.assert_allclose(again.targets, kept.targets, atol=1e-9)


# -- handles --------------------------------------------------------------------------------------------------


def test_handle_points_follow_the_body(ready):
    body = ready.selected_body
    run(ready, 10)
    points = ready.handle_points(body)
    assert points.shape == (body.basis.handles, 3)
    np.testing.assert_allclose(points, body.deform(body.basis.handle_points).numpy(), atol=1e-12)


def test_a_led_handle_stays_then_follows_place_and_rotation(ready):
    body = ready.selected_body
    ready.set_gravity((0, 0, 0))
    grip = ready.drag_handle(body, 1)
    assert ready.drag_handle(body, 1).key == grip.key
    start = grip.transform
    before = body.deform(body.basis.handle_points).numpy()[1]
    run(ready, 10)
    assert np.linalg.norm(ready.handle_points(body)[1] - before) < 1e-3 * body.size
    pose = moved((0.03, 0.0, 0.02), (0.0, 0.5, 0.0), start)
    grip.move_to(pose)
    np.testing.assert_allclose(grip.transform, pose, atol=1e-12)
    run(ready, 300)
    record = ready._history.present.grips[0]
    held = ready._arranger.grips[grip.key]
    now = body.deform(held.rest).numpy()
    # The rigid motion, written out point by point.
    wanted = (record.start - start[:3, 3]) @ Rotation.from_rotvec((0, 0.5, 0)).as_matrix().T + pose[:3, 3]
    assert np.abs(now - wanted).max() < 0.02 * body.size
    rest = np.abs(record.start - wanted).max()
    assert np.abs(now - wanted).max() < 0.25 * rest
    grip.release()
    grip.release()
    assert not grip.active
    assert ready.grips == ()
    assert np.array_equal(grip.transform, np.eye(4))


def test_a_grip_can_still_be_pulled_by_hand(ready):
    """It is softer than a pin: the hand moves it, and it comes back."""
    body = ready.selected_body
    ready.set_gravity((0, 0, 0))
    grip = ready.drag_handle(body, 0)
    point = ready.handle_points(body)[0]
    grab = ready.grab(body, point, 0.03)
    grab.move_to(point + np.array([0.2, 0, 0]))
    run(ready, 30)
    assert np.linalg.norm(ready.handle_points(body)[0] - point) > 1e-4 * body.size
    grab.release()
    run(ready, 200)
    assert np.linalg.norm(ready.handle_points(body)[0] - point) < 0.02 * body.size
    assert grip.active


@pytest.mark.parametrize("handle", [-1, 99])
def test_handles_that_are_not_there_are_refused(ready, handle):
    with pytest.raises(Refusal, match="no handle"):
        ready.drag_handle(ready.selected_body, handle)


def test_only_the_rigid_part_of_a_gizmo_counts():
    turn = Rotation.from_rotvec((0.1, 0.7, -0.3)).as_matrix()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn * (2.0, 2.0, 2.0), (1, 2, 3)
    np.testing.assert_allclose(rigid_part(pose)[:3, :3], turn, atol=1e-12)
    assert np.array_equal(rigid_part(pose)[:3, 3], (1, 2, 3))
    mirrored = rigid_part(np.diag([1.0, 1.0, -1.0, 1.0]))
    assert np.linalg.det(mirrored[:3, :3]) == pytest.approx(1.0)
    assert rigid_part(np.full((4, 4), np.nan)) is None
    assert rigid_part(np.eye(3)) is None


def test_a_gizmo_that_gives_nonsense_moves_nothing(ready):
    grip = ready.drag_handle(ready.selected_body, 0)
    before = grip.transform
    grip.move_to(np.full((4, 4), np.inf))
    assert np.array_equal(grip.transform, before)


def test_reset_lets_go_of_handles(ready):
    grip = ready.drag_handle(ready.selected_body, 0)
    ready.reset()
    assert not grip.active
    assert len(ready.world.pins) == 0
    grip.move_to(np.eye(4))
    grip.release()


# -- undo -----------------------------------------------------------------------------------------------------


def held(session: Session) -> list:
    """What the world holds: for each pin its rest points and places."""
    return [(pin.rest.copy(), pin.force.targets.copy()) for pin in session.world.pins]


def same(a: list, b: list) -> bool:
    def key(item):
        return (len(item[0]), item[0][0].tolist())

    a, b = sorted(a, key=key), sorted(b, key=key)
    return len(a) == len(b) and all(
        np.array_equal(x[0], y[0]) and np.allclose(x[1], y[1], atol=1e-12) for x, y in zip(a, b, strict=True)
    )


def test_undo_is_the_inverse_of_everything_and_redo_of_undo(ready):
    body = ready.selected_body
    pins = {}

    def pin_corner():
        pins["corner"] = ready.pin(body, body.shape.vertices[0].numpy())

    def lead():
        pins["grip"] = ready.drag_handle(body, 2)

    def move():
        pins["grip"].move_to(moved((0.01, 0, 0), (0.1, 0, 0), pins["grip"].transform))
        ready.settle()

    actions = [
        pin_corner,
        lambda: ready.set_material(body, "foam"),
        lead,
        move,
        lambda: ready.pin_vertices(body, body.shape.vertices.numpy()[:, 0] > 0.35),
        lambda: ready.unpin(pins["corner"]),
        move,
        lambda: pins["grip"].release(),
        ready.unpin_all,
    ]
    states = [(held(ready), ready.scene.bodies[0].material)]
    for action in actions:
        action()
        states.append((held(ready), ready.scene.bodies[0].material))
        run(ready, 2)  # undo brings back where things were held, not where they would be held now
    for back in reversed(states[:-1]):
        ready.undo()
        assert same(held(ready), back[0])
        assert ready.scene.bodies[0].material == back[1]
    for forth in states[1:]:
        ready.redo()
        assert same(held(ready), forth[0])
        assert ready.scene.bodies[0].material == forth[1]
    assert ready.can("redo") == "There is nothing to redo."


def test_moving_a_gizmo_is_one_step_until_the_mouse_is_released(ready):
    grip = ready.drag_handle(ready.selected_body, 1)
    ready.settle()
    start = grip.transform
    for step in range(1, 6):
        grip.move_to(moved((0.01 * step, 0, 0), start=start))
    ready.settle()
    middle = grip.transform
    grip.move_to(moved((0.0, 0.03, 0), start=middle))
    ready.undo()
    assert np.array_equal(grip.transform, middle)
    ready.undo()
    assert np.array_equal(grip.transform, start)
    ready.undo()
    assert not grip.active
    ready.redo()
    assert grip.active  # the same grip: it kept its key


def test_a_ball_grows_until_it_holds_enough(ready):
    body = ready.selected_body
    centre = body.shape.vertices[0].numpy()
    distance = np.sort(np.linalg.norm(body.space.samples - centre, axis=1))
    for count in (1, 8, 400, 10_000):
        radius = holding_radius(body, centre, 1e-6, count)
        assert (distance <= radius).sum() >= min(count, 400)
    assert holding_radius(body, centre, 5.0) == 5.0


def test_a_led_handle_leaves_nothing_to_save_and_a_pin_does(session, mesh):
    opened(session, mesh)
    assert session.dirty  # a mesh is no scene yet
    assert not session.unsaved
    body = session.selected_body
    session.drag_handle(body, 1).move_to(moved((0.01, 0, 0)))
    session.undo()
    assert not session.unsaved
    session.pin(body, body.shape.vertices[0].numpy())
    assert session.unsaved
    session.save_scene(mesh.with_name("saved.yaml"))
    assert not session.unsaved


def test_a_pin_of_more_points_than_it_holds_covers_all_that_was_chosen(session, tmp_path):
    """So that nothing in it looks free, and a right click anywhere in it takes it away."""
    from sample_bodies import subdivided_box
    from sessions import write_obj

    shape = subdivided_box((0.4, 0.2, 0.2), 8, count=64)
    opened(session, write_obj(tmp_path / "many.obj", shape.vertices.numpy(), shape.faces.numpy()))
    body = session.selected_body
    vertices = body.shape.vertices.numpy()
    chosen = vertices[:, 0] > vertices[:, 0].mean()
    pin = session.pin_vertices(body, chosen)
    held = (body.space.samples[:, 0] > vertices[chosen, 0].min()).sum()
    assert len(pin.rest) < 0.7 * held  # it is thinned out
    assert pin.covers(vertices[chosen]).all()
    assert not pin.covers(vertices[vertices[:, 0] < vertices[:, 0].min() + 0.05]).any()
    for vertex in vertices[chosen][::50]:
        assert session.pin_at(body, vertex).key == pin.key


def test_a_chosen_region_reaches_little_beyond_what_was_chosen(session, tmp_path):
    from sample_bodies import subdivided_box
    from sessions import write_obj

    shape = subdivided_box((0.4, 0.2, 0.2), 32, count=64)
    opened(session, write_obj(tmp_path / "fine.obj", shape.vertices.numpy(), shape.faces.numpy()))
    body = session.selected_body
    vertices = body.shape.vertices.numpy()
    border = vertices[:, 0].mean()
    chosen = vertices[:, 0] > border
    pin = session.pin_vertices(body, chosen)
    assert pin.covers(vertices[chosen]).all()
    assert border - vertices[pin.covers(vertices), 0].min() < 0.075 * body.size
