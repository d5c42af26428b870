"""Elastic energies: against finite differences, closed forms, the reference, and the laws of mechanics."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sim.elasticity import FastNeoHookean, LinearElasticity, TorchNeoHookean
from sim.neo_hookean import cofactor, energy_density, first_piola


def random_points(rng, count=40, rank=7):
    A = rng.normal(size=(count, 3, rank))
    weights = rng.uniform(0.5, 2, count) / count
    mu, lam = rng.uniform(0.5, 2, count), rng.uniform(-0.3, 4, count)
    return A, weights, mu, lam


def build(kind, points):
    if kind == "fast":
        return FastNeoHookean(*points)
    if kind == "torch":
        return TorchNeoHookean(*points, device=torch.device("cpu"))
    return LinearElasticity(*points)


@pytest.mark.parametrize("kind", ["fast", "torch", "linear"])
@pytest.mark.parametrize("size", [0.02, 0.3])
def test_gradient_is_the_energys_finite_difference(kind, size, rng):
    energy = build(kind, random_points(rng))
    z = size * rng.normal(size=(3, 7))
    gradient = energy.energy_gradient(z)[1]
    for _ in range(5):
        d = rng.normal(size=z.shape)
        h = 1e-5
        difference = (energy.energy_gradient(z + h * d)[0] - energy.energy_gradient(z - h * d)[0]) / (2 * h)
        scale = np.linalg.norm(gradient) * np.linalg.norm(d)
        assert abs(difference - (gradient * d).sum()) < 1e-5 * scale


@pytest.mark.parametrize("kind", ["fast", "torch", "linear"])
@pytest.mark.parametrize("size", [0.02, 0.3])
def test_hessian_is_the_gradients_finite_difference(kind, size, rng):
    energy = build(kind, random_points(rng))
    z = size * rng.normal(size=(3, 7))
    H = energy.hessian(z, filtered=False).astype(float)
    scale = np.linalg.norm(H, 2)
    assert np.abs(H - H.T).max() < 1e-5 * scale
    for _ in range(5):
        d = rng.normal(size=z.shape)
        d /= np.linalg.norm(d)
        h = 1e-5
        difference = (energy.energy_gradient(z + h * d)[1] - energy.energy_gradient(z - h * d)[1]) / (2 * h)
        assert np.linalg.norm(difference.ravel() - H @ d.ravel()) < 1e-4 * scale


@pytest.mark.parametrize("size", [0.0, 0.05, 0.5, 2.0])
def test_fast_path_equals_the_reference(size, rng):
    points = random_points(rng)
    fast, reference = build("fast", points), build("torch", points)
    z = size * rng.normal(size=(3, 7))
    (e, g), (e_ref, g_ref) = fast.energy_gradient(z), reference.energy_gradient(z)
    assert abs(e - e_ref) <= 1e-12 * max(1.0, abs(e_ref))
    np.testing.assert_allclose(g, g_ref, atol=1e-12 * max(1.0, np.abs(g_ref).max()))
    for filtered in (False, True):
        H, H_ref = fast.hessian(z, filtered), reference.hessian(z, filtered)
        np.testing.assert_allclose(H, H_ref, atol=2e-6 * np.abs(H_ref).max())
    np.testing.assert_allclose(fast.deformation_gradients(z), reference.deformation_gradients(z), atol=1e-12)
    big = 3 + rng.normal(size=z.shape)
    assert fast.largest_change(big) == pytest.approx(reference.largest_change(big))


def test_largest_change_never_understates(rng):
    energy = build("fast", random_points(rng))
    for size in (1e-3, 1e-2, 0.1, 1.0):
        dz = size * rng.normal(size=(3, 7))
        change = energy.deformation_gradients(dz) - np.eye(3)
        assert energy.largest_change(dz) >= np.sqrt(np.square(change).sum((1, 2)).max()) * (1 - 1e-12)


def test_rest_is_free_of_energy_and_stress(rng):
    for kind in ("fast", "torch", "linear"):
        e, g = build(kind, random_points(rng)).energy_gradient(np.zeros((3, 7)))
        assert abs(e) < 1e-14
        assert np.abs(g).max() < 1e-13


def test_rotation_costs_nothing():
    mu, lam = torch.tensor([2.0, 0.3]), torch.tensor([5.0, -0.1])
    F = torch.tensor(Rotation.random(2, random_state=1).as_matrix())
    assert energy_density(F, mu, lam).abs().max() < 1e-14
    assert first_piola(F, mu, lam).abs().max() < 1e-14


def test_energy_is_the_same_in_every_frame(rng):
    mu, lam = torch.tensor([2.0]), torch.tensor([5.0])
    F = torch.tensor(rng.normal(size=(1, 3, 3)))
    R = torch.tensor(Rotation.random(random_state=3).as_matrix())
    torch.testing.assert_close(energy_density(R @ F, mu, lam), energy_density(F, mu, lam))
    torch.testing.assert_close(energy_density(F @ R, mu, lam), energy_density(F, mu, lam))


def test_uniform_stretch_and_simple_shear_have_their_closed_forms():
    mu, lam = torch.tensor([2.0], dtype=torch.float64), torch.tensor([5.0], dtype=torch.float64)
    s, g = 1.3, 0.7
    stretch = torch.diag(torch.tensor([s, 1.0, 1.0], dtype=torch.float64))[None]
    # |F|^2 - 3 = s^2 - 1, J = s
    expected = mu / 2 * (s**2 - 1) + (lam + mu) / 2 * (s - 1) ** 2 - mu * (s - 1)
    torch.testing.assert_close(energy_density(stretch, mu, lam), expected)
    shear = torch.eye(3, dtype=torch.float64)[None].clone()
    shear[0, 0, 1] = g
    # |F|^2 - 3 = g^2, J = 1
    torch.testing.assert_close(energy_density(shear, mu, lam), mu / 2 * g**2)


def test_small_strains_follow_hookes_law(rng):
    mu, lam = torch.tensor([2.0], dtype=torch.float64), torch.tensor([5.0], dtype=torch.float64)
    H = torch.tensor(rng.normal(size=(1, 3, 3)))
    h = 1e-6
    strain = (H + H.mT) / 2
    hooke = 2 * mu * strain + lam * strain[0].trace() * torch.eye(3, dtype=torch.float64)
    stress = first_piola(torch.eye(3, dtype=torch.float64) + h * H, mu, lam) / h
    torch.testing.assert_close(stress, hooke, atol=1e-4, rtol=0)


def test_cofactor_is_the_determinants_derivative(rng):
    F = torch.tensor(rng.normal(size=(5, 3, 3)), requires_grad=True)
    torch.linalg.det(F).sum().backward()
    torch.testing.assert_close(cofactor(F.detach()), F.grad)


@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
def test_filter_makes_most_of_the_negative_curvature_go(size, rng):
    energy = build("torch", random_points(rng))
    z = size * rng.normal(size=(3, 7))
    exact = np.linalg.eigvalsh(energy.hessian(z, filtered=False))
    filtered = np.linalg.eigvalsh(energy.hessian(z, filtered=True))
    assert filtered[0] >= min(exact[0], 0) - 1e-9
    assert filtered[0] > -1e-2 * filtered[-1]


def test_materials_change_without_rebuilding(rng):
    A, weights, mu, lam = random_points(rng)
    for kind in ("fast", "torch", "linear"):
        changed = build(kind, (A, weights, mu, lam))
        changed.set_lame(3 * mu, 2 * lam)
        fresh = build(kind, (A, weights, 3 * mu, 2 * lam))
        z = 0.2 * rng.normal(size=(3, 7))
        assert changed.energy_gradient(z)[0] == pytest.approx(fresh.energy_gradient(z)[0], rel=1e-12)
        np.testing.assert_allclose(changed.hessian(z, False), fresh.hessian(z, False), rtol=1e-5, atol=1e-6)
