"""Newton-Schulz against the singular value decomposition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optim.newton_schulz import (
    CLASSIC_COEFFICIENTS,
    SEED_COEFFICIENTS,
    inverse_square_root,
    minimax_schedule,
    modified_newton_schulz,
    polar_factor,
)
from sim.errors import TrainingError

# The docstring's table: from which singular value (over the Frobenius norm) on the band is reached after K steps.
REACHED = {1: 0.21, 2: 0.061, 3: 0.018, 4: 0.0052, 5: 0.0015, 6: 0.00044}
LOW, HIGH = 0.67, 1.21


def matrix_with(singular_values, rows, columns, generator):
    """A float64 matrix with these singular values and random singular vectors, and the two factors."""
    k = len(singular_values)
    U = torch.linalg.qr(torch.randn(rows, k, generator=generator, dtype=torch.float64))[0]
    V = torch.linalg.qr(torch.randn(columns, k, generator=generator, dtype=torch.float64))[0]
    return (U * torch.as_tensor(singular_values, dtype=torch.float64)) @ V.T, U, V


def quintic_iterates(s, steps):
    a, b, c = SEED_COEFFICIENTS
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


@pytest.mark.parametrize("steps", sorted(REACHED))
def test_algorithm_1_takes_singular_values_into_the_stated_band(steps):
    """Algorithm 1 of the NS design note: the band of the docstring, over spectra from flat to steep."""
    generator = torch.Generator().manual_seed(steps)
    for smallest in (1.0, 0.1, 1e-2, 1e-3):
        spectrum = np.geomspace(smallest, 1.0, 24)
        matrix, _, _ = matrix_with(spectrum, 24, 40, generator)
        normalised = spectrum / np.linalg.norm(spectrum)
        for dtype, slack in ((torch.float32, 1e-4), (torch.bfloat16, 0.03)):
            found = torch.linalg.svdvals(modified_newton_schulz(matrix, steps, dtype=dtype)).numpy()
            assert found.max() < HIGH + slack
            assert (found > LOW - slack).sum() >= (normalised > REACHED[steps]).sum()


def test_the_bands_are_those_of_the_scalar_polynomial():
    """The docstring's table, from the scalar iteration on a fine grid; and it does not end at 1."""
    s = np.geomspace(1e-6, 1, 200_001)
    for steps, start in REACHED.items():
        values = quintic_iterates(s[s > start], steps)
        assert values.min() > LOW
        assert values.max() < HIGH
        assert quintic_iterates(s[s > 0.5 * start], steps).min() < LOW  # the table is not a loose bound
    assert np.abs(quintic_iterates(s[s > 0.1], 50) - 1).max() > 0.1


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    batch=st.sampled_from([(), (3,), (2, 2)]),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]),
    steps=st.integers(0, 7),
    seed=st.integers(0, 10_000),
)
def test_algorithm_1_is_the_polynomial_of_the_singular_values(rows, columns, batch, scale, steps, seed):
    """Algorithm 1 of the NS design note against U p(S) V^T, for any shape, batch and scale."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(*batch, rows, columns, generator=generator, dtype=torch.float64)
    U, s, Vh = torch.linalg.svd(matrix, full_matrices=False)
    s = quintic_iterates(s / torch.linalg.vector_norm(s, dim=-1, keepdim=True), steps)
    expected = (U * s[..., None, :]) @ Vh
    got = modified_newton_schulz(matrix * scale, steps, dtype=torch.float64, eps=0.0)
    assert got.shape == matrix.shape
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)
    single = modified_newton_schulz((matrix * scale).float(), steps, dtype=torch.float32)
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=2e-4)


def test_algorithm_1_runs_in_bfloat16_and_returns_the_type_it_got():
    """Algorithm 1 of the NS design note, lines 2 and 18: the default iteration is bfloat16."""
    matrix = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    result = modified_newton_schulz(matrix)
    assert result.dtype == torch.float32
    assert torch.equal(result, result.bfloat16().float())
    assert not torch.equal(result, modified_newton_schulz(matrix, dtype=torch.float32))


@pytest.mark.parametrize("function", [modified_newton_schulz, polar_factor])
def test_zero_stays_zero_also_within_a_batch(function):
    matrix = torch.stack([torch.zeros(4, 6), torch.randn(4, 6, generator=torch.Generator().manual_seed(1))])
    result = function(matrix)
    assert torch.equal(result[0], torch.zeros(4, 6))
    assert torch.linalg.svdvals(result[1].double()).min() > 0.6


@pytest.mark.parametrize("function", [modified_newton_schulz, polar_factor])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_entries_that_are_not_finite_count_as_zero(function, bad):
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(2))
    hurt, mended = matrix.clone(), matrix.clone()
    hurt[1, 3], mended[1, 3] = bad, 0.0
    assert torch.equal(function(hurt), function(mended))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_algorithm_1_is_rescued_from_coefficients_that_diverge(dtype):
    """Algorithm 1 of the NS design note, line 11: its rescue would leave NaN; ours ends finite and aligned."""
    matrix = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(3))
    result = modified_newton_schulz(matrix, 60, dtype=dtype, coefficients=(3.0, 20.0, 30.0))
    assert torch.isfinite(result).all()
    assert (result.abs().amax(dim=(-2, -1)) > 0).all()


def test_largest_and_smallest_numbers_survive_the_norm():
    matrix = torch.randn(6, 4, generator=torch.Generator().manual_seed(4))
    expected = modified_newton_schulz(matrix, dtype=torch.float32)
    for scale in (2.0**-100, 2.0**120):
        torch.testing.assert_close(modified_newton_schulz(matrix * scale, dtype=torch.float32), expected)


@pytest.mark.parametrize(("dtype", "exact"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("smallest", [0.05, 1e-3, 1e-5])
@pytest.mark.parametrize("shape", [(12, 30), (30, 12), (16, 16)])
def test_polar_factor_is_exact_in_its_band(dtype, exact, smallest, shape):
    generator = torch.Generator().manual_seed(5)
    spectrum = np.geomspace(smallest, 1.0, min(shape))
    spectrum = np.maximum(spectrum / np.linalg.norm(spectrum), smallest * 1.01)
    spectrum[0] = smallest * np.linalg.norm(spectrum) * 1.001  # just inside the band
    matrix, U, V = matrix_with(spectrum, *shape, generator)
    result = polar_factor(matrix.to(dtype), smallest=smallest)
    assert result.dtype == dtype
    assert (torch.linalg.svdvals(result.double()) - 1).abs().max() < exact
    # How well the factor itself is determined is the matrix's own conditioning.
    assert (result.double() - U @ V.T).abs().max() < 10 * torch.finfo(dtype).eps / smallest


def test_polar_factor_below_its_band_stays_bounded():
    spectrum = np.geomspace(1e-9, 1.0, 10)
    matrix, _, _ = matrix_with(spectrum, 10, 10, torch.Generator().manual_seed(6))
    found = torch.linalg.svdvals(polar_factor(matrix, smallest=0.05))
    assert found.max() < 1 + 1e-5
    assert found.min() > 0


def test_polar_factor_can_be_differentiated():
    matrix = torch.randn(
        2, 3, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64, requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda m: polar_factor(m, smallest=1e-3), matrix)


@pytest.mark.parametrize("smallest", [0.3, 1e-2, 1e-5])
def test_each_minimax_step_errs_equally_on_both_sides(smallest):
    """Optimality (Chebyshev): the error of every quintic reaches +-E at four points in turn."""
    low, high = smallest, 1.0
    for a, b, c in minimax_schedule(smallest, 1e-7):
        x = np.linspace(low, high, 100_001)
        error = 1 - (a * x + b * x**3 + c * x**5)
        if high - low > 1e-2:
            E = np.abs(error).max()
            touches = np.flatnonzero(np.abs(error) > E * (1 - 1e-6))
            signs = np.sign(error[touches])
            assert (np.flatnonzero(np.diff(signs)).size + 1) == 4
        low, high = 1 - np.abs(error).max(), 1 + np.abs(error).max()
    assert high - low < 2e-7
    assert (a, b, c) == pytest.approx(CLASSIC_COEFFICIENTS, abs=1e-3)  # their limit


def test_minimax_schedule_says_what_it_needs():
    with pytest.raises(TrainingError, match="between 0 and 1"):
        minimax_schedule(0.0, 1e-7)


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_square_root_against_the_eigenvalue_decomposition(condition, dtype):
    generator = torch.Generator().manual_seed(8)
    eigenvalues = torch.logspace(-math.log10(condition), 0, 12, dtype=torch.float64) * 7.0
    Q = torch.linalg.qr(torch.randn(3, 12, 12, generator=generator, dtype=torch.float64))[0]
    M = (Q * eigenvalues) @ Q.mT
    expected = (Q / eigenvalues.sqrt()) @ Q.mT
    got = inverse_square_root(M.to(dtype), smallest=1e-7).double()
    relative = ((got - expected).norm(dim=(-2, -1)) / expected.norm(dim=(-2, -1))).max()
    assert relative < 30 * condition * torch.finfo(dtype).eps
    assert torch.equal(got, got.mT)


def test_inverse_square_root_of_nothing_is_finite_and_of_a_rectangle_refused():
    assert torch.isfinite(inverse_square_root(torch.zeros(3, 3, dtype=torch.float64))).all()
    with pytest.raises(TrainingError, match="square"):
        inverse_square_root(torch.zeros(3, 4))


def test_empty_matrices_pass_through():
    for shape in ((0, 4), (2, 0, 3)):
        assert modified_newton_schulz(torch.zeros(shape)).shape == shape
        assert polar_factor(torch.zeros(shape)).shape == shape
