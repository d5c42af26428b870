"""Others' recipes, written down: their deformation gradients, energies and penalty against other ways to get them."""

import dataclasses
import threading

import pytest
import torch
from sample_bodies import BEAM, box_shape

from optim import TrainConfig
from optim.recipe_training import RecipeRun, train_by_recipe
from optim.recipes import (
    RECIPES,
    exact_gradients,
    finite_difference_gradients,
    frozen_gradients,
    interpolated_energy,
    linear_density,
    moved_points,
    orthonormality_penalty,
)
from sim import Material
from sim.network import WeightNetwork

CONFIG = TrainConfig(handles=5, steps=4, device="cpu")


@pytest.fixture
def drawn():
    """A network, points and motions in float64."""
    generator = torch.Generator().manual_seed(0)
    network = WeightNetwork(3, 12, gain=2.0, generator=generator, outputs=4).double().requires_grad_(False)
    points = torch.rand(11, 3, generator=generator, dtype=torch.float64)
    motions = torch.randn(6, 4, 3, 4, generator=generator, dtype=torch.float64)
    return network, points, motions


def test_exact_gradients_are_the_derivative_of_the_moved_points(drawn):
    network, points, motions = drawn
    F = exact_gradients(*network.value_and_gradient(points), points, motions)

    def moved(point):
        return moved_points(point[None], network.value_and_gradient(point[None])[0], motions)[0]

    for n in range(len(points)):
        torch.testing.assert_close(F[n], torch.autograd.functional.jacobian(moved, points[n]))


@pytest.mark.parametrize("blend", ["terms", "matrix"])
def test_finite_differences_are_the_exact_gradients_to_second_order(drawn, blend):
    network, points, motions = drawn
    exact = exact_gradients(*network.value_and_gradient(points), points, motions)

    def error(step):
        found = finite_difference_gradients(
            lambda x: network.value_and_gradient(x)[0], points, motions, step=step, blend=blend
        )
        return float((found - exact).abs().max())

    assert error(1e-5) < 1e-7
    assert error(1e-3) / error(5e-4) == pytest.approx(4, rel=0.05)


def test_frozen_gradients_lack_the_identity_and_the_slope_of_the_weights(drawn):
    _, points, motions = drawn
    weights = torch.ones(len(points), 4, dtype=torch.float64)
    exact = exact_gradients(weights, torch.zeros(len(points), 4, 3, dtype=torch.float64), points, motions)
    torch.testing.assert_close(frozen_gradients(weights, motions) + torch.eye(3, dtype=torch.float64), exact)


def test_the_penalty_by_hand():
    # W^T W = [[5, 2], [2, 1]]: less the identity [[4, 2], [2, 0]], squares 16 + 4 + 4 + 0, mean 6.
    assert float(orthonormality_penalty(torch.tensor([[1.0, 0.0], [2.0, 1.0]]))) == 6.0
    assert float(orthonormality_penalty(torch.eye(3))) == 0.0


def test_the_linear_density_by_hand():
    # Stretched by 10 % along x: strain diag(0.1, 0, 0), so (mu + lambda / 2) 0.01.
    F = torch.diag(torch.tensor([1.1, 1.0, 1.0], dtype=torch.float64))
    found = linear_density(F, torch.tensor(3.0), torch.tensor(4.0))
    assert float(found) == pytest.approx((3 + 2) * 0.01)


def test_energy_goes_from_linear_to_neo_hookean():
    angle = torch.tensor(0.7, dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64)
    turn[0, 0] = turn[1, 1] = angle.cos()
    turn[1, 0], turn[0, 1] = angle.sin(), -angle.sin()
    one = torch.ones(1, dtype=torch.float64)
    linear, middle, late = (
        float(interpolated_energy(turn[None, None], one, one, 2.0, p)) for p in (0.0, 0.5, 1.0)
    )
    assert late == pytest.approx(0, abs=1e-12)  # a rotation costs Neo-Hookean material nothing
    assert linear == pytest.approx(
        2 * 4 * (1 - float(angle.cos())) ** 2
    )  # strain (cos - 1) twice: 2 mu + 2 lambda
    assert middle == pytest.approx((linear + late) / 2)


def test_the_loss_of_kaolin_and_of_the_exact_recipe_agree():
    shape = box_shape(BEAM, count=512)
    losses = []
    for name in ("kaolin", "adam-penalty"):
        run = RecipeRun(dataclasses.replace(RECIPES[name], penalty=0.0), shape, Material(), CONFIG)
        # In float64: in float32 the noise of the differences makes energies a few thousandths larger.
        run.network.double().requires_grad_(False)
        run.points, run.mu, run.lam = run.points.double(), run.mu.double(), run.lam.double()
        losses.append(float(run.loss(torch.arange(512), 0.5)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_gives_the_outputs_of_its_network(name):
    shape, material = box_shape(BEAM, count=512), Material()
    steps = []
    basis = train_by_recipe(RECIPES[name], shape, material, CONFIG, lambda p: steps.append(p.step))
    assert steps == [0, 1, 2, 3, 4]
    assert basis.handles == 5
    run = RecipeRun(RECIPES[name], shape, material, CONFIG)
    for step in range(4):
        run.step(step / 3)
    outputs = run.network.value_and_gradient(run.points)[0].detach() * RECIPES[name].samples ** 0.5
    torch.testing.assert_close(basis.weights(shape.samples)[:, 1:].float(), outputs, rtol=1e-4, atol=1e-4)


def test_a_cancelled_recipe_gives_what_it_has():
    cancel = threading.Event()
    last = []

    def stop(progress):
        last.append(progress.step)
        if progress.step == 2:
            cancel.set()

    shape = box_shape(BEAM, count=512)
    train_by_recipe(RECIPES["adam-penalty"], shape, Material(), CONFIG, stop, cancel)
    assert last == [0, 1, 2]
