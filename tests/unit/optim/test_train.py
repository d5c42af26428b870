"""Training: what it promises a person and a program."""

import math
import threading
import time
from itertools import product

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.polynomial import legendre
from sample_bodies import BEAM, box_shape

from optim import TrainConfig, train
from optim.checkpoint import Checkpoint
from scenes.build import build_material, build_shape
from scenes.load import load_scene
from scenes.shipped import find_scene
from sim import Body, HandleBasis, Material, World
from sim.errors import TrainingError
from sim.network import NetworkField, WeightNetwork
from sim.orthonormal import effective_rank, orthonormality_defect

SMALL = {"handles": 8, "layers": 3, "width": 24, "batch": 256, "steps": 30, "device": "cpu"}


@pytest.fixture(scope="module")
def shape():
    return box_shape(BEAM, origin=(0.0, -0.125, -0.125))


@pytest.fixture(scope="module")
def trained(shape):
    return train(shape, Material(), TrainConfig(**SMALL))


def shares(shape):
    return shape.sample_volumes / shape.sample_volumes.sum()


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("outputs", [None, 5])
def test_forward_mode_is_autograds_gradient(outputs, activation):
    generator = torch.Generator().manual_seed(0)
    network = WeightNetwork(4, 16, gain=6.0, generator=generator, activation=activation, outputs=outputs)
    network = network.double()
    points = torch.rand(9, 3, dtype=torch.float64, requires_grad=True)
    values, gradients = network.value_and_gradient(points)
    for k in range(values.shape[1]):
        (expected,) = torch.autograd.grad(values[:, k].sum(), points, retain_graph=True)
        torch.testing.assert_close(gradients[:, k], expected)


def test_a_network_field_is_the_network_in_metres():
    network = WeightNetwork(3, 16, gain=6.0, generator=torch.Generator().manual_seed(0), outputs=4).double()
    centre = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    field = NetworkField(network, centre, 2.0)
    points = torch.rand(7, 3, dtype=torch.float64)
    values, gradients = network.value_and_gradient((points - centre) / 2.0)
    torch.testing.assert_close(field.value(points), values)
    torch.testing.assert_close(field.value_and_gradient(points)[1], gradients / 2.0)
    with torch.no_grad():
        network.linears[0].weight.zero_()
    torch.testing.assert_close(field.value(points), values)  # it holds copies


def test_handles_are_orthonormal_and_none_collapses(shape, trained):
    w = trained.weights(shape.samples)
    assert trained.handles == 8
    assert orthonormality_defect(w, shares(shape)) < 1e-6
    assert effective_rank(w[:, 1:], shares(shape)) > 6.999
    assert trained.diagnostics["effective_rank"] > 6.999


@pytest.mark.parametrize("bending", [0.0, 0.1])
def test_training_lowers_the_energy_towards_the_bound(shape, bending):
    """The bound: Rayleigh-Ritz in a rich space of Legendre products, found by NumPy alone."""
    trained = train(shape, Material(), TrainConfig(**SMALL, bending=bending))
    looks = [entry["energy"] for entry in trained.history]
    assert looks[-1] < looks[0]
    samples = shape.samples
    X = samples.numpy() - samples.numpy().mean(0)
    s = X * [2, 8, 8]
    terms = [k for k in product(range(9), range(4), range(4)) if sum(k) and k[0] + 2 * k[1] + 2 * k[2] <= 9]

    def term(k, *by):
        """A product of Legendre polynomials, differentiated by the axes `by`."""
        factors = []
        for axis, degree in enumerate(k):
            times = by.count(axis)
            series = (
                legendre.legder(np.eye(degree + 1)[degree], times) if times else np.eye(degree + 1)[degree]
            )
            factors.append(legendre.legval(s[:, axis], series) * [2, 8, 8][axis] ** times)
        return np.prod(factors, axis=0)

    def energies(V, G, H):
        cross = V.T @ np.einsum("nkd,nd->nk", G, X)
        reach = np.square(X).sum(1) + 1
        A = 3 * V.T @ V + cross + cross.T + np.einsum("nkd,n,nld->kl", G, reach, G, optimize=True)
        A += bending**2 * np.einsum("nkij,nlij->kl", H, H, optimize=True)
        return scipy.linalg.eigh(A / len(X), np.cov(V.T, bias=True), eigvals_only=True)

    axes = range(3)
    bound = energies(
        np.stack([term(k) for k in terms], 1),
        np.stack([np.stack([term(k, a) for k in terms], 1) for a in axes], 2),
        np.stack([np.stack([np.stack([term(k, a, b) for k in terms], 1) for a in axes], 2) for b in axes], 3),
    )[:7].sum()
    step = 1e-4 * torch.eye(3, dtype=torch.float64)
    values, slopes = (t[:, 1:].numpy() for t in trained.weights_and_gradients(samples))
    around = [
        [trained.weights_and_gradients(samples + sign * d)[1][:, 1:].numpy() for sign in (1, -1)]
        for d in step
    ]
    hessians = np.stack([(ahead - behind) / 2e-4 for ahead, behind in around], 3)
    found = energies(values, slopes, hessians).sum()
    assert found < 1.15 * bound
    assert found > 0.98 * bound


