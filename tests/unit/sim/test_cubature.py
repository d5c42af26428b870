"""Cubature: fewer points, the same motion."""

import threading

import numpy as np
import pytest
from sample_bodies import BEAM, box_shape, cosine_basis, make_body

from sim import Body, HandleBasis, Material, World
from sim.cubature import cluster_cubature, explicit_cubature, select_points, uniform_cubature
from sim.cubature_training import optimize_cubature
from sim.errors import Cancelled, WorldError
from sim.reduction import reduce


@pytest.fixture(scope="module")
def space():
    shape = box_shape(BEAM)
    return reduce(shape, Material(1e5, 0.4, 1000.0), cosine_basis(shape, 6))


@pytest.fixture(scope="module")
def optimized(space):
    return optimize_cubature(space, Material(1e5, 0.4, 1000.0), seed=3)


def test_every_kind_keeps_the_volume(space, optimized):
    total = space.volumes.sum()
    for cubature in (
        uniform_cubature(space.samples, space.volumes, 300),
        cluster_cubature(space.samples, space.volumes, 50),
        cluster_cubature(space.samples, space.volumes, 10**6),
    ):
        assert cubature.weights.sum() == pytest.approx(total, rel=1e-12)
        assert (cubature.weights > 0).all()
    assert optimized.weights.sum() == pytest.approx(total, rel=0.01)
    assert (optimized.weights > 0).all()


def test_the_same_seed_gives_the_same_points(space, optimized):
    again = optimize_cubature(space, Material(1e5, 0.4, 1000.0), seed=3)
    np.testing.assert_array_equal(again.samples, optimized.samples)
    np.testing.assert_array_equal(again.weights, optimized.weights)
    other = optimize_cubature(space, Material(1e5, 0.4, 1000.0), seed=4)
    assert not np.array_equal(other.samples, optimized.samples)


def test_clusters_speak_for_their_nearest_samples(space):
    cubature = cluster_cubature(space.samples, space.volumes, 40)
    distance = np.linalg.norm(space.samples[:, None] - cubature.points, axis=2)
    np.testing.assert_array_equal(distance.argmin(1), cubature.nearest)
    np.testing.assert_allclose(np.bincount(cubature.nearest, space.volumes), cubature.weights)
    young = np.where(space.samples[:, 0] < 0.5, 1e5, 3e5)
    mu, _ = cubature.lame(Material(young, 0.4), len(young), space.volumes)
    mean = np.bincount(cubature.nearest, young) / np.bincount(cubature.nearest) / 2.8
    np.testing.assert_allclose(mu, mean)


def test_selection_finds_the_columns_that_suffice():
    rng = np.random.default_rng(0)
    essential = rng.normal(size=(30, 4)) * 10
    features = np.concatenate([essential, 1e-9 * rng.normal(size=(30, 60))], axis=1)
    chosen, multiplier = select_points(features, 8, rounds=4)
    assert set(range(4)) <= set(chosen)
    np.testing.assert_allclose(features[:, chosen] @ multiplier, features.sum(1), atol=1e-6)


def test_optimised_points_move_the_body_as_all_samples_do(optimized):
    def trajectory(cubature):
        body = make_body(box_shape(BEAM), Material(1e5, 0.4, 1000.0), handles=6, cubature=cubature)
        world = World(device="cpu")
        world.add(body)
        world.pin(body, where=lambda X: X[:, 0] > 0.95)
        out = []
        for _ in range(60):
            world.step()
            out.append(body.deform(body.shape.samples[::32]).numpy())
        return np.stack(out)

    exact = trajectory(10**6)

    def error(cubature):
        return np.sqrt(np.square(trajectory(cubature) - exact).sum(-1)).mean(1).max()

    ours = error(optimized)
    few = uniform_cubature(box_shape(BEAM).samples.numpy(), box_shape(BEAM).sample_volumes.numpy(), 512)
    assert len(optimized.weights) <= 100
    assert ours < 0.01
    assert ours < error(few)


def test_work_can_be_watched_and_cancelled(space):
    seen, cancel = [], threading.Event()

    def watch(done):
        seen.append(done)
        if done > 0.2:
            cancel.set()

    with pytest.raises(Cancelled):
        optimize_cubature(space, Material(), on_progress=watch, cancel=cancel)
    assert seen == sorted(seen)
    assert 0.2 < seen[-1] < 0.45


@pytest.mark.parametrize(
    "given",
    [
        (np.zeros((3, 2)), np.ones(3)),
        (np.zeros((3, 3)), np.ones(2)),
        (np.full((3, 3), np.nan), np.ones(3)),
        (np.zeros((3, 3)), -np.ones(3)),
        (np.zeros((0, 3)), np.ones(0)),
    ],
)
def test_points_of_the_callers_own_are_checked(given, space):
    with pytest.raises(WorldError):
        explicit_cubature(*given, space.samples)


def test_bodies_take_any_kind_and_refuse_others():
    shape = box_shape(count=256)
    points = (shape.samples.numpy()[:100], np.full(100, 0.01))
    assert len(make_body(shape, cubature=points).cubature.weights) == 100
    assert len(make_body(shape, cubature=30).cubature.weights) <= 30
    assert len(make_body(shape, cubature="uniform").cubature.weights) == 256
    with pytest.raises(WorldError, match="Unknown cubature"):
        make_body(shape, cubature="magic")


def test_optimised_points_are_kept_with_the_weights(space, optimized, tmp_path):
    shape, material = box_shape(BEAM), Material(1e5, 0.4, 1000.0)
    space.basis.with_cubature(optimized.keepable()).save(tmp_path / "w.safetensors")
    loaded = HandleBasis.load(tmp_path / "w.safetensors")
    body = Body(shape, material, loaded)
    np.testing.assert_array_equal(body.cubature.samples, optimized.samples)
    np.testing.assert_array_equal(body.cubature.weights, optimized.weights)
    # Other samples of the same shape: the kept numbers mean other points, so they are chosen anew.
    assert not loaded.cubature.fits(box_shape(BEAM, seed=1).samples.numpy())
    assert not loaded.cubature.fits(shape.samples.numpy()[:10])
