"""Expected energies against sampling, and heads against what they promise."""

import numpy as np
import pytest
import scipy.linalg
import torch

from optim.head import rayleigh_ritz, ritz_loss, white_loss
from optim.losses import (
    energy_and_mass,
    expected_linear,
    expected_neo_hookean,
    sampled_energy,
    strain_moments,
    without_mean,
)
from sim.jets import SECOND_DERIVATIVES, jet_along, random_frames
from sim.orthonormal import elastic_gram

N, K = 12, 3


@pytest.fixture
def weights():
    g = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return 0.5 * random(N, K), 0.5 * random(N, K, 3), 0.5 * random(N, 3)


def jet_of(values, gradients):
    return torch.cat([values[None], gradients.permute(2, 0, 1)])


def moduli():
    return torch.full((N,), 2.0, dtype=torch.float64), torch.full((N,), 3.0, dtype=torch.float64)


@pytest.mark.parametrize(
    ("law", "closed"), [("linear", expected_linear), ("neo-hookean", expected_neo_hookean)]
)
@pytest.mark.parametrize("sigma", [0.2, 0.6])
def test_closed_forms_equal_the_mean_over_drawn_transforms(weights, law, closed, sigma):
    mu, lam = moduli()
    g = torch.Generator().manual_seed(1)
    expected = closed(strain_moments(*weights), mu, lam, sigma).sum()
    means = []
    for _ in range(40):
        T = sigma * torch.randn(2000, K, 3, 4, generator=g, dtype=torch.float64)
        means.append(float(sampled_energy(*weights, mu, lam, T, law=law).sum()))
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - float(expected)) < 4 * error
    assert error < 0.02 * float(expected)


def test_the_gram_matrix_is_the_sum_over_points_and_the_finished_handles_one(weights):
    values, gradients, points = weights
    mu, lam = moduli()
    stiffness = lam / 2 + 2 * mu
    gram = energy_and_mass(jet_of(values, gradients), points, stiffness, stiffness)[0][1:, 1:]
    # The trace over handles is the expected energy; sim's own form, used to order handles, is the same.
    torch.testing.assert_close(gram.trace(), expected_linear(strain_moments(*weights), mu, lam).sum())
    centre = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(
        gram, elastic_gram(values, gradients, points, stiffness, centre=centre, scale=1.0)
    )


@pytest.mark.parametrize("bending", [0.0, 0.3])
def test_the_derivatives_of_energy_and_mass_are_finite_differences(weights, bending):
    values, gradients, points = weights
    stiffness = torch.linspace(1, 2, N, dtype=torch.float64)
    mass = stiffness / stiffness.sum()
    jet = jet_of(values, gradients)
    if bending:
        jet = torch.cat([jet, jet[:1].roll(1, dims=2)])
    jet.requires_grad_()
    assert torch.autograd.gradcheck(lambda j: energy_and_mass(j, points, stiffness, mass, bending), (jet,))
    assert torch.autograd.gradcheck(
        lambda j: without_mean(*energy_and_mass(j, points, stiffness, mass, bending)), (jet,)
    )


def test_taking_the_mean_away_is_the_same_before_and_after(weights):
    values, gradients, points = weights
    stiffness = torch.linspace(1, 2, N, dtype=torch.float64)
    mass = stiffness.flip(0) / stiffness.sum()
    after = without_mean(*energy_and_mass(jet_of(values, gradients), points, stiffness, mass))
    before = energy_and_mass(jet_of(values - mass @ values, gradients), points, stiffness, mass)
    torch.testing.assert_close(after[0], before[0][1:, 1:])
    torch.testing.assert_close(after[1], before[1][1:, 1:])


def test_float32_knows_the_energy_of_functions_that_hardly_vary_once_their_level_is_off(weights):
    """A saturated unit: 1 plus a hundred-thousandth of something. Twice in float32, against float64."""
    values, gradients, points = weights
    jet = jet_of(1 + 1e-5 * values, 1e-5 * gradients).float()
    share = torch.full((N,), 1 / N, dtype=torch.float64)
    exact = without_mean(*energy_and_mass(jet.double(), points, share, share))
    level = jet[0].mean(0)
    for found, expected in zip(
        without_mean(*energy_and_mass(jet, points, share, share, level=level)), exact, strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    jet = jet.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda j: energy_and_mass(j, points, share, share, level=level), (jet,))


