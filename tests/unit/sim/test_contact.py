"""Bodies that touch: Newton's third law, and no passing through."""

import numpy as np
from sample_bodies import make_body, subdivided_box

from sim import Material, World
from sim.contact_points import ContactPoints


def momentum(*bodies):
    return sum(body.velocity @ body.first_moment for body in bodies)


def block(name, **options):
    return make_body(subdivided_box(0.2, 8), Material(1e5, 0.4, 1000.0), handles=4, name=name, **options)


def test_a_body_stands_on_the_contact_points_it_is_given():
    """At rest their springs carry its weight, however it bends: `sum k depth = m g`, k = 20 E A / L."""
    feet = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.2], [0.2, 0.0, 0.2]])
    contact = ContactPoints(feet, np.full(4, 0.01), np.tile([0.0, -1.0, 0.0], (4, 1)), 0.2)
    world = World(gravity=(0, -9.81, 0), device="cpu")
    world.floor(0.0)
    body = world.add(block("table", contact=contact))
    for _ in range(240):
        world.step()
    depth = -body.deform(feet).numpy()[:, 1]
    assert (depth > 0).all()
    stiffness = 20 * 1e5 / body.size * 0.01
    np.testing.assert_allclose(stiffness * depth.sum(), body.mass * 9.81, rtol=1e-3)


def test_a_collision_keeps_the_sum_of_momenta():
    world = World(gravity=(0, 0, 0), timestep=1 / 200, device="cpu", tolerance=1e-6)
    one = world.add(block("one"), velocity=(1.0, 0.0, 0.0))
    two = world.add(block("two"), transform=np.c_[np.eye(3), [0.25, 0.02, 0.01]])
    before = momentum(one, two)
    for _ in range(60):
        world.step()
    np.testing.assert_allclose(momentum(one, two), before, atol=1e-3 * np.linalg.norm(before))
    assert momentum(two)[0] > 0.3 * before[0]
    assert two.centre_of_mass()[0] > one.centre_of_mass()[0] + 0.18


def test_a_stack_stands():
    world = World(device="cpu")
    world.floor(0.0)
    bodies = [world.add(block(str(i)), transform=np.c_[np.eye(3), [0.0, 0.205 * i, 0.0]]) for i in range(3)]
    for _ in range(180):
        world.step()
    heights = [body.centre_of_mass()[1] for body in bodies]
    np.testing.assert_allclose(np.diff(heights), 0.2, atol=0.02)
    assert all(np.abs(body.centre_of_mass()[[0, 2]] - 0.1).max() < 0.02 for body in bodies)


def test_a_kinematic_body_pushes_and_is_not_pushed():
    world = World(device="cpu")
    world.floor(0.0, friction=0.3)
    pushed = world.add(block("pushed"))
    pusher = world.add(block("pusher"), np.c_[np.eye(3), [-0.3, 0.0, 0.0]], (0.5, 0.0, 0.0), kinematic=True)
    for _ in range(60):
        world.step()
    np.testing.assert_allclose(pusher.centre_of_mass(), [-0.2 + 0.5, 0.1, 0.1], atol=1e-6)
    gap = pushed.centre_of_mass()[0] - pusher.centre_of_mass()[0]
    assert 0.18 < gap < 0.25


def test_bodies_apart_do_not_feel_each_other():
    def run(both):
        world = World(device="cpu")
        one = world.add(block("one"))
        if both:
            world.add(block("two"), transform=np.c_[np.eye(3), [5.0, 0.0, 0.0]])
        for _ in range(10):
            world.step()
        return one.position

    np.testing.assert_array_equal(run(True), run(False))


def test_points_find_the_planes_in_front_of_them():
    from sim.contact import find_contacts
    from sim.stepper import BodyStepper

    world = World(device="cpu")
    low, high = world.add(block("low")), world.add(block("high"), np.c_[np.eye(3), [0.0, 0.199, 0.0]])
    steppers = [BodyStepper(low, kinematic=False), BodyStepper(high, kinematic=False)]
    found = find_contacts(*(s.surface(1e-6) for s in steppers), 0, 1, friction=0.5, slip=1e-3)
    offset = found.offset([low.position, high.position])
    depth = (found.normal * offset).sum(1)
    # Only the facing sides touch; there the gap is a millimetre of overlap.
    np.testing.assert_allclose(depth[np.abs(found.normal[:, 1]) > 0.99], -0.001, atol=1e-6)
