"""Worlds: what falls, holds, conserves, and comes back, against closed forms and conservation laws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_bodies import BEAM, box_shape, cosine_basis, make_body
from scipy.spatial.transform import Rotation

from sim import Body, Damping, Material, World
from sim.errors import WorldError

G = 9.81


def momentum(body) -> np.ndarray:
    return body.velocity @ body.first_moment


def angular_momentum(body) -> np.ndarray:
    mass = body.material.density * body.shape.sample_volumes.numpy()
    x = body.shape.samples.numpy() + body.space.phi @ body.position.T
    v = body.space.phi @ body.velocity.T
    return (mass[:, None] * np.cross(x, v)).sum(0)


def total_energy(report) -> float:
    return report.energy


def test_free_fall_is_implicit_eulers(world):
    body = world.add(make_body())
    start = body.centre_of_mass()
    for _ in range(60):
        report = world.step()
        assert report.converged
    n, h = 60, 1 / 60
    assert world.time == pytest.approx(1.0)
    fall = [0, -G * h**2 * n * (n + 1) / 2, 0]
    np.testing.assert_allclose(body.centre_of_mass() - start, fall, atol=1e-4 * body.size)  # the world's own


@pytest.mark.parametrize(("size", "density"), [(0.01, 1000.0), (1.0, 0.1), (100.0, 1000.0)])
def test_cubes_of_any_size_reach_the_floor_when_newton_says(size, density):
    """A drop of two body heights takes sqrt(2 d / g); steps small enough that Euler's h/2 does not count."""
    shape = box_shape((size,) * 3, count=1024)
    body = Body(
        shape, Material(1e5 * size * density / 1000, 0.4, density), cosine_basis(shape, 4), "clusters"
    )
    drop = 2 * size
    expected = np.sqrt(2 * drop / G)
    world = World(timestep=expected / 400, device="cpu")
    world.floor(0.0)
    world.add(body, transform=np.c_[np.eye(3), [0, drop, 0]])
    while body.positions()[:, 1].min() > 0 and world.time < 2 * expected:
        world.step()
    assert world.time == pytest.approx(expected, rel=0.01)


def test_bodies_of_any_size_and_mass_move_alike():
    """Froude and Cauchy numbers kept: lengths, times and stiffnesses scaled together give the same picture."""
    pictures = []
    for size, density in ((0.01, 1000.0), (1.0, 1000.0), (100.0, 1000.0), (1.0, 0.1), (1.0, 1e5)):
        shape = box_shape(BEAM * size)
        body = Body(shape, Material(1e5 * size * density / 1000, 0.4, density), cosine_basis(shape, 6), 64)
        world = World(timestep=np.sqrt(size) / 60, device="cpu")
        world.add(body)
        world.pin(body, where=lambda X, size=size: X[:, 0] > 0.9 * size)
        for _ in range(40):
            world.step()
        pictures.append(body.positions().double().numpy() / size)
    for picture in pictures[1:]:
        np.testing.assert_allclose(picture, pictures[0], atol=2e-3)


def test_momentum_is_kept_and_angular_momentum_nearly(rng):
    drifts = []
    for timestep in (1 / 100, 1 / 400):
        world = World(gravity=(0, 0, 0), timestep=timestep, device="cpu", tolerance=1e-8)
        body = world.add(
            make_body(box_shape(BEAM)), velocity=(1.0, 2.0, -0.5), angular_velocity=(0.0, 0.5, 1.0)
        )
        p, L = momentum(body), angular_momentum(body)
        for _ in range(round(0.2 / timestep)):
            world.step()
        np.testing.assert_allclose(momentum(body), p, atol=1e-6 * np.linalg.norm(p))
        centre = np.cross(body.centre_of_mass(), p)
        drifts.append(np.linalg.norm(angular_momentum(body) - L) / np.linalg.norm(L - centre))
    # Implicit Euler loses spin in proportion to the step.
    assert drifts[0] < 0.05
    assert drifts[1] < 0.4 * drifts[0]


