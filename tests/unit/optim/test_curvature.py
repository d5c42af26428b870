"""The isotropic curvature update against sampling, closed forms and a general-purpose minimiser."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optim.curvature import (
    IsotropicCurvature,
    curvature_update,
    estimate_exponent,
    gaussian_moments,
    optimal_spectrum,
)
from sim.errors import TrainingError

spectra = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=12)
exponents = st.floats(2.0, 4.0)


def sphere_squares(count, dimension, seed):
    z = np.random.default_rng(seed).standard_normal((count, dimension))
    return z**2 / (z**2).sum(1, keepdims=True)


@pytest.mark.parametrize("exponent", [2.0, 2.1, 2.45, 3.0, 3.7, 4.0])
def test_the_integral_against_closed_forms(exponent):
    """One dimension: E |g|^p = 2^(p/2) Gamma((p + 1)/2) / sqrt(pi). p = 2: 1. p = 4: 1 + 2 w."""
    alone = gaussian_moments(torch.ones(1, dtype=torch.float64), exponent).item()
    expected = 2 ** (exponent / 2) * math.gamma((exponent + 1) / 2) / math.sqrt(math.pi)
    assert alone == pytest.approx(expected, rel=1e-5)
    w = torch.tensor([0.7, 0.2, 0.1, 0.0], dtype=torch.float64)
    if exponent == 2.0:
        torch.testing.assert_close(gaussian_moments(w, exponent), torch.ones_like(w), rtol=1e-5, atol=0)
    if exponent == 4.0:
        torch.testing.assert_close(gaussian_moments(w, exponent), 1 + 2 * w)


@pytest.mark.parametrize("exponent", [2.1, 2.45, 3.5])
@pytest.mark.parametrize("k", [2, 20])
def test_the_integral_against_sampling(exponent, k):
    w = torch.logspace(0, -3, k, dtype=torch.float64)
    w = w / w.sum()
    g = torch.as_tensor(np.random.default_rng(0).standard_normal((200_000, k))).square()
    samples = (g @ w).pow(exponent / 2 - 1)[:, None] * g
    error = (gaussian_moments(w, exponent) - samples.mean(0)).abs() / (samples.std(0) / math.sqrt(len(g)))
    assert error.max() < 4.5  # standard errors


@pytest.mark.parametrize("exponent", [2.2, 2.45, 3.3])
def test_the_minimiser_against_a_general_one_on_sampled_directions(exponent):
    """Su 2025: min_q -sum s q + E c |Q zeta|^p over the sphere; scipy minimises the sampled objective."""
    s, coefficient, dimension = np.array([2.0, 0.7, 0.5, 0.05]), 1.7, 6
    squares = sphere_squares(40_000, dimension, seed=1)[:, :4]

    def objective(q):
        r2 = squares @ q**2
        gradient = coefficient * exponent * q * (r2[:, None] ** (exponent / 2 - 1) * squares).mean(0)
        return coefficient * (r2 ** (exponent / 2)).mean() - s @ q, gradient - s

    found = scipy.optimize.minimize(
        objective, np.ones(4), jac=True, method="L-BFGS-B", options={"ftol": 1e-14}
    )
    ours = optimal_spectrum(
        torch.as_tensor(s), exponent, coefficient=coefficient, dimension=dimension
    ).numpy()
    np.testing.assert_allclose(ours, found.x, rtol=0.02)
    assert objective(ours)[0] <= found.fun + 1e-3 * abs(found.fun)


@settings(max_examples=60, deadline=None)
@given(spectrum=spectra, exponent=exponents, coefficient=st.floats(0.1, 10.0))
def test_stationarity_for_any_spectrum(spectrum, exponent, coefficient):
    """s_i = c p q_i E[(q . zeta)^(p - 2) zeta_i^2], the expectation taken for the minimiser itself."""
    s = torch.tensor(spectrum, dtype=torch.float64)
    q = optimal_spectrum(s, exponent, coefficient=coefficient)
    k, norm = len(spectrum), torch.linalg.vector_norm(q)
    radial = 2 ** (exponent / 2) * math.gamma((k + exponent) / 2) / math.gamma(k / 2)
    expectation = gaussian_moments((q / norm).square(), exponent) * norm ** (exponent - 2) / radial
    torch.testing.assert_close(coefficient * exponent * q * expectation, s, rtol=1e-4, atol=0)


@settings(max_examples=60, deadline=None)
@given(spectrum=spectra, exponent=exponents)
def test_theorem_1_the_spectrum_becomes_more_even(spectrum, exponent):
    """Su 2025, theorem 1: order kept, ratios closer to 1; p = 2 leaves the gradient's ratios."""
    s = torch.tensor(sorted(spectrum, reverse=True), dtype=torch.float64)
    q = optimal_spectrum(s, exponent)
    ratios_s, ratios_q = s[:-1] / s[1:], q[:-1] / q[1:]
    assert (ratios_q >= 1 - 1e-6).all()
    assert (ratios_q <= ratios_s * (1 + 1e-6)).all()
    torch.testing.assert_close(
        optimal_spectrum(s, 2.0) / s, torch.full_like(s, len(s) / 2), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)])
