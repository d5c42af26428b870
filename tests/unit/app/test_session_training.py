"""Training in the worker: paused, stopped within a step, used live; the motion goes on through every exchange."""

import itertools
import threading
import time

import numpy as np
import pytest
from sample_bodies import make_body
from sessions import opened, run, settle

from app.jobs import JobContext, Report
from app.panels.train import is_trained
from app.session import Refusal, Session
from app.session.training import Curve
from app.settings import Settings
from app.training_job import NewWeights, TrainingControl, TrainingProgress, train_body
from optim import TrainConfig
from sim import World
from sim.errors import Cancelled


@pytest.fixture
def ready(session, scene) -> Session:
    return opened(session, scene)


def begun(session: Session, *args, **options) -> Session:
    """Training, with its first steps done."""
    session.train(*args, **options)
    settle(session, lambda: session.training.step > 0)
    return session


def dense_projection(old, new) -> np.ndarray:
    """The matrix of `z' = z C`, (r, r'), that fits best, by a dense solve over all samples: the oracle.

    Args:
        old, new: `phi` at the samples times the root of their mass, (N, r) and (N, r').
    """
    return np.linalg.lstsq(new, old, rcond=None)[0].T


def test_from_train_to_done(ready):
    body = ready.selected_body
    untrained = body.basis
    version = ready.weights_version
    ready.train("draft")
    assert ready.training.state == "running"
    assert ready.can("train") == "Training is running already."
    settle(ready, lambda: not ready.training.active)
    view = ready.training
    assert view.state == "done", view.message
    assert view.progress == 1.0
    assert view.step <= view.steps
    assert len(view.curve_steps) == len(view.curve_losses) == view.step
    assert view.curve_losses.dtype == np.float64
    assert view.curve_losses.flags.c_contiguous
    assert view.look_energies[-1] < view.look_energies[0]  # it learned
    assert view.rank == pytest.approx(view.rank_wanted, abs=0.01)
    assert view.orthonormality < 1e-4
    assert ready.weights_version > version
    assert body.basis is not untrained
    assert body.basis.diagnostics["ended"]
    assert ready.dirty


def test_pause_rests_and_resume_goes_on(ready):
    begun(ready, "best")
    ready.pause_training()
    assert ready.training.state == "paused"
    with pytest.raises(Refusal):
        ready.pause_training()
    # At most the step that was being taken is still reported; then there is nothing to hear.
    while ready.wait(0.5):
        ready.tick(0.0)
    step = ready.training.step
    assert not ready.wait(0.2)
    ready.resume_training()
    settle(ready, lambda: ready.training.step > step)
    ready.stop_training()
    settle(ready, lambda: not ready.training.active)
    assert ready.training.state == "done"


def test_stop_ends_within_a_step_and_uses_what_was_learned(ready):
    begun(ready, "best")
    ready.pause_training()
    while ready.wait(0.5):
        ready.tick(0.0)
    step = ready.training.step
    ready.stop_training()  # while it rests between two steps: not one more may be taken
    assert ready.training.state == "stopping"
    settle(ready, lambda: not ready.training.active)
    assert ready.training.state == "done"
    assert ready.training.step == step
    assert ready.selected_body.basis.diagnostics["steps"] == step
    assert ready.selected_body.basis.diagnostics["ended"] == "stopped by hand"


def test_the_worker_obeys_stop_within_one_iteration():
    body = make_body(handles=4)
    context, control = JobContext(), TrainingControl(live=False)
    steps = []

    class Watching(JobContext):
        def report(self, value):
            if isinstance(value, TrainingProgress):
                steps.append(value.step)
                if value.step == 3:
                    control.finish()

    config = TrainConfig(handles=4, steps=1000, batch=64, device="cpu")
    new = train_body(Watching(), body, config, control)
    assert steps == [0, 1, 2, 3]
    assert new.final
    context.cancel.set()
    with pytest.raises(Cancelled):
        train_body(context, body, config, TrainingControl(live=False))


def test_weights_can_be_used_while_it_trains_and_while_it_rests(ready):
    ready.set_live_weights(False)
    begun(ready, "best")
    body, version = ready.selected_body, ready.weights_version
    first = body.basis
    ready.use_weights_now()
    settle(ready, lambda: ready.weights_version > version)
    assert body.basis is not first
    assert ready.training.state == "running"
    ready.pause_training()
    while ready.wait(0.5):
        ready.tick(0.0)
    version = ready.weights_version
    ready.use_weights_now()
    settle(ready, lambda: ready.weights_version > version)
    assert ready.training.state == "paused"
    ready.stop_training()
    settle(ready, lambda: not ready.training.active)