def test_the_same_seed_gives_the_same_handles(shape, trained):
    again = train(shape, Material(), TrainConfig(**SMALL))
    assert torch.equal(again.mix, trained.mix)
    assert torch.equal(again.weights(shape.samples), trained.weights(shape.samples))
    other = train(shape, Material(), TrainConfig(**SMALL, seed=1))
    assert not torch.equal(other.mix, trained.mix)


def test_progress_tells_and_snapshots_work_before_the_first_step(shape):
    seen, snapshots = [], []

    def watch(progress):
        seen.append(progress)
        if progress.step in (0, 20):
            snapshots.append(progress.snapshot())

    train(shape, Material(), TrainConfig(**SMALL, stop_early=False), watch)
    assert [p.step for p in seen] == list(range(31))
    assert all(p.steps == 30 for p in seen)
    assert math.isnan(seen[0].energy)  # nothing is judged yet: the first handles must not wait for that
    assert all(p.effective_rank > 6.9 for p in seen[1:])
    assert all(p.orthonormality < 1e-6 for p in seen[1:])
    assert seen[-1].energy < seen[1].energy
    assert math.isnan(seen[0].bound_estimate)
    assert 0.5 * seen[-1].energy <= seen[-1].bound_estimate <= seen[-1].energy
    assert seen[-1].rate > 0
    before = snapshots[0].weights(shape.samples[:5])
    body = Body(shape, Material(1e5, 0.4, 1000.0), snapshots[0], "clusters")
    world = World(device="cpu")
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(30):
        assert world.step().converged
    assert body.centre_of_mass()[1] < -0.01
    assert torch.equal(snapshots[0].weights(shape.samples[:5]), before)
    assert snapshots[0].handle_points.shape == (8, 3)


def test_the_bound_estimate_is_about_where_the_run_ends():
    """From a third of a run on: what it says is still to go against what was gained in the end, on a real body."""
    part = load_scene(find_scene("octopus")).bodies[0]
    body = build_shape(part)
    seen = []
    config = TrainConfig(steps=60, stop_early=False, device="cpu")
    train(body, build_material(part, body), config, seen.append)
    least = min(progress.energy for progress in seen[1:])
    judged = [p for p in seen if p.step > 20 and p.energy > 1.01 * least]
    assert len(judged) > 20
    for progress in judged:
        gain = progress.energy - least
        assert 0.5 * gain < progress.energy - progress.bound_estimate < 2 * gain
    assert 0 <= seen[-1].energy - seen[-1].bound_estimate < 0.003 * least


def test_time_spent_in_on_progress_is_not_training_time(shape):
    """A window pauses training by staying there: what it says of rate and time left must not change for that."""
    began, waited, last = time.perf_counter(), 0.0, None

    def wait(progress):
        nonlocal waited, last
        entered, last = time.perf_counter(), progress
        while time.perf_counter() < entered + 0.05:
            pass
        waited += time.perf_counter() - entered

    basis = train(shape, Material(), TrainConfig(**SMALL | {"steps": 8, "stop_early": False}), wait)
    elapsed = time.perf_counter() - began
    assert waited >= 9 * 0.05
    assert last.seconds <= elapsed - waited
    assert last.rate == pytest.approx(8 / last.seconds)
    assert basis.history[-1]["seconds"] <= elapsed - waited


def test_training_ends_by_itself_when_more_steps_no_longer_help(shape):
    """Where the features span too little to improve on, the steps of a long run are not all taken."""
    basis = train(shape, Material(), TrainConfig(**{**SMALL, "handles": 2, "steps": 2000}))
    assert basis.diagnostics["ended"] == "more steps no longer help"
    assert basis.diagnostics["steps"] < 2000
    energies = [entry["energy"] for entry in basis.history]
    assert min(energies[:-4]) - min(energies[-4:]) < 1e-4 * energies[-1]


def test_cancel_ends_within_one_step_and_keeps_what_was_learned(shape):
    cancel, steps = threading.Event(), []

    def watch(progress):
        steps.append(progress.step)
        if progress.step == 7:
            cancel.set()

    basis = train(shape, Material(), TrainConfig(**SMALL), watch, cancel)
    assert steps[-1] == 7
    assert basis.diagnostics["ended"] == "stopped by hand"
    assert basis.diagnostics["steps"] == 7
    assert orthonormality_defect(basis.weights(shape.samples), shares(shape)) < 1e-6


@pytest.mark.parametrize("optimizer", ["ns", "adam", "muon", "curvature"])
def test_a_resumed_run_equals_an_uninterrupted_one(shape, tmp_path, optimizer):
    config = TrainConfig(**{**SMALL, "steps": 20, "optimizer": optimizer, "stop_early": False})
    whole = train(shape, Material(), config)
    cancel = threading.Event()

    def stop_at_nine(progress):
        if progress.step == 9:
            cancel.set()

    path = tmp_path / "half.safetensors"
    train(shape, Material(), config, stop_at_nine, cancel, checkpoint=path)
    assert Checkpoint.load(path).step == 9
    resumed = train(shape, Material(), config, resume=path)
    assert resumed.diagnostics["steps"] == 20
    assert torch.equal(resumed.weights(shape.samples), whole.weights(shape.samples))


