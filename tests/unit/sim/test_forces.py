"""External forces: finite differences, and Coulomb's block."""

import numpy as np
import pytest
from sample_bodies import make_body, subdivided_box

from sim import Material, World
from sim.forces import FloorForce, GrabForce, PinForce, friction_well

RANK = 6


def central(force, z, d, h=1e-6):
    return (force.energy_gradient(z + h * d)[0] - force.energy_gradient(z - h * d)[0]) / (2 * h)


def pin(rng):
    return PinForce(
        rng.normal(size=(5, 3)), rng.normal(size=(5, RANK)), rng.normal(size=(5, 3)), rng.uniform(1, 2, 5)
    )


def grab(rng, reach):
    return GrabForce(rng.normal(size=3), rng.normal(size=RANK), rng.normal(size=3), 2.5, reach)


def floor(rng, friction):
    force = FloorForce(
        rng.normal(size=(20, 3)), rng.normal(size=(20, RANK)), rng.uniform(1, 2, 20), 0.3, friction, creep=0.5
    )
    force.begin_step(0.3 * rng.normal(size=(3, RANK)), 0.1)
    return force


@pytest.mark.parametrize(
    "make",
    [
        pin,
        lambda r: grab(r, 100.0),
        lambda r: grab(r, 0.01),
        lambda r: floor(r, 0.0),
        lambda r: floor(r, 0.8),
    ],
    ids=["pin", "near hand", "far hand", "slippery floor", "rough floor"],
)
def test_gradients_are_finite_differences(make, rng):
    force = make(rng)
    for size in (1e-3, 0.1, 1.0):
        z = size * rng.normal(size=(3, RANK))
        gradient = force.energy_gradient(z)[1]
        for _ in range(5):
            d = rng.normal(size=z.shape)
            assert central(force, z, d) == pytest.approx((gradient * d).sum(), rel=1e-5, abs=1e-6)


def test_floor_hessian_is_the_gradients_finite_difference(rng):
    force = floor(rng, 0.8)
    z = 0.3 * rng.normal(size=(3, RANK))
    H = np.zeros((3, RANK, 3, RANK))
    for (a, b), block in force.hessian_blocks(z).items():
        H[a, :, b] += block
    H = H.reshape(3 * RANK, 3 * RANK)
    eigenvalues = np.linalg.eigvalsh(H)
    assert eigenvalues[0] > -4 * np.finfo(np.float32).eps * eigenvalues[-1]  # its blocks are float32
    for _ in range(5):
        d = rng.normal(size=z.shape)
        h = 1e-6
        difference = (force.energy_gradient(z + h * d)[1] - force.energy_gradient(z - h * d)[1]) / (2 * h)
        np.testing.assert_allclose(H @ d.ravel(), difference.ravel(), atol=1e-4 * np.linalg.norm(H, 2))


def test_pin_hessian_is_its_gradients_derivative(rng):
    force = pin(rng)
    z, d = rng.normal(size=(3, RANK)), rng.normal(size=(3, RANK))
    change = force.energy_gradient(z + d)[1] - force.energy_gradient(z)[1]
    np.testing.assert_allclose(change, d @ force.hessian, rtol=1e-9)
    assert force.energy_gradient(z)[0] >= 0


def test_friction_is_smooth_and_coulombs_beyond_the_slip():
    s = np.linspace(1e-6, 3.0, 2000)
    well, over, slope = friction_well(s, 1.0)
    force = over * s
    np.testing.assert_allclose(np.gradient(well, s)[1:-1], force[1:-1], atol=1e-3)
    np.testing.assert_allclose(np.gradient(force, s)[1:-1], slope[1:-1], atol=2e-3)
    np.testing.assert_allclose(force[s > 1], 1.0)
    assert (force <= 1 + 1e-12).all()


@pytest.mark.parametrize("friction", [0.2, 0.5])
def test_a_sliding_block_stops_where_coulomb_says(friction):
    """`v^2 / (2 mu g)`, the stopping distance of a block on a rough plane."""
    world = World(timestep=1 / 500, device="cpu")
    world.floor(0.0, friction)
    block = world.add(make_body(subdivided_box((1.0, 0.2, 1.0), 10), Material(1e6, 0.3, 1000.0), handles=3))
    for _ in range(300):
        world.step()  # settle
    start, speed = block.centre_of_mass()[0], 1.5
    block.velocity = block.velocity + block.space.affine_state(np.eye(3), np.array([speed, 0, 0]))
    for _ in range(round(1.5 * speed / (friction * 9.81) * 500)):
        world.step()
    distance = block.centre_of_mass()[0] - start
    assert distance == pytest.approx(speed**2 / (2 * friction * 9.81), rel=0.03)
    assert np.abs(block.velocity @ block.first_moment / block.mass).max() < 0.01


def test_a_block_rests_on_the_floor_with_its_weight():
    world = World(device="cpu")
    world.floor(0.0)
    block = world.add(make_body(subdivided_box((1.0, 0.2, 1.0), 10), handles=3))
    for _ in range(200):
        report = world.step()
    depth = block.positions()[:, 1].min().item()
    assert -2e-3 < depth < 0
    assert report.kinetic < 1e-6
    force = world._steppers[block]._floor.energy_gradient(block.position)[1]
    # The generalized force, projected on a unit shift upward, is the sum of contact forces.
    up = block.space.affine_state(np.eye(3), np.array([0.0, 1.0, 0.0]))
    assert -(force * up).sum() == pytest.approx(block.mass * 9.81, rel=1e-3)
