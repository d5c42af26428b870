"""Scripted hands: a pure function of time, and a world that follows it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scenes.events import ScriptedHands, hand_position
from scenes.schema import Event, GrabPart
from sim.basis import HandleBasis
from sim.body import Body
from sim.errors import SceneError
from sim.fields import RbfField
from sim.material import Material
from sim.shape import Shape
from sim.world import World

PATH = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 3.0, 0.0), (1.0, 3.0, 0.0))


def event(at=1.0, until=4.0, path=PATH, body="block", point=(0.05, 0.1, 0.0)):
    return Event(at=at, until=until, grab=GrabPart(body=body, point=point, radius=0.04), path=path)


def test_the_hand_passes_the_points_of_its_path_at_equal_times():
    for time, place in (
        (1.0, PATH[0]),
        (1.5, (0.5, 0, 0)),
        (2.0, PATH[1]),
        (2.5, (1, 1.5, 0)),
        (3.0, PATH[2]),
    ):
        np.testing.assert_allclose(hand_position(event(), time), place, atol=1e-12)
    np.testing.assert_array_equal(hand_position(event(), 3.7), PATH[3])


def test_the_hand_is_open_before_and_after():
    assert hand_position(event(), 0.999) is None
    assert hand_position(event(), 4.0) is None
    assert hand_position(event(), -1.0) is None


def test_a_path_of_one_point_holds_still():
    np.testing.assert_array_equal(hand_position(event(path=((1.0, 2.0, 3.0),)), 2.2), [1.0, 2.0, 3.0])


@given(time=st.floats(1.0, 3.99), step=st.floats(0.0, 0.009))
def test_the_hand_never_jumps(time, step):
    """Its speed is at most the longest leg over the time of a leg: 3 m in 1 s."""
    moved = hand_position(event(), time + step) - hand_position(event(), time)
    assert np.linalg.norm(moved) <= 3.0 * step + 1e-9


@pytest.fixture
def world():
    axis = torch.linspace(-0.09, 0.09, 7, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis, axis)
    shape = Shape.from_samples(points, volume=0.2**3)
    material = Material(young=2e4, poisson=0.4, density=1000.0)
    bumps = RbfField(torch.tensor([[0.1, 0.1, 0.0], [-0.1, 0.0, 0.1]]).double(), torch.tensor(0.3).double())
    basis = HandleBasis(bumps).orthonormalized(shape, material)
    world = World(gravity=(0.0, 0.0, 0.0), timestep=1 / 60, device="cpu")
    world.add(Body(shape, material, basis, "uniform", name="block"))
    return world


def play(world, hands, steps):
    path = []
    for _ in range(steps):
        hands.follow()
        world.step()
        path.append(world.bodies[0].positions().numpy().copy())
    return np.array(path)


def test_a_world_is_held_exactly_while_the_script_says(world):
    script = event(at=0.1, until=0.3, path=((0.05, 0.1, 0.0), (0.15, 0.1, 0.0)))
    hands = ScriptedHands(world, [script])
    held = []
    for _ in range(24):
        hands.follow()
        held.append(len(world.grabs))
        world.step()
    assert held == [0] * 6 + [1] * 12 + [0] * 6


def test_the_held_place_follows_the_hand_and_a_reset_replays_the_same(world):
    script = event(at=0.0, until=1.0, path=((0.05, 0.1, 0.0), (0.25, 0.1, 0.0), (0.25, 0.1, 0.0)))
    hands = ScriptedHands(world, [script])
    first = play(world, hands, 59)
    grab = world.grabs[0]
    np.testing.assert_allclose(grab.target.numpy(), [0.25, 0.1, 0.0], atol=1e-12)
    assert first[-1][:, 0].mean() > 0.1
    world.reset()
    np.testing.assert_allclose(play(world, hands, 59), first, atol=1e-6)


def test_an_event_for_a_body_that_is_not_there_is_refused(world):
    with pytest.raises(
        SceneError, match=r"events\[0\].grab.body: there is no body 'blok'; there are 'block'"
    ):
        ScriptedHands(world, [event(body="blok")])
