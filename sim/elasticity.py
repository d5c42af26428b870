"""Reduced elastic energy over cubature points: a fast path for the CPU and a plain torch reference.

Both hold the same numbers: `A` (N, 3, r), the gradient of `phi` at the cubature points, their weights [m3],
and Lamé's parameters. `F_i = I + z A_i^T`; the Hessian is ordered axis by axis (index `a r + k`).
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch

from sim.kernels import NeoHookeanPoints
from sim.neo_hookean import curvature_rows, energy_density, first_piola

_PAIRS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))  # (a, a'; a''): rows coupled through the third by d2J/dF2


class Elasticity(Protocol):
    """What the solver asks of an elastic energy; states are float64 NumPy, shape (3, r)."""

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient, shape (3, r)."""

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        """Hessian, float32 or float64, shape (3r, 3r); `filtered` asks for a positive one."""

    def largest_change(self, dz: np.ndarray) -> float:
        """Largest Frobenius norm of the change of F that a step `dz` makes at any point."""

    def deformation_gradients(self, z: np.ndarray) -> np.ndarray:
        """F at the points, shape (N, 3, 3)."""

    @property
    def weights(self) -> np.ndarray:
        """Cubature weights of the points [m3], shape (N,)."""

    def set_lame(self, mu: np.ndarray, lam: np.ndarray) -> None:
        """Replace Lamé's parameters [Pa] at the points, each shape (N,)."""


class FastNeoHookean:
    """Stable Neo-Hookean on the CPU: BLAS for what is linear, Warp kernels for what is per point.

    Energy and gradient are float64. The Hessian is float32: it only steers Newton's method, its error costs
    iterations, never accuracy.
    """

    def __init__(self, A: np.ndarray, weights: np.ndarray, mu: np.ndarray, lam: np.ndarray) -> None:
        count, _, rank = A.shape
        self._A = np.ascontiguousarray(A, dtype=np.float64).reshape(3 * count, rank)
        self._A32 = np.ascontiguousarray(A, dtype=np.float32)
        self._A01 = np.ascontiguousarray(self._A32[:, :2]).reshape(2 * count, rank)
        self._volumetric = np.empty((count, 3, rank), dtype=np.float32)
        self._twist = np.empty((count, 6, rank), dtype=np.float32)
        self._steepest = float(np.sqrt(np.square(A).sum((1, 2)).max())) if count else 0.0
        self._points = NeoHookeanPoints(count)
        self.weights = np.asarray(weights, dtype=np.float64)
        self.set_lame(mu, lam)

    @property
    def rank(self) -> int:
        return self._A.shape[1]

    def set_lame(self, mu: np.ndarray, lam: np.ndarray) -> None:
        self._points.mu[:] = self.weights * mu
        self._points.stiff[:] = self.weights * (mu + lam)
        weighted = np.repeat(self._points.mu, 3).astype(np.float32)[:, None]
        flat = self._A32.reshape(-1, self.rank)
        self._shear = flat.T @ (weighted * flat)

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        self._place(z)
        self._points.evaluate_stress()
        return float(self._points.energy.sum()), self._points.stress.reshape(-1, 3).T @ self._A

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        self._place(z)
        self._points.evaluate_curvature(filtered)
        r = self.rank
        np.matmul(self._points.volumetric, self._A32, out=self._volumetric)
        rows = self._volumetric.reshape(-1, 3 * r)
        H = rows.T @ rows  # NumPy sees the same array twice and calls syrk
        np.matmul(self._points.twist, self._A32, out=self._twist)
        U = (self._A01.T @ self._twist.reshape(-1, 3 * r)).reshape(r, 3, r).transpose(1, 0, 2)
        coupling = U - U.transpose(0, 2, 1)
        by_axes = H.reshape(3, r, 3, r)
        for a, b, p in _PAIRS:
            by_axes[a, :, b] += coupling[p]
            by_axes[b, :, a] -= coupling[p]
        for a in range(3):
            by_axes[a, :, a] += self._shear
        return H

    def largest_change(self, dz: np.ndarray) -> float:
        bound = self._steepest * math.sqrt(float((dz * dz).sum()))
        if bound < 1.0:
            return bound  # surely small: the exact figure would change nothing
        change = (self._A @ dz.T).reshape(-1, 9)
        return float(np.sqrt(np.square(change).sum(1).max()))

    def deformation_gradients(self, z: np.ndarray) -> np.ndarray:
        return np.eye(3) + (self._A @ z.T).reshape(-1, 3, 3).transpose(0, 2, 1)

    def _place(self, z: np.ndarray) -> None:
        np.matmul(self._A, z.T, out=self._points.displacement.reshape(-1, 3))