def test_energy_never_grows(beam):
    world = World(gravity=(0, 0, 0), device="cpu", tolerance=1e-7)
    body = world.add(make_body(beam))
    body.position = body.space.affine_state(np.diag([1.3, 0.9, 0.8]), np.zeros(3))
    energies = [body.elastic_energy()]
    for _ in range(80):
        energies.append(total_energy(world.step()))
    assert (np.diff(energies) <= 1e-6 * energies[0]).all()
    assert energies[-1] < 0.05 * energies[0]


def test_hard_pins_hold_and_let_go(beam, world):
    body = world.add(make_body(beam))
    pin = world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(60):
        world.step()
    held = beam.samples[beam.samples[:, 0] > 0.9].numpy()
    assert np.abs(body.deform(held).numpy() - held).max() < 1e-3 * body.size
    assert body.centre_of_mass()[1] < -0.05
    pin.release()
    pin.release()
    before = body.deform(held).numpy()[:, 1].mean()
    for _ in range(30):
        world.step()
    assert body.deform(held).numpy()[:, 1].mean() < before - 0.5
    assert world.pins == ()


def test_soft_pins_give_in_proportion(beam):
    drops = []
    for stiffness in (2e3, 4e3):
        world = World(device="cpu", timestep=0.05)
        body = world.add(make_body(beam, Material(1e7, 0.3, 1000.0)))
        world.pin(body, where=lambda X: X[:, 0] > -1, stiffness=stiffness)
        for _ in range(200):
            world.step()
        drops.append(-(body.centre_of_mass()[1] - body.rest_centre[1]))
    assert drops[0] == pytest.approx(body.mass * G / 2e3, rel=0.02)
    assert drops[1] == pytest.approx(body.mass * G / 4e3, rel=0.02)


def test_a_grab_lifts_and_lets_go(world):
    body = world.add(make_body(box_shape(count=1024), Material(3e5, 0.4, 1000.0)))
    grab = world.grab(body, (1.0, 1.0, 1.0), radius=0.1)
    np.testing.assert_allclose(grab.point.numpy(), [1, 1, 1], atol=1e-5)
    target = np.array([1.2, 1.5, 1.0])
    grab.move_to(target)
    for _ in range(240):
        world.step()
    assert np.linalg.norm(grab.point.numpy() - target) < 0.05
    grab.release()
    grab.release()
    assert world.grabs == ()
    height = body.centre_of_mass()[1]
    for _ in range(20):
        world.step()
    assert body.centre_of_mass()[1] < height - 0.3


def test_a_far_hand_pulls_with_a_bounded_force(world):
    body = world.add(make_body())
    grab = world.grab(body, (1.0, 1.0, 1.0))
    forces = []
    for distance in (2.0, 20.0, 2000.0):
        grab.move_to((1.0 + distance, 1.0, 1.0))
        forces.append(np.linalg.norm(grab.force.energy_gradient(body.position)[1]))
    assert forces[1] == pytest.approx(forces[0], rel=1e-6)
    assert forces[2] == pytest.approx(forces[0], rel=1e-6)


def test_kinematic_bodies_follow_their_velocity(world):
    body = world.add(make_body(), velocity=(0.3, 0.0, -0.1), angular_velocity=(0.0, 0.0, 1.0), kinematic=True)
    centre = body.centre_of_mass()
    for _ in range(120):
        world.step()
    np.testing.assert_allclose(body.centre_of_mass(), centre + 2.0 * np.array([0.3, 0, -0.1]), atol=1e-9)
    R = Rotation.from_rotvec([0, 0, 2.0]).as_matrix()
    np.testing.assert_allclose(body.deformation_gradients()[5].numpy(), R, atol=1e-9)


def test_states_come_back_bit_for_bit(beam, world):
    body = world.add(make_body(beam))
    world.floor(-0.5)
    world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(20):
        world.step()
    state = world.state()

    def run():
        world.set_state(state)
        out = []
        for _ in range(20):
            world.step()
            out.append(body.positions().clone())
        return torch.stack(out)

    assert torch.equal(run(), run())
    world.reset()
    assert world.time == 0
    np.testing.assert_allclose(body.positions().numpy(), beam.vertices.numpy(), atol=1e-6)


def test_a_run_repeats_bit_for_bit(beam):
    def run():
        world = World(device="cpu")
        world.floor(-0.3)
        body = world.add(make_body(beam), transform=np.c_[np.eye(3), [0, 0.1, 0]])
        grab = world.grab(body, (0, 0.1, 0), 0.1)
        for i in range(30):
            grab.move_to((0.0, 0.1 + 0.02 * i, 0.01 * i))
            world.step()
        return body.positions()

    assert torch.equal(run(), run())


