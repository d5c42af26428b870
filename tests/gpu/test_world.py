"""Training and worlds on a CUDA device give what they give on the CPU, and their results lie there."""

import numpy as np
import pytest
import torch

from optim import TrainConfig, train
from sim import Body, HandleBasis, Material, Shape, World
from sim.fields import CosineField

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

STEPS = 40


def bar() -> Shape:
    """A bar of 1 x 0.25 x 0.25 m, filled evenly at random."""
    points = np.random.default_rng(0).uniform(0, 1, (3000, 3)) * [1, 0.25, 0.25]
    return Shape.from_samples(points, volume=0.0625)


def hanging(device: str) -> tuple[torch.Tensor, World]:
    """Where a bar held at one end is after some steps on a device."""
    shape = bar()
    basis = HandleBasis(CosineField.lowest(shape.samples, 9))
    body = Body(shape, Material(young=1e5, poisson=0.45, density=500.0), basis, cubature=200)
    world = World(timestep=1 / 60, device=device, tolerance=1e-7)
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(STEPS):
        assert world.step().converged
    return body.deform(shape.samples), world


def test_a_world_moves_as_on_the_cpu():
    here, _ = hanging("cpu")
    there, world = hanging("cuda")
    assert there.device.type == "cuda"
    assert world.bodies[0].positions().device.type == "cuda"
    # Each step is solved to 1e-7 of the size; the rest is how single-precision Hessians round.
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=2 * STEPS * 1e-7)


def test_trained_handles_are_as_good_as_the_cpus():
    material = Material(young=1e5, poisson=0.45, density=500.0)
    config = {"handles": 10, "steps": 60, "seed": 0, "stop_early": False}
    here = train(bar(), material, TrainConfig(device="cpu", **config))
    there = train(bar(), material, TrainConfig(device="cuda", **config))
    assert there.diagnostics["device"] == "cuda"
    assert there.diagnostics["orthonormality"] < 1e-6
    energies = [sum(basis.diagnostics["energies"]) for basis in (here, there)]
    # Sums in another order part the paths of two trainings; what they reach stays the same.
    assert energies[1] == pytest.approx(energies[0], rel=0.02)