class TorchNeoHookean:
    """The same energy in plain torch, on any device: the reference the fast path is tested against.

    CUDA worlds run on it. Everything is float64 but the Hessian, whose dtype is chosen.
    """

    def __init__(
        self,
        A: np.ndarray,
        weights: np.ndarray,
        mu: np.ndarray,
        lam: np.ndarray,
        *,
        device: torch.device,
        hessian_dtype: torch.dtype = torch.float64,
    ) -> None:
        self._device = device
        self._A = torch.as_tensor(A, dtype=torch.float64, device=device)
        self._Ah = self._A.to(hessian_dtype)
        self.weights = np.asarray(weights, dtype=np.float64)
        self._weights = torch.as_tensor(weights, dtype=torch.float64, device=device)
        self.set_lame(mu, lam)

    def set_lame(self, mu: np.ndarray, lam: np.ndarray) -> None:
        self._mu = torch.as_tensor(mu, dtype=torch.float64, device=self._device)
        self._lam = torch.as_tensor(lam, dtype=torch.float64, device=self._device)

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        F = self._F(z)
        energy = (self._weights * energy_density(F, self._mu, self._lam)).sum()
        P = self._weights[:, None, None] * first_piola(F, self._mu, self._lam)
        return float(energy), torch.einsum("iab,ibk->ak", P, self._A).cpu().numpy()

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        volumetric, twist = curvature_rows(self._F(z), self._mu, self._lam, self._weights, filtered)
        A = self._Ah
        r = A.shape[2]
        rows = torch.bmm(volumetric.to(A.dtype), A).reshape(-1, 3 * r)
        H = rows.T @ rows
        shear = torch.einsum("ibk,i,ibl->kl", A, (self._weights * self._mu).to(A.dtype), A)
        g = twist.to(A.dtype)[..., None]
        for a, b, p in _PAIRS:
            g0, g1, g2 = g[:, p, 0], g[:, p, 1], g[:, p, 2]
            U = A[:, 0].T @ (g2 * A[:, 1] - g1 * A[:, 2]) + A[:, 1].T @ (g0 * A[:, 2])
            H[a * r : (a + 1) * r, b * r : (b + 1) * r] += U - U.T
            H[b * r : (b + 1) * r, a * r : (a + 1) * r] += U.T - U
        for a in range(3):
            H[a * r : (a + 1) * r, a * r : (a + 1) * r] += shear
        return H.cpu().numpy()

    def largest_change(self, dz: np.ndarray) -> float:
        change = self._F(dz) - torch.eye(3, dtype=torch.float64, device=self._device)
        return float(change.square().sum((1, 2)).max().sqrt())

    def deformation_gradients(self, z: np.ndarray) -> np.ndarray:
        return self._F(z).cpu().numpy()

    def _F(self, z: np.ndarray) -> torch.Tensor:
        state = torch.as_tensor(z, dtype=torch.float64, device=self._device)
        eye = torch.eye(3, dtype=torch.float64, device=self._device)
        return eye + torch.einsum("ak,ibk->iab", state, self._A)


class LinearElasticity:
    """Small-strain linear elasticity: a constant Hessian, so that no cubature error can enter.

    `Psi = mu |e|^2 + lam/2 (tr e)^2`, `e = (F + F^T)/2 - I`; integrated over all reference samples once.
    """

    def __init__(self, A: np.ndarray, weights: np.ndarray, mu: np.ndarray, lam: np.ndarray) -> None:
        self._A = A
        self.weights = weights
        self.set_lame(mu, lam)

    def set_lame(self, mu: np.ndarray, lam: np.ndarray) -> None:
        r = self._A.shape[2]
        H = np.zeros((3, r, 3, r))
        for a in range(3):
            for b in range(3):
                m = self._A[:, b].T @ ((self.weights * mu)[:, None] * self._A[:, a])
                H[a, :, b] += m + self._A[:, a].T @ ((self.weights * lam)[:, None] * self._A[:, b])
                H[a, :, a] += self._A[:, b].T @ ((self.weights * mu)[:, None] * self._A[:, b])
        self._H = H.reshape(3 * r, 3 * r)

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = self._H @ z.ravel()
        return float(gradient @ z.ravel()) / 2, gradient.reshape(z.shape)

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        return self._H.copy()

    def largest_change(self, dz: np.ndarray) -> float:
        return 0.0  # a quadratic energy: no step is too long

    def deformation_gradients(self, z: np.ndarray) -> np.ndarray:
        return np.eye(3) + np.einsum("ak,ibk->iab", z, self._A)