def test_live_weights_come_by_themselves_each_better_than_the_last(monkeypatch):
    monkeypatch.setattr("app.training_job._LIVE_SECONDS", 0.0)
    monkeypatch.setattr("app.training_job._LIVE_COST", 0.0)
    body = make_body(handles=6)
    heard: dict[bool, list[float]] = {True: [], False: []}
    for live in heard:

        class Watching(JobContext):
            def report(self, value, live=live):
                if isinstance(value, NewWeights):
                    heard[live].append(value.energy)

        config = TrainConfig(handles=6, steps=30, batch=512, device="cpu", stop_early=False)
        train_body(Watching(), body, config, TrainingControl(live=live))
    energies = heard[True]
    assert len(energies) >= 3
    assert all(later < earlier for earlier, later in itertools.pairwise(energies))
    assert heard[False] == []


def test_live_weights_never_make_a_trained_body_worse(monkeypatch):
    monkeypatch.setattr("app.training_job._LIVE_SECONDS", 0.0)
    monkeypatch.setattr("app.training_job._LIVE_COST", 0.0)
    body = make_body(handles=6)
    config = TrainConfig(handles=6, steps=40, batch=256, device="cpu", stop_early=False)
    trained = train_body(JobContext(), body, config, TrainingControl(live=False))
    body.set_basis(trained.prepared)
    before = body.basis.history[-1]["energy"]
    energies = []

    class Watching(JobContext):
        def report(self, value):
            if isinstance(value, NewWeights):
                energies.append(value.energy)

    train_body(Watching(), body, config, TrainingControl(live=True))
    assert all(energy < before for energy in energies)


def test_motion_goes_on_through_a_change_of_basis(ready):
    """Against a dense mass-weighted least squares fit of the samples' displacements and velocities."""
    run(ready, 8)
    body = ready.selected_body
    mass = body.shape.sample_volumes.numpy() * body.material.per_sample("density", 400).numpy()
    root = np.sqrt(mass)[:, None]
    old_phi, z, rate = body.space.phi, body.position, body.velocity
    ready.set_live_weights(False)  # one exchange, not several
    frame_before = ready.timeline.state(3, ready.world.timestep).bodies[0]
    ready.train("draft", handles=5)
    settle(ready, lambda: not ready.training.active)
    carry = dense_projection(root * old_phi, root * body.space.phi)
    scale = np.abs(z).max()
    np.testing.assert_allclose(body.position, z @ carry, atol=1e-7 * scale)
    np.testing.assert_allclose(body.velocity, rate @ carry, atol=1e-7 * np.abs(rate).max())
    frame = ready.timeline.state(3, ready.world.timestep).bodies[0]
    np.testing.assert_allclose(
        frame.position.numpy(), frame_before.position.numpy() @ carry, atol=1e-6 * scale
    )
    # Rigid motion is in every basis: momentum must not change at all.
    before = mass @ (old_phi @ rate.T)
    after = mass @ (body.space.phi @ body.velocity.T)
    np.testing.assert_allclose(after, before, atol=1e-9 * np.abs(before).max())
    run(ready, 5)
    assert np.isfinite(ready.positions(body)).all()


def test_pins_and_grabs_hold_through_a_change_of_basis(ready):
    body = ready.selected_body
    grab = ready.grab(body, ready.positions(body)[0])
    pin = ready.pin(body, body.shape.vertices[0].numpy())
    run(ready, 3)
    targets = [held.targets.copy() for held in ready.pins]
    ready.train("draft")
    settle(ready, lambda: not ready.training.active)
    assert grab.active
    assert ready.pins[-1].key == pin.key
    for held, before in zip(ready.pins, targets, strict=True):
        assert np.array_equal(held.targets, before)
    run(ready, 30)
    held = body.deform(ready.pins[0].rest).numpy()
    assert np.abs(held - ready.pins[0].targets).max() < 0.02 * body.size