def test_bending_is_the_squared_hessian():
    """Of a quadratic function, over many random frames: `|grad grad w|^2` by hand."""
    count, size = 20000, 0.3
    hessian = torch.tensor([[1.0, 0.5, 0.0], [0.5, -2.0, 0.25], [0.0, 0.25, 3.0]], dtype=torch.float64)
    frames = random_frames(count, torch.Generator().manual_seed(0))
    none = torch.zeros(4, count, 1, dtype=torch.float64)
    seconds = torch.stack([hessian[a, b].expand(count, 1) for a, b in SECOND_DERIVATIVES])
    along = jet_along(none[0], none[1:], seconds, frames)
    share = torch.full((count,), 1 / count, dtype=torch.float64)
    energy, _ = energy_and_mass(along, torch.zeros(count, 3), share, share, size)
    squares = along[4].square()
    error = float(squares.std() / count**0.5) / float(squares.mean())
    expected = size**2 * float(hessian.square().sum())
    assert error < 0.01
    assert float(energy[1, 1]) == pytest.approx(expected, rel=4 * error)
    whole, _ = energy_and_mass(torch.cat([none, seconds]), torch.zeros(count, 3), share, share, size)
    assert float(whole[1, 1]) == pytest.approx(expected, rel=1e-12)


def random_pencil(size=12):
    g = torch.Generator().manual_seed(2)
    B = torch.randn(40, size, generator=g, dtype=torch.float64)
    D = torch.randn(40, size, generator=g, dtype=torch.float64)
    return B.T @ B, D.T @ D


def test_ritz_solves_the_generalized_eigenproblem():
    A, M = random_pencil()
    energies, C = rayleigh_ritz(A, M, 5)
    expected = scipy.linalg.eigh(A.numpy(), M.numpy(), eigvals_only=True)[:5]
    np.testing.assert_allclose(energies, expected, rtol=1e-9)
    torch.testing.assert_close(C.T @ M @ C, torch.eye(5, dtype=torch.float64))


def test_directions_without_mass_are_left_out():
    A, M = random_pencil()
    A, M = A.clone(), M.clone()
    for G in (A, M):  # the last feature repeats the first
        G[-1] = G[0]
        G[:, -1] = G[:, 0]
    energies, C = rayleigh_ritz(A, M, 12)
    assert len(energies) == 11
    assert torch.isfinite(C).all()


def test_a_feature_that_hardly_varies_beside_the_others_is_left_out():
    A, M = random_pencil()
    expected = scipy.linalg.eigh(A[:-1, :-1].numpy(), M[:-1, :-1].numpy(), eigvals_only=True)[:5]
    for faint in (0.0, 1e-7):
        size = torch.ones(12, dtype=torch.float64)
        size[-1] = faint
        energies, C = rayleigh_ritz(size[:, None] * A * size, size[:, None] * M * size, 5)
        np.testing.assert_allclose(energies, expected, rtol=1e-9)
        assert float(C[-1].abs().max()) == 0


def test_the_envelope_gradient_is_the_energys_finite_difference():
    g = torch.Generator().manual_seed(3)
    B = torch.randn(40, 8, generator=g, dtype=torch.float64, requires_grad=True)
    D = torch.randn(40, 8, generator=g, dtype=torch.float64)
    objective, energy = ritz_loss(B.T @ B, (B + D).T @ (B + D), 3)
    objective.backward()
    d = torch.randn(40, 8, generator=g, dtype=torch.float64)

    def value(x):
        return ritz_loss(x.T @ x, (x + D).T @ (x + D), 3)[1]

    with torch.no_grad():
        difference = (value(B + 1e-6 * d) - value(B - 1e-6 * d)) / 2e-6
    assert float((B.grad * d).sum()) == pytest.approx(float(difference), rel=1e-6)
    assert float(energy) == pytest.approx(float(value(B.detach())))


def test_the_white_head_is_blind_to_mixing():
    A, M = random_pencil(5)
    X = torch.randn(5, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    torch.testing.assert_close(white_loss(A, M, 5)[0], white_loss(X.T @ A @ X, X.T @ M @ X, 5)[0])
    ritz = rayleigh_ritz(A, M, 5)[0].sum()
    torch.testing.assert_close(white_loss(A, M, 5)[0], ritz)


def test_the_mass_gram_is_a_covariance(weights):
    values = weights[0]
    mass = torch.full((N,), 1 / N, dtype=torch.float64)
    jet = jet_of(values, torch.zeros(N, K, 3, dtype=torch.float64))
    _, gram = without_mean(*energy_and_mass(jet, torch.zeros(N, 3), mass, mass))
    np.testing.assert_allclose(gram, np.cov(values.numpy().T, bias=True), atol=1e-14)
