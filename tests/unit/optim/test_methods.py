"""Methods by name, the handles that need no training, and the yardstick that judges all."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import torch
from sample_bodies import BEAM, box_shape

from optim import TrainConfig
from optim.methods import find_method, find_methods
from optim.untrained import cosine_basis, farthest_points, kaolin_rkpm_basis, rkpm_basis, rkpm_field
from optim.yardstick import Yardstick
from sim import HandleBasis, Material, Shape
from sim.errors import TrainingError

CONFIG = TrainConfig(handles=6, steps=3, layers=2, width=16, batch=128, device="cpu")
NAMES = [
    "ns",
    "ns-bending",
    "adam",
    "muon",
    "curvature",
    "ns-text",
    "ns-author",
    "adam-penalty",
    "kaolin",
    "rkpm",
    "kaolin-rkpm",
    "spline",
    "cosine",
]
UNTRAINED = ("rkpm", "kaolin-rkpm", "spline", "cosine")


@pytest.fixture(scope="module")
def shape():
    return box_shape(BEAM, count=1024)


def test_rkpm_reproduces_linear_functions(shape):
    field = rkpm_field(shape.samples, 30)
    points = shape.samples[:200]
    values, gradients = field.value_and_gradient(points)
    torch.testing.assert_close(values.sum(1), torch.ones(200, dtype=torch.float64))
    torch.testing.assert_close(values @ field.nodes, points, rtol=0, atol=1e-9)
    torch.testing.assert_close(
        torch.einsum("nkd,ka->nad", gradients, field.nodes),
        torch.eye(3, dtype=torch.float64).expand(200, 3, 3),
        rtol=0,
        atol=1e-7,
    )


def test_rkpm_gradients_are_autograds(shape):
    field = rkpm_field(shape.samples, 12)
    points = shape.samples[:7].clone().requires_grad_()
    values = field.value(points)
    gradients = field.value_and_gradient(points.detach())[1]
    for k in range(12):
        (expected,) = torch.autograd.grad(values[:, k].sum(), points, retain_graph=True)
        torch.testing.assert_close(gradients[:, k], expected)


def test_cosine_modes_are_orthogonal_on_a_box(shape):
    raw = HandleBasis(cosine_basis(shape, Material(), 6).field)
    points = torch.from_numpy(midpoints(20)) * torch.from_numpy(BEAM)
    box = cosine_basis(box_shape(BEAM, count=1 << 12), Material(), 6).field
    ends = type(box)(torch.zeros(3, dtype=torch.float64), torch.from_numpy(BEAM), box.wavenumbers)
    values = ends.value(points)
    gram = values.T @ values / len(points)
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), rtol=0, atol=1e-12)
    assert raw.handles == 6


def midpoints(count):
    line = (np.arange(count) + 0.5) / count
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)


def test_kaolins_kernels_find_the_modes_of_the_laplacian():
    """Its energy is a multiple of `|grad w|^2`: on a box `pi^2 sum (k_i / L_i)^2`, reached from above."""
    shape = box_shape(BEAM, count=4096)
    basis = kaolin_rkpm_basis(shape, Material(), 8, nodes=300)
    weights, gradients = basis.weights_and_gradients(torch.from_numpy(midpoints(16) * BEAM))
    stiffness = torch.einsum("nkd,nld->kl", gradients, gradients)
    found = scipy.linalg.eigvalsh(stiffness.numpy(), (weights.T @ weights).numpy())
    waves = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3)
    exact = np.pi**2 * np.sort(((waves / BEAM) ** 2).sum(1))[:8]
    np.testing.assert_allclose(found[1:], exact[1:], rtol=0.02)
    assert (found[1:] > 0.999 * exact[1:]).all()


def test_kaolins_kernels_reach_their_second_neighbour():
    """On a lattice all radii are its distance; with every sample a node, three distances between samples."""
    line = torch.arange(6, dtype=torch.float64) / 5
    lattice = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    shape = Shape.from_samples(lattice, volume=1.0)
    every = kaolin_rkpm_basis(shape, Material(), 4, nodes=216).field
    torch.testing.assert_close(every.radii, torch.full_like(every.radii, 0.6))
    few = kaolin_rkpm_basis(shape, Material(), 4, nodes=8).field
    nearest = torch.cdist(few.nodes, few.nodes).sort(dim=1).values[:, 2]
    torch.testing.assert_close(few.radii, nearest)


def test_farthest_points_are_apart():
    line = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None] * torch.tensor([[1.0, 0, 0]]).double()
    chosen = farthest_points(line, 3, seed=0)[:, 0]
    first, others = chosen[0], chosen[1:]
    assert {0.0, 1.0} & set(others.tolist())  # the end that is farther from any start
    assert others[0] in (0.0, 1.0)
    assert abs(others[0] - first) >= 0.5


@pytest.mark.parametrize("name", NAMES)
def test_every_method_gives_handles(name, shape):
    method = find_method(name.upper())
    steps = []
    basis = method.learn(shape, Material(), CONFIG, lambda p: steps.append(p.step), None)
    assert basis.handles == 6
    assert torch.isfinite(basis.weights(shape.samples)).all()
    assert (method.learning_rate is None) == (name in UNTRAINED) == (not steps)


def test_ns_bending_is_what_train_does_beside_those_in_the_papers_energy(shape):
    papers = replace(CONFIG, bending=0.0)
    for name, bending in (("ns", 0.0), ("ns-bending", TrainConfig().bending)):
        basis = find_method(name).learn(shape, Material(), papers, None, None)
        assert basis.metadata["config"]["bending"] == bending


@pytest.mark.skipif(
    importlib.util.find_spec("pytorch_optimizer") is None, reason="pytorch-optimizer is not installed"
)
def test_pytorch_optimizers_by_name(shape):
    assert find_method("soap").learn(shape, Material(), CONFIG, None, None).handles == 6


def test_an_unknown_method_is_told_with_the_known_ones():
    with pytest.raises(TrainingError) as told:
        find_methods("ns,nonsense")
    for name in NAMES:
        assert name in str(told.value)
    with pytest.raises(TrainingError, match="Name the optimizers"):
        find_methods(" , ")


def test_methods_come_once_in_the_order_asked():
    assert [m.name for m in find_methods("rkpm, ns,rkpm")] == ["rkpm", "ns"]


def test_the_yardstick(shape):
    material = Material()
    yardstick = Yardstick(shape, material, 8, energy_nodes=120, motion_nodes=40)
    few = yardstick.measure(rkpm_basis(shape, material, 8, nodes=20), motion=True)
    many = yardstick.measure(rkpm_basis(shape, material, 8, nodes=120), motion=False)
    assert many.above == pytest.approx(0, abs=1e-9)
    assert many.motion is None
    assert few.above > many.above
    assert few.rank == pytest.approx(7)
    assert few.defect < 1e-9
    assert 0 < few.motion < 1


def test_the_yardstick_sees_the_space_not_how_it_is_spanned(shape):
    yardstick = Yardstick(shape, Material(), 8, energy_nodes=40, motion_nodes=20)
    rich = HandleBasis(rkpm_field(shape.samples, 20)).orthonormalized(shape, Material())
    mix = rich.mix
    random = torch.randn(19, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mix[:, 1:] = mix[:, 1:] @ torch.linalg.qr(random)[0]
    # The solver stops within 1e-4 of the body's size a step.
    assert yardstick.measure(HandleBasis(rich.field, mix), motion=True).motion < 0.01


def test_dependent_handles_have_no_energy_and_little_rank(shape):
    yardstick = Yardstick(shape, Material(), 4, energy_nodes=40, motion_nodes=20)

    def same(x):
        return torch.stack([x[:, 0], 2 * x[:, 0], x[:, 1]], 1)

    found = yardstick.measure(HandleBasis.from_function(same, handles=4), motion=False)
    assert found.energy is None
    assert found.above is None
    assert found.rank < 2