def test_prepared_weights_outlive_a_change_of_material_and_of_basis():
    """What the worker prepared is put in later; the person may have changed things meanwhile."""
    from sim.material import Material

    body, twin = make_body(handles=6), make_body(handles=6)
    worlds = [World(device="cpu"), World(device="cpu")]
    for world, one in zip(worlds, (body, twin), strict=True):
        world.add(one, velocity=(0.1, 0.2, 0.0), angular_velocity=(0, 1, 0))
        world.step()
    other = make_body(handles=5).basis
    soft = Material(3e4, 0.3, 400.0)
    prepared = body.prepare(other)
    worlds[0].set_material(body, soft)
    worlds[0].set_basis(body, make_body(handles=9).basis)
    worlds[0].set_basis(body, prepared)
    worlds[1].set_basis(twin, make_body(handles=9).basis)
    worlds[1].set_basis(twin, other)
    worlds[1].set_material(twin, soft)
    for _ in range(10):
        for world in worlds:
            world.step()
    np.testing.assert_allclose(body.positions(), twin.positions(), atol=1e-5)
    assert body.kinetic_energy() == pytest.approx(twin.kinetic_energy(), rel=1e-6)


def test_settings_that_make_no_sense_are_refused_and_nothing_starts(ready):
    from sim.errors import TrainingError

    with pytest.raises(TrainingError):
        ready.train("excellent")
    with pytest.raises(TrainingError):
        ready.train(handles=100_000)
    assert not ready.busy
    assert ready.training.state == "idle"


def test_an_unknown_optimizer_fails_in_the_worker_as_a_message(ready):
    ready.train("draft", optimizer="magic")
    settle(ready, lambda: not ready.busy)
    assert ready.training.state == "failed"
    assert "magic" in ready.training.message
    assert any(notice.kind == "error" for notice in ready.notices)
    ready.train("draft", optimizer="adam")
    settle(ready, lambda: not ready.training.active)
    assert ready.training.state == "done"


def test_divergence_is_a_message_and_the_body_moves_on(ready):
    """A rate at which Adam throws the weights about again and again, through the same way as any training."""
    body = ready.selected_body
    basis = body.basis
    settings = {"learning_rate": 10.0, "clip": 1e6, "activation": "elu", "gain": 900.0}
    settings["body_modes"] = 0
    config = TrainConfig(handles=6, steps=200, optimizer="adam", device="cpu", **settings)
    ready.set_live_weights(False)
    ready._begin_training(body, config)
    settle(ready, lambda: not ready.busy)
    assert ready.training.state == "failed"
    assert any("diverged" in notice.text for notice in ready.notices)
    assert body.basis is basis
    run(ready, 3)
    assert np.isfinite(ready.positions(body)).all()


def test_opening_another_file_ends_training(ready, mesh):
    begun(ready, "best")
    ready.open(mesh)
    settle(ready, lambda: ready.loading is None and not ready.busy)
    assert ready.scene_path is None
    assert ready.selected_body.basis.handles == 32
    assert not ready.training.active


def test_closing_the_scene_while_training_forgets_its_weights(ready):
    begun(ready, "best")
    ready.close_scene()
    settle(ready, lambda: not ready.busy)
    assert ready.world is None
    assert ready.training.state == "idle"


@pytest.mark.parametrize("paused", [False, True])
def test_close_during_training_ends_within_two_seconds(scene, paused):
    session = Session(device="cpu", settings=Settings(None))
    begun(opened(session, scene), "best")
    if paused:
        session.pause_training()
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name == "training"]


def test_curves_grow_and_leave_out_what_is_no_number():
    curve = Curve(3)
    for step in range(100):
        loss = np.nan if step % 10 == 0 else 1.0 + step
        curve.add(TrainingProgress(step, 99, loss, 1.0 + step // 50, 0.5, 5.0, 0.0, 1.0, 1.0))
    steps, losses = curve.losses()
    assert len(steps) == len(losses) == 90
    assert np.array_equal(losses, steps + 1)
    assert curve.looks()[1].tolist() == [1.0, 2.0]


def test_reports_are_values_that_can_cross_threads(ready):
    context = JobContext()
    body = ready.selected_body
    config = TrainConfig(handles=4, steps=2, batch=64, device="cpu")
    train_body(context, body, config, TrainingControl(live=False))
    progress = []
    while not context._messages.empty():
        message = context._messages.get()
        assert isinstance(message, Report)
        progress += [message.value] if isinstance(message.value, TrainingProgress) else []
    assert [value.step for value in progress] == [0, 1, 2]


def test_another_scene_forgets_how_the_last_one_was_trained(ready, mesh):
    ready.set_live_weights(False)
    ready.train("draft")
    settle(ready, lambda: not ready.training.active)
    assert is_trained(ready.selected_body)
    opened(ready, mesh)
    assert not is_trained(ready.selected_body)
    view = ready.training
    assert (view.state, view.message, len(view.curve_steps)) == ("idle", "", 0)
    assert not view.live_weights  # the person's choice stays
