"""The oracle's material laws against finite differences and closed forms: who judges is judged first."""

import numpy as np
import pytest
from oracle import closed_forms
from oracle.laws import LinearElasticity, Material, StableNeoHookean, cofactor, project_positive

LAWS = [LinearElasticity, StableNeoHookean]
MU, LAMBDA_0 = Material(1e5, 0.45, 500.0).lame


@pytest.fixture
def F():
    rng = np.random.default_rng(3)
    return np.eye(3) + 0.6 * rng.standard_normal((20, 3, 3))


@pytest.mark.parametrize("law", LAWS)
def test_stress_is_the_gradient_of_the_energy(law, F):
    step = 1e-6
    for i in range(3):
        for j in range(3):
            nudge = np.zeros((3, 3))
            nudge[i, j] = step
            slope = (law.energy(F + nudge, MU, LAMBDA_0) - law.energy(F - nudge, MU, LAMBDA_0)) / (2 * step)
            stress = law.stress(F, MU, LAMBDA_0)
            np.testing.assert_allclose(slope, stress[:, i, j], atol=1e-7 * np.abs(stress).max())


@pytest.mark.parametrize("law", LAWS)
def test_stress_derivative_matches_finite_differences_and_is_symmetric(law, F):
    step = 1e-6
    derivative = law.stress_derivative(F, MU, LAMBDA_0)
    np.testing.assert_allclose(derivative, np.swapaxes(derivative, 1, 2), atol=1e-9 * MU)
    for flat in range(9):
        nudge = np.zeros(9)
        nudge[flat] = step
        nudge = nudge.reshape(3, 3)
        slope = (law.stress(F + nudge, MU, LAMBDA_0) - law.stress(F - nudge, MU, LAMBDA_0)) / (2 * step)
        scale = np.abs(derivative).max()
        np.testing.assert_allclose(slope.reshape(-1, 9), derivative[:, :, flat], atol=1e-7 * scale)


def test_neo_hookean_linearises_to_hooke():
    identity = np.eye(3)
    np.testing.assert_allclose(StableNeoHookean.stress(identity, MU, LAMBDA_0), 0, atol=1e-9)
    np.testing.assert_allclose(
        StableNeoHookean.stress_derivative(identity, MU, LAMBDA_0),
        LinearElasticity.stress_derivative(identity, MU, LAMBDA_0),
        atol=1e-9 * MU,
    )


def test_neo_hookean_does_not_feel_rotation(F):
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    energy = StableNeoHookean.energy(F, MU, LAMBDA_0)
    np.testing.assert_allclose(StableNeoHookean.energy(rotation @ F, MU, LAMBDA_0), energy, rtol=1e-12)
    np.testing.assert_allclose(StableNeoHookean.energy(F @ rotation, MU, LAMBDA_0), energy, rtol=1e-12)


def test_cofactor_is_determinant_times_inverse_transpose(F):
    expected = np.linalg.det(F)[:, None, None] * np.swapaxes(np.linalg.inv(F), 1, 2)
    np.testing.assert_allclose(cofactor(F), expected, atol=1e-11)


def test_projection_keeps_the_positive_part(F):
    derivative = StableNeoHookean.stress_derivative(F, MU, LAMBDA_0)
    projected = project_positive(derivative)
    before, after = np.linalg.eigvalsh(derivative), np.linalg.eigvalsh(projected)
    assert before.min() < -0.01 * MU
    np.testing.assert_allclose(after, np.maximum(before, 0), atol=1e-8 * np.abs(before).max())


@pytest.mark.parametrize("stretch", [0.7, 0.95, 1.3, 2.0])
def test_uniaxial_energies(stretch):
    energy, lateral = closed_forms.uniaxial_neo_hookean(stretch, MU, LAMBDA_0)
    F = np.diag([stretch, lateral, lateral])
    assert StableNeoHookean.energy(F, MU, LAMBDA_0) == pytest.approx(energy, rel=1e-12)
    assert np.abs(np.diag(StableNeoHookean.stress(F, MU, LAMBDA_0))[1:]).max() < 1e-9 * MU
    contracted = np.diag([stretch, *[1 - 0.45 * (stretch - 1)] * 2])
    assert LinearElasticity.energy(contracted, MU, LAMBDA_0) == pytest.approx(
        closed_forms.uniaxial_linear(stretch, 1e5), rel=1e-12
    )


@pytest.mark.parametrize("stretch", [0.7, 1.3])
def test_confined_energies(stretch):
    F = np.diag([1.0, stretch, 1.0])
    for law, closed in (
        (LinearElasticity, closed_forms.confined_linear),
        (StableNeoHookean, closed_forms.confined_neo_hookean),
    ):
        assert law.energy(F, MU, LAMBDA_0) == pytest.approx(closed(stretch, MU, LAMBDA_0), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_simple_shear_energy(law):
    F = np.eye(3)
    F[0, 1] = 0.4
    assert law.energy(F, MU, LAMBDA_0) == pytest.approx(closed_forms.simple_shear(0.4, MU), rel=1e-12)