def test_checkpoints_of_another_kind_are_refused(shape, tmp_path):
    path = tmp_path / "c.safetensors"
    train(shape, Material(), TrainConfig(**{**SMALL, "steps": 2}), checkpoint=path)
    with pytest.raises(TrainingError, match="width = 24"):
        train(shape, Material(), TrainConfig(**{**SMALL, "width": 32}), resume=path)
    with pytest.raises(TrainingError, match="no checkpoint"):
        train(shape, Material(), TrainConfig(**SMALL), resume=tmp_path / "none")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="not a readable"):
        train(shape, Material(), TrainConfig(**SMALL), resume=path)


def test_divergence_rolls_back_to_the_last_good_state_and_goes_on_slower(shape):
    """A rate at which Adam throws the weights where the energy is a hundred times what it was."""
    wild = {"optimizer": "adam", "learning_rate": 1.0, "activation": "elu", "steps": 6, "body_modes": 0}
    config = TrainConfig(**{**SMALL, **wild})
    basis = train(shape, Material(), config)
    rolled = [entry for entry in basis.history if entry.get("rolled_back")]
    assert basis.diagnostics["rollbacks"] == len(rolled) > 0
    assert [entry["rate_factor"] for entry in rolled] == [0.5 ** (k + 1) for k in range(len(rolled))]
    energies = [entry["energy"] for entry in basis.history if "energy" in entry]
    assert 0 < max(energies) < 10 * min(energies)
    assert torch.isfinite(basis.weights(shape.samples)).all()


def test_what_diverges_again_and_again_is_told(shape):
    config = TrainConfig(
        **{
            **SMALL,
            "optimizer": "adam",
            "learning_rate": 10.0,
            "clip": 1e6,
            "body_modes": 0,
        }
    )
    heard = []
    with pytest.raises(TrainingError, match="lower learning_rate"):
        train(shape, Material(), config, on_progress=heard.append)
    assert heard[0].step == 0


def test_an_optimizer_that_steps_to_nan_is_rolled_back(shape, monkeypatch):
    """Gradients were finite, and what came of them is not: the look that follows says so."""
    adams_step, steps = torch.optim.Adam.step, []

    def step(optimizer):
        adams_step(optimizer)
        steps.append(optimizer)
        if len(steps) == 7:
            with torch.no_grad():
                for group in optimizer.param_groups:
                    for parameter in group["params"]:
                        parameter.fill_(math.nan)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    basis = train(shape, Material(), TrainConfig(**SMALL, optimizer="adam", stop_early=False))
    assert basis.diagnostics["rollbacks"] == 1
    assert basis.diagnostics["steps"] == 30
    assert torch.isfinite(basis.weights(shape.samples)).all()


def test_saturated_units_do_not_end_training(shape):
    """Adam at a rate that saturates a good part of the units: they are left out, and the others learn."""
    config = TrainConfig(
        **{**SMALL, "optimizer": "adam", "learning_rate": 0.075, "steps": 100, "stop_early": False}
    )
    basis = train(shape, Material(), config)
    energies = [entry["energy"] for entry in basis.history if "energy" in entry]
    assert basis.handles == 8
    assert energies[-1] < 1.02 * energies[0]


def test_a_material_that_varies_moves_the_handles(shape):
    soft = shape.samples[:, 0] < 0.5
    young = torch.where(soft, 1e4, 1e7).double()
    basis = train(shape, Material(young, 0.4, 1000.0), TrainConfig(**SMALL))
    w = basis.weights(shape.samples)[:, 1:5]
    # Handles vary where bending is cheap.
    assert w[soft].var(0).sum() > 4 * w[~soft].var(0).sum()


@pytest.mark.parametrize("head", ["white", "none"])
def test_other_heads_train_too(shape, head):
    basis = train(shape, Material(), TrainConfig(**SMALL, head=head))
    assert basis.handles <= 8
    assert basis.diagnostics["orthonormality"] < 1e-6


def test_one_handle_needs_no_training(shape):
    basis = train(shape, Material(), TrainConfig(handles=1, device="cpu"))
    assert basis.handles == 1


def test_what_made_the_weights_is_in_their_file(shape, trained, tmp_path):
    trained.save(tmp_path / "w.safetensors")
    loaded = HandleBasis.load(tmp_path / "w.safetensors")
    assert loaded.metadata["config"]["optimizer"] == "ns"
    assert loaded.metadata["config"]["seed"] == 0
    assert "torch" in loaded.metadata["versions"]
    assert loaded.history[-1]["energy"] == trained.history[-1]["energy"]
    assert torch.equal(loaded.weights(shape.samples), trained.weights(shape.samples))


@pytest.mark.parametrize(
    "wrong",
    [{"handles": 0}, {"steps": -1}, {"learning_rate": 0}, {"preset": "magic"}, {"head": "x"}, {"width": 2}],
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(TrainingError):
        TrainConfig(**wrong)
