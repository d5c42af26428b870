"""Hyperelastic laws for the oracle FEM: energy density, first Piola stress and its derivative, in numpy.

Written from the papers and independent of `sim`: a sign or a factor wrong there must show against this file.
Deformation gradients `F` have shape (..., 3, 3); Lame parameters [Pa] broadcast over the leading axes.
Flattened 9-vectors are row-major: entry `3 i + j` is `F_ij`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IDENTITY = np.eye(3)
LEVI_CIVITA = np.zeros((3, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_i, _j, _k], LEVI_CIVITA[_k, _j, _i] = 1.0, -1.0


@dataclass(frozen=True)
class Material:
    """Young's modulus [Pa], Poisson's ratio [-], density [kg/m3]: each a float or one value per element."""

    young: float | np.ndarray
    poisson: float | np.ndarray
    density: float | np.ndarray

    @property
    def lame(self) -> tuple[float | np.ndarray, float | np.ndarray]:
        """Lame parameters `(mu, lambda_0)` [Pa] of linear elasticity."""
        mu = self.young / (2 * (1 + self.poisson))
        lambda_0 = self.young * self.poisson / ((1 + self.poisson) * (1 - 2 * self.poisson))
        return mu, lambda_0


class LinearElasticity:
    """`Psi = mu |eps|^2 + lambda_0/2 (tr eps)^2`, `eps = (F + F^T)/2 - I`."""

    @staticmethod
    def energy(F, mu, lambda_0):
        """Energy density [J/m3], shape (...)."""
        strain = (F + np.swapaxes(F, -1, -2)) / 2 - IDENTITY
        return mu * (strain**2).sum((-1, -2)) + lambda_0 / 2 * np.trace(strain, axis1=-2, axis2=-1) ** 2

    @staticmethod
    def stress(F, mu, lambda_0):
        """First Piola stress `dPsi/dF` [Pa], shape (..., 3, 3)."""
        strain = (F + np.swapaxes(F, -1, -2)) / 2 - IDENTITY
        trace = np.trace(strain, axis1=-2, axis2=-1)[..., None, None]
        return 2 * _matrix(mu) * strain + _matrix(lambda_0) * trace * IDENTITY

    @staticmethod
    def stress_derivative(F, mu, lambda_0):
        """`dP/dF` [Pa], shape (..., 9, 9)."""
        transposition = np.einsum("il,jk->ijkl", IDENTITY, IDENTITY).reshape(9, 9)
        trace = np.outer(IDENTITY.ravel(), IDENTITY.ravel())
        derivative = _matrix(mu) * (np.eye(9) + transposition) + _matrix(lambda_0) * trace
        return np.broadcast_to(derivative, (*F.shape[:-2], 9, 9))


class StableNeoHookean:
    """`Psi = mu/2 (|F|^2 - 3) + lambda/2 (J - 1)^2 - mu (J - 1)`, `lambda = lambda_0 + mu`.

    Smith, de Goes, Kim, "Stable Neo-Hookean Flesh Simulation" (2018), eq. 13 without its logarithmic barrier;
    with `lambda = lambda_0 + mu` it linearises to Hooke's law with the Lame parameters `(mu, lambda_0)`.
    """

    @staticmethod
    def energy(F, mu, lambda_0):
        """Energy density [J/m3], shape (...)."""
        J = np.linalg.det(F)
        norm = (F**2).sum((-1, -2))
        return mu / 2 * (norm - 3) + (lambda_0 + mu) / 2 * (J - 1) ** 2 - mu * (J - 1)

    @staticmethod
    def stress(F, mu, lambda_0):
        """First Piola stress `dPsi/dF = mu F + (lambda (J - 1) - mu) cof F` [Pa], shape (..., 3, 3)."""
        pressure = (lambda_0 + mu) * (np.linalg.det(F) - 1) - mu
        return _matrix(mu) * F + _matrix(pressure) * cofactor(F)

    @staticmethod
    def stress_derivative(F, mu, lambda_0):
        """`dP/dF = mu I + lambda vec(C) vec(C)^T + (lambda (J - 1) - mu) d2J/dF2` [Pa], shape (..., 9, 9)."""
        C = cofactor(F).reshape(*F.shape[:-2], 9)
        pressure = (lambda_0 + mu) * (np.linalg.det(F) - 1) - mu
        # d2J/dF_ij dF_kl = eps_ikm eps_jln F_mn, from a table with one `eps (x) eps` per entry of F.
        second = (F.reshape(*F.shape[:-2], 9) @ SECOND_DETERMINANT).reshape(*F.shape[:-2], 9, 9)
        return (
            _matrix(mu) * np.eye(9)
            + _matrix(lambda_0 + mu) * (C[..., :, None] * C[..., None, :])
            + _matrix(pressure) * second
        )


SECOND_DETERMINANT = np.einsum("ikm,jln->mnijkl", LEVI_CIVITA, LEVI_CIVITA).reshape(9, 81)


def cofactor(F):
    """Cofactor matrix `dJ/dF`, shape (..., 3, 3); its rows are cross products, so a singular F is fine."""
    rows = (np.cross(F[..., i, :], F[..., j, :]) for i, j in ((1, 2), (2, 0), (0, 1)))
    return np.stack(tuple(rows), axis=-2)


def project_positive(derivative):
    """Nearest positive semi-definite (..., 9, 9): negative eigenvalues of the symmetric input become zero."""
    values, vectors = np.linalg.eigh(derivative)
    return (vectors * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _matrix(scalar):
    """Let a scalar field multiply matrices: (...) -> (..., 1, 1)."""
    return np.asarray(scalar)[..., None, None]