@pytest.mark.parametrize("exponent", [2.0, 2.45, 4.0])
def test_proposition_3_1_the_update_shares_the_singular_spaces(shape, exponent):
    """Su 2025, proposition 3.1, against the SVD; the largest singular value is 1."""
    G = torch.randn(3, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    U, s, Vh = torch.linalg.svd(G, full_matrices=False)
    q = optimal_spectrum(s, exponent)
    q = q / q.amax(-1, keepdim=True)
    torch.testing.assert_close(curvature_update(G, exponent), (U * q[..., None, :]) @ Vh, rtol=0, atol=1e-7)


def test_a_zero_gradient_moves_nothing_and_rank_one_stays_rank_one():
    assert torch.equal(curvature_update(torch.zeros(2, 3, 4), 2.45), torch.zeros(2, 3, 4))
    one = torch.outer(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.0, 4.0, 0.0])).double()
    torch.testing.assert_close(curvature_update(one, 2.45), one / torch.linalg.matrix_norm(one, 2))


def test_one_step_of_the_optimizer_by_hand():
    """Momentum from zero: (1 - mu) g, with Nesterov (1 - mu^2) g; scale does not matter, direction is -Q(g)."""
    p, q = (torch.zeros(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    g = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    p.grad, q.grad = g, g
    IsotropicCurvature([p, q], lr=0.1, exponent=3.0).step()
    expected = -0.1 * curvature_update(g, 3.0)
    torch.testing.assert_close(p.detach(), expected)
    torch.testing.assert_close(q.detach(), expected)


@pytest.mark.parametrize("exponent", [2.0, 2.4, 3.0])
def test_the_exponent_of_a_power_is_found_again(exponent):
    """L(W) = |W - W0|^p / p at W0: its remainder is exactly r^p / p."""
    centre = torch.randn(4, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    W = (centre + 1e-12).requires_grad_()
    before = W.detach().clone()
    growth = estimate_exponent(
        lambda: (W - centre).norm().pow(exponent) / exponent,
        [W],
        [0.1, 0.3, 1.0, 3.0],
        torch.Generator().manual_seed(0),
        directions=4,
    )
    assert growth.exponent == pytest.approx(exponent, abs=1e-6)
    assert growth.remainders[2] == pytest.approx(1 / exponent, rel=1e-6)
    assert torch.equal(W.detach(), before)


def test_the_exponent_refuses_what_has_none():
    W = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TrainingError, match="curve upwards"):
        estimate_exponent(lambda: -W.square().sum(), [W], [0.1, 1.0], torch.Generator())
    with pytest.raises(TrainingError, match="two or more radii"):
        estimate_exponent(lambda: W.square().sum(), [W], [0.1], torch.Generator())


def test_vectors_and_exponents_out_of_range_are_refused():
    with pytest.raises(TrainingError, match="matrices"):
        IsotropicCurvature([torch.zeros(3, requires_grad=True)])
    with pytest.raises(TrainingError, match="between 2 and 4"):
        IsotropicCurvature([torch.zeros(3, 3, requires_grad=True)], exponent=5.0)
    with pytest.raises(TrainingError, match="between 2 and 4"):
        optimal_spectrum(torch.ones(3), 1.5)
