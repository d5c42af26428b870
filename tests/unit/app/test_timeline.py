"""The timeline: what goes in comes out, within the memory bound, also after other handles came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.timeline import Timeline

H = 1 / 60


def motion(rng: np.random.Generator, frames: int, rank: int = 8):
    """Random coordinates, and rates as implicit Euler has them."""
    positions = rng.normal(size=(frames, 3, rank))
    velocities = np.concatenate([rng.normal(size=(1, 3, rank)), np.diff(positions, axis=0) / H])
    return positions, velocities


def fill(timeline: Timeline, positions, velocities, start: int = 0) -> None:
    for n, (position, velocity) in enumerate(zip(positions, velocities, strict=True), start):
        timeline.append(n * H, [position], [velocity], H)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_frame_comes_back_with_its_rates(rng):
    positions, velocities = motion(rng, 50)
    timeline = Timeline()
    fill(timeline, positions, velocities)
    assert (timeline.first, timeline.last, len(timeline), timeline.cursor) == (0, 49, 50, 49)
    for n in range(50):
        state = timeline.state(n, H)
        assert state.time == n * H
        assert np.array_equal(state.bodies[0].position.numpy(), positions[n])
        np.testing.assert_allclose(state.bodies[0].velocity.numpy(), velocities[n], rtol=1e-12, atol=1e-12)


def test_rates_that_do_not_follow_from_positions_are_kept(rng):
    positions, velocities = motion(rng, 10)
    velocities = rng.normal(size=velocities.shape)
    timeline = Timeline()
    fill(timeline, positions, velocities)
    for n in range(10):
        assert np.array_equal(timeline.state(n, H).bodies[0].velocity.numpy(), velocities[n])


def test_a_frame_costs_its_12_numbers_a_handle_not_twice_that(rng):
    positions, velocities = motion(rng, 200, rank=128)
    timeline = Timeline()
    fill(timeline, positions, velocities)
    numbers = 3 * 128 * 8
    assert timeline.bytes < 200 * numbers * 1.2 + numbers


def test_memory_stays_within_the_bound_and_the_oldest_go(rng):
    positions, velocities = motion(rng, 300)
    timeline = Timeline(bound=40_000)
    for n in range(300):
        timeline.append(n * H, [positions[n]], [velocities[n]], H)
        assert timeline.bytes <= 40_000
    assert 20 < len(timeline) < 100
    assert timeline.last == 299
    for n in range(timeline.first, 300):
        state = timeline.state(n, H).bodies[0]
        assert np.array_equal(state.position.numpy(), positions[n])
        np.testing.assert_allclose(state.velocity.numpy(), velocities[n], rtol=1e-12, atol=1e-12)
    with pytest.raises(IndexError):
        timeline.state(timeline.first - 1, H)


def test_what_is_counted_is_what_is_held(rng):
    import tracemalloc

    positions, velocities = motion(rng, 500, rank=64)
    tracemalloc.start()
    timeline = Timeline()
    before = tracemalloc.get_traced_memory()[0]
    fill(timeline, positions, velocities)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert abs(held - timeline.bytes) < 0.15 * held


def test_handles_exchanged_twice_carry_all_frames_by_the_products(rng):
    first, first_rates = motion(rng, 5, rank=8)
    second, second_rates = motion(rng, 5, rank=6)
    a, b = rng.normal(size=(8, 6)), rng.normal(size=(6, 10))
    timeline = Timeline()
    fill(timeline, first, first_rates)
    timeline.carry(0, a)
    fill(timeline, second, second_rates, start=5)
    timeline.carry(0, b)
    for n in range(5):
        old, new = timeline.state(n, H).bodies[0], timeline.state(5 + n, H).bodies[0]
        np.testing.assert_allclose(old.position.numpy(), first[n] @ a @ b, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(old.velocity.numpy(), first_rates[n] @ a @ b, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(new.position.numpy(), second[n] @ b, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(new.velocity.numpy(), second_rates[n] @ b, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 40), st.integers(-5, 60))
def test_truncating_keeps_what_is_before_and_shows_it(frames, at):
    positions, velocities = motion(np.random.default_rng(1), frames)
    timeline = Timeline()
    fill(timeline, positions, velocities)
    timeline.truncate(at)
    left = min(max(at, 0), frames - 1)
    assert timeline.last == timeline.cursor == left
    assert np.array_equal(timeline.state(left, H).bodies[0].position.numpy(), positions[left])
    fill(timeline, positions[left + 1 :], velocities[left + 1 :], start=left + 1)
    assert timeline.last == frames - 1


def test_the_numbers_are_copies(rng):
    positions, velocities = motion(rng, 2)
    timeline = Timeline()
    live = positions[0].copy()
    timeline.append(0.0, [live], [velocities[0]], H)
    live[:] = np.nan
    assert np.array_equal(timeline.state(0, H).bodies[0].position.numpy(), positions[0])


def test_a_copy_does_not_see_later_frames(rng):
    positions, velocities = motion(rng, 6)
    timeline = Timeline()
    fill(timeline, positions[:4], velocities[:4])
    other = timeline.copy()
    timeline.carry(0, np.eye(8) * 2)
    fill(timeline, positions[4:], velocities[4:], start=4)
    assert other.last == 3
    assert np.array_equal(other.state(2, H).bodies[0].position.numpy(), positions[2])


def test_clearing_begins_again(rng):
    positions, velocities = motion(rng, 4)
    timeline = Timeline()
    fill(timeline, positions, velocities)
    timeline.clear()
    assert (len(timeline), timeline.bytes, timeline.first, timeline.last) == (0, 0, 0, -1)
    timeline.append(0.0, [positions[0], positions[1]], [velocities[0], velocities[1]], H)  # another world
    assert len(timeline.state(0, H).bodies) == 2