def test_reset_opens_hands_and_keeps_pins(beam, world):
    body = world.add(make_body(beam))
    world.grab(body, (0, 0, 0)).move_to((0, 1, 0))
    for _ in range(10):
        world.step()
    pin = world.pin(body, where=lambda X: X[:, 0] < 0.1)
    world.reset()
    assert world.grabs == ()
    assert world.pins == (pin,)
    np.testing.assert_allclose(pin.force.targets, pin.rest, atol=1e-9)


@pytest.mark.parametrize("change", [{"young": 1e6}, {"poisson": 0.2}, {"density": 300.0}])
def test_a_live_change_of_material_equals_a_body_made_so(beam, change):
    def fall(body):
        world = World(device="cpu", tolerance=1e-7)
        world.add(body)
        world.pin(body, where=lambda X: X[:, 0] > 0.9, stiffness=1e6)
        if body.material.name == "old":
            body.set_material(body.material.with_values(**change))
        for _ in range(30):
            world.step()
        return body.positions()

    old = Material(1e5, 0.4, 1000.0, name="old")
    new = old.with_values(**change)
    torch.testing.assert_close(
        fall(make_body(beam, old, cubature=100)), fall(make_body(beam, new, cubature=100)), atol=2e-4, rtol=0
    )


def test_materials_may_differ_from_sample_to_sample(beam):
    soft = beam.samples[:, 0] < 0.5
    young = torch.where(soft, 1e5, 1e7).double()
    density = torch.where(soft, 500.0, 2000.0).double()
    body = make_body(beam, Material(young, 0.4, density))
    assert body.mass == pytest.approx(float(density @ beam.sample_volumes))
    world = World(device="cpu", timestep=0.05)
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.95)
    for _ in range(100):
        world.step()
    strain = (body.deformation_gradients() - torch.eye(3, dtype=torch.float64)).abs().amax((1, 2))
    assert body.deform([[0.55, 0, 0]])[0, 1] > -0.1
    assert strain[soft].max() > 5 * strain[~soft].max()
    # Back to one density, live, through the general mass matrix.
    body.set_material(Material(1e6, 0.4, 700.0))
    assert body.mass == pytest.approx(700.0 * 0.0625)
    assert world.step().converged


def test_motion_goes_on_through_a_change_of_handles(beam, world):
    body = world.add(make_body(beam, handles=6))
    world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(15):
        world.step()
    points = beam.samples[:200]
    before, speed = body.deform(points), body.space.phi_at(points) @ body.velocity.T
    world.set_basis(body, cosine_basis(beam, 12))
    after = body.deform(points)
    # The larger space contains the smaller one: nothing moves.
    np.testing.assert_allclose(after.numpy(), before.numpy(), atol=1e-6)
    np.testing.assert_allclose(body.space.phi_at(points) @ body.velocity.T, speed, atol=1e-5)
    world.set_basis(body, cosine_basis(beam, 4))
    assert (body.deform(points) - before).norm(dim=1).mean() < 0.02
    assert world.step().converged


def test_rayleigh_damping_stops_what_it_should(beam):
    def swing(damping):
        world = World(device="cpu", timestep=1 / 200)
        body = world.add(make_body(beam, damping=damping))
        world.pin(body, where=lambda X: X[:, 0] > 0.9)
        return np.array([world.step().kinetic for _ in range(400)])[-100:].max()

    free, stiff, mass = swing(Damping()), swing(Damping(stiffness=0.05)), swing(Damping(mass=5.0))
    assert stiff < 0.5 * free
    assert mass < 0.5 * free
    world = World(device="cpu")
    falling = world.add(make_body(beam, damping=Damping(stiffness=0.05)))
    for _ in range(60):
        world.step()
    # Stiffness damping does not brake a fall.
    assert falling.centre_of_mass()[1] == pytest.approx(-G * 61 / 120, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    young=st.floats(1e3, 1e9),
    poisson=st.floats(-0.5, 0.495),
    density=st.floats(1.0, 1e4),
    timestep=st.floats(1e-4, 0.2),
    seed=st.integers(0, 1000),
)
def test_no_material_or_step_size_makes_a_nan(young, poisson, density, timestep, seed):
    rng = np.random.default_rng(seed)
    world = World(timestep=timestep, device="cpu")
    world.floor(-0.2)
    body = world.add(make_body(box_shape(BEAM, count=512), Material(young, poisson, density), handles=4))
    grab = world.grab(body, (0, 0, 0), 0.1)
    for _ in range(8):
        grab.move_to(rng.normal(size=3) * 3)
        report = world.step()
        assert np.isfinite(report.energy)
        assert torch.isfinite(body.positions()).all()


