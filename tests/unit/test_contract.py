"""The public API as outside scripts call it: every call of the contract, as written, on real files."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
import trimesh

from optim import TrainConfig, train
from sim import Body, HandleBasis, Material, Shape, World, load_shape

STEPS = 20  # of training: enough to be handles, and the calls are what is tested here


def bar() -> trimesh.Trimesh:
    """A bar of 0.4 x 0.1 x 0.1 m along x, finely enough meshed to bend."""
    return trimesh.creation.box(extents=(0.4, 0.1, 0.1)).subdivide().subdivide().subdivide()


def torn(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same with a twentieth of its faces gone: not watertight."""
    keep = np.arange(len(mesh.faces)) % 20 != 0
    return trimesh.Trimesh(mesh.vertices, mesh.faces[keep], process=False)


@pytest.fixture(params=["bar.obj", "bar.stl", "bar.glb", "torn.obj"])
def mesh_file(request, tmp_path):
    path = tmp_path / request.param
    (torn(bar()) if request.param == "torn.obj" else bar()).export(path)
    return path


def test_the_ten_line_script_runs_as_written(mesh_file, tmp_path):
    shape = load_shape(mesh_file, samples=2000, seed=0)
    material = Material(young=1e5, poisson=0.45, density=500.0)
    basis = train(shape, material, TrainConfig(handles=8, optimizer="ns", seed=0, steps=STEPS))
    body = Body(shape, material, basis, cubature="uniform")
    world = World(gravity=(0, -9.81, 0), timestep=1 / 60)
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.18)
    for _ in range(60):
        report = world.step()
    positions = body.positions()

    assert report.converged
    assert np.isfinite([report.energy, report.residual, report.seconds]).all()
    assert world.time == pytest.approx(1.0)
    assert positions.shape == shape.vertices.shape
    assert positions.dtype == torch.float32
    # Held at one end it hangs from there: that end is where it was, the other is lower.
    moved = positions.double().cpu() - shape.vertices
    held, free = shape.vertices[:, 0] > 0.19, shape.vertices[:, 0] < -0.19
    assert moved[held].norm(dim=1).max() < 1e-3
    assert moved[free, 1].max() < -1e-3
    assert shape.volume == pytest.approx(0.4 * 0.1 * 0.1, rel=0.05)


def test_every_attribute_and_call_of_the_contract(tmp_path):
    bar().export(tmp_path / "bar.obj")
    shape = load_shape(tmp_path / "bar.obj", samples=1500, seed=0)
    V, F, N = len(shape.vertices), len(shape.faces), len(shape.samples)
    assert (shape.vertices.shape, shape.faces.shape) == ((V, 3), (F, 3))
    assert (shape.samples.shape, shape.sample_volumes.shape) == ((N, 3), (N,))
    assert float(shape.sample_volumes.sum()) == pytest.approx(shape.volume)
    assert "watertight" in str(shape.report)

    material = Material(young=torch.full((N,), 1e5), poisson=0.45, density=500.0)
    assert Material.preset("soft rubber").name == "soft rubber"

    config = TrainConfig(handles=6, optimizer="ns", seed=0, steps=STEPS)
    seen = []
    basis = train(shape, material, config, on_progress=seen.append, cancel=threading.Event())
    assert basis.handles == 6
    assert seen[0].step == 0
    assert [progress.step for progress in seen] == list(range(len(seen)))
    assert 1 < basis.diagnostics["steps"] <= STEPS
    assert basis.weights(shape.samples).shape == (N, 6)
    assert basis.gradients(shape.samples.numpy()).shape == (N, 6, 3)
    assert basis.history
    assert basis.diagnostics["orthonormality"] < 1e-6

    basis.save(tmp_path / "bar.safetensors")
    again = HandleBasis.load(tmp_path / "bar.safetensors")
    torch.testing.assert_close(again.weights(shape.samples), basis.weights(shape.samples))

    body = Body(shape, material, again, cubature=200)
    world = World((0, -9.81, 0), 1 / 60, "cpu")
    world.add(body, transform=np.eye(4), velocity=(0, 1, 0), kinematic=False)
    world.floor(height=-1.0, friction=0.5)
    world.floor(None)
    grab = world.grab(body, (0.2, 0.0, 0.0), radius=0.05)
    grab.move_to((0.3, 0.1, 0.0))
    before = world.state()
    world.step()
    grab.release()
    after = body.deform(shape.samples)
    world.set_state(before)
    assert world.time == 0
    # The first step is forgotten: the same points are back where they were.
    assert not torch.allclose(body.deform(shape.samples), after)
    world.reset()
    torch.testing.assert_close(body.deform(shape.samples), shape.samples, atol=1e-9, rtol=0)
    assert body.deformation_gradients().shape == (N, 3, 3)
    assert body.deform(torch.zeros(2, 3)).dtype == torch.float64


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_interior_points_alone_are_a_shape(kind):
    points = np.random.default_rng(0).uniform(0, 1, (4000, 3)) * [1, 0.25, 0.25]
    shape = Shape.from_samples(kind(points), volume=0.0625)
    basis = HandleBasis.from_function(lambda X: torch.cos(torch.pi * X), handles=4)
    points, weights = shape.samples[:500], np.full(500, 0.0625 / 500)
    body = Body(shape, Material(young=1e5, poisson=0.45, density=500.0), basis, cubature=(points, weights))
    world = World()
    world.add(body)
    for _ in range(30):
        world.step()
    # Nothing holds it: half a second of free fall, by implicit Euler, and no strain.
    fallen = 9.81 / 60**2 * sum(range(1, 31))
    centre = body.deform(shape.samples).mean(0) - shape.samples.mean(0)
    assert float(centre[1]) == pytest.approx(-fallen, rel=1e-3)
    identity = torch.eye(3, dtype=torch.float64)
    assert (body.deformation_gradients().cpu() - identity).abs().max() < 1e-4