def test_a_step_that_cannot_be_taken_keeps_the_last_good_state(beam, world):
    body = world.add(make_body(beam))
    world.step()
    before = body.position.copy()
    body.velocity = np.full_like(body.velocity, np.nan)
    report = world.step()
    assert not report.converged
    assert "last good state" in report.message
    np.testing.assert_array_equal(body.position, before)
    assert world.step().converged


def test_torn_bodies_spring_back(beam, world):
    body = world.add(make_body(beam))
    body.position = body.space.affine_state(np.diag([60.0, 1, 1]), np.zeros(3))
    for _ in range(3):
        world.step()
    assert np.abs(body.deformation_gradients().numpy()).max() < 3


def test_reports_say_what_happened(world):
    body = world.add(make_body(), velocity=(1.0, 0.0, 0.0))
    report = world.step()
    assert report.kinetic == pytest.approx(body.mass * (1 + (G / 60) ** 2) / 2, rel=1e-3)
    assert report.potential == pytest.approx(body.mass * G * body.centre_of_mass()[1], rel=1e-9)
    assert report.energy == report.kinetic + report.elastic + report.potential
    assert report.converged
    assert report.residual < 1e-4 * body.size
    assert report.seconds > 0


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda w, b: w.add(b), "in this world already"),
        (lambda w, b: w.pin(b, lambda X: X[:, 0] > 9), "nothing to pin"),
        (lambda w, b: w.pin(b, lambda X: X), "one yes or no"),
        (lambda w, b: w.pin(b, lambda X: X[:, 0] > 0, stiffness=-1), "stiffness"),
        (lambda w, b: w.grab(b, (0, np.nan, 0)), "finite"),
        (lambda w, b: w.grab(b, (0, 0, 0), radius=0), "radius"),
        (lambda w, b: w.grab(make_body(), (0, 0, 0)), "not in this world"),
        (lambda w, b: w.floor(np.inf), "finite height"),
        (lambda w, b: World(timestep=0), "time step"),
        (lambda w, b: World(gravity=(1, 2)), "gravity"),
        (lambda w, b: w.set_state(World(device="cpu").state()), "bodies"),
        (lambda w, b: w.add(make_body(), transform=np.eye(2)), "transform"),
        (lambda w, b: w.add(make_body(cubature=True)), "Unknown cubature"),
    ],
)
def test_requests_without_sense_are_refused_in_words(world, act, told):
    body = world.add(make_body())
    pins = world.pins
    with pytest.raises(WorldError, match=told):
        act(world, body)
    assert world.pins == pins
    assert world.step().converged


def test_a_step_that_may_not_last_ends_after_an_iteration_and_the_next_ones_catch_up():
    """The oracle is the same fall with all the time it wants: both come to rest in the same place."""
    rest = []
    for at_most in (0.0, math.inf):
        body = make_body(box_shape(BEAM), Material(3e5, 0.4, 1000.0), handles=8)
        world = World(timestep=1 / 20, device="cpu")
        world.add(body)
        world.pin(body, where=lambda X: X[:, 0] > 0.95)
        reports = [world.step(at_most=at_most) for _ in range(300)]
        assert all(report.converged for report in reports) == (at_most > 0)
        assert at_most > 0 or all(report.iterations <= 1 for report in reports)
        assert all(math.isfinite(report.energy) for report in reports)
        rest.append(body.deform(body.shape.vertices).numpy())
    np.testing.assert_allclose(rest[0], rest[1], atol=1e-3)
    assert np.abs(rest[1] - body.shape.vertices.numpy()).max() > 0.05
