"""The reduced space of a body: from handle weights to mass-orthonormal coordinates `z`.

A state is `z`, shape (3, r): row `a` holds the coordinates of the displacement along axis `a`,

    u(X) = z phi(X),   phi(X) = Q^T (w(X) (x) [Xn; 1]),   Xn = (X - centre) / scale,

and because one `phi` serves all three axes, the Jacobian is `I3 (x) G`: nothing of size 9N x 12H is formed.
Source: Modi et al. 2024 (Simplicits), eq. 2 and 5; the choice of `Q` is this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch

from sim.basis import HandleBasis
from sim.errors import BasisError
from sim.material import Material
from sim.shape import Shape

_DROP = 1e-7  # directions whose mass is this share of the largest carry noise, not motion


@dataclass(frozen=True)
class ReducedSpace:
    """Coordinates in which the body's mass is the identity and its shear stiffness is diagonal.

    Attributes:
        basis: the handle weights.
        centre: centre of mass [m], shape (3,). scale: longest side of the samples' box [m].
        Q: raw coordinates `T = Q z^T`, shape (4H, r), r <= 4H [kg^-1/2].
        inverse: its mass-weighted left inverse, `z^T = inverse T`, shape (r, 4H).
        shear: diagonal of `sum v mu G G^T` in these coordinates [1/s2], ascending, shape (r,).
        samples: the reference points [m], shape (N, 3). volumes: [m3], shape (N,).
        phi: Q-coordinates at the samples, shape (N, r) [kg^-1/2].
        gradient: d phi / dX at the samples, shape (N, 3, r) [kg^-1/2 m^-1].
    """

    basis: HandleBasis
    centre: np.ndarray
    scale: float
    Q: np.ndarray
    inverse: np.ndarray
    shear: np.ndarray
    samples: np.ndarray
    volumes: np.ndarray
    phi: np.ndarray
    gradient: np.ndarray

    @property
    def rank(self) -> int:
        """r, the number of coordinates an axis."""
        return self.Q.shape[1]

    def phi_at(self, points: torch.Tensor | np.ndarray) -> np.ndarray:
        """`phi` at rest positions [m], shape (n, 3) -> (n, r)."""
        points = _host(points)
        weights = self.basis.weights(torch.from_numpy(points)).numpy()
        local = np.concatenate([(points - self.centre) / self.scale, np.ones((len(points), 1))], axis=1)
        return (weights[:, :, None] * local[:, None, :]).reshape(len(points), -1) @ self.Q

    def gradient_at(self, points: torch.Tensor | np.ndarray) -> np.ndarray:
        """`d phi / dX` at rest positions [m], shape (n, 3) -> (n, 3, r)."""
        return _raw(self.basis, _host(points), self.centre, self.scale)[1] @ self.Q

    def raw_transforms(self, z: np.ndarray) -> np.ndarray:
        """Handle transforms of a state: `u(X) = sum_h w_h(X) T_h [X; 1]`, shape (H, 3, 4) in metres."""
        T = (self.Q @ z.T).reshape(-1, 4, 3).transpose(0, 2, 1)
        linear = T[:, :, :3] / self.scale
        return np.concatenate([linear, T[:, :, 3:] - (linear @ self.centre)[:, :, None]], axis=2)

    def state_of(self, transforms: np.ndarray) -> np.ndarray:
        """The state nearest, in mass, to handle transforms (H, 3, 4) in metres: the inverse of `raw_transforms`."""
        linear, shift = transforms[:, :, :3], transforms[:, :, 3]
        local = np.empty((len(transforms), 4, 3))
        local[:, :3] = linear.transpose(0, 2, 1) * self.scale
        local[:, 3] = shift + linear @ self.centre
        return np.ascontiguousarray((self.inverse @ local.reshape(-1, 3)).T)

    def affine_state(self, linear: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """The state that puts every X at `linear X + translation`; linear (3, 3), translation (3,) [m]."""
        T = np.zeros((self.basis.handles, 4, 3))
        T[0, :3] = (linear - np.eye(3)).T * self.scale
        T[0, 3] = (linear - np.eye(3)) @ self.centre + translation
        return np.ascontiguousarray((self.inverse @ T.reshape(-1, 3)).T)


def reduce(shape: Shape, material: Material, basis: HandleBasis) -> ReducedSpace:
    """Build the reduced space of a body from all its reference samples.

    Mass `Phi^T (rho v) Phi` and shear stiffness `sum v mu G G^T` are diagonalised together; directions of
    (numerically) no mass are dropped.

    Raises:
        BasisError: the weights are not finite at the samples.
    """
    samples = _host(shape.samples)
    volumes = _host(shape.sample_volumes)
    mass = volumes * material.per_sample("density", len(samples)).numpy()
    mu = material.lame(len(samples))[0].numpy()
    centre = mass @ samples / mass.sum()
    extent = samples.max(0) - samples.min(0)
    scale = float(extent.max()) or 1.0
    phi, gradient = _raw(basis, samples, centre, scale)
    if not (np.isfinite(phi).all() and np.isfinite(gradient).all()):
        raise BasisError("These weights are not finite everywhere inside the shape; train them again.")
    M = phi.T @ (mass[:, None] * phi)
    size = np.sqrt(np.maximum(M.diagonal(), np.finfo(float).tiny))
    eigenvalues, vectors = np.linalg.eigh(M / np.outer(size, size))
    keep = eigenvalues > _DROP * eigenvalues[-1]
    whiten = vectors[:, keep] / np.sqrt(eigenvalues[keep]) / size[:, None]
    G = gradient.reshape(-1, gradient.shape[2]) @ whiten
    K = G.T @ (np.repeat(volumes * mu, 3)[:, None] * G)
    shear, modes = scipy.linalg.eigh(K)
    Q = whiten @ modes
    return ReducedSpace(
        basis=basis,
        centre=centre,
        scale=scale,
        Q=Q,
        inverse=Q.T @ M,
        shear=np.maximum(shear, 0.0),
        samples=samples,
        volumes=volumes,
        phi=phi @ Q,
        gradient=gradient @ Q,
    )


def _raw(basis: HandleBasis, points: np.ndarray, centre: np.ndarray, scale: float) -> tuple:
    """`w (x) [Xn; 1]`, shape (n, 4H), and its gradient by X, shape (n, 3, 4H)."""
    w, dw = basis.weights_and_gradients(torch.from_numpy(points))
    w, dw = w.numpy(), dw.numpy()
    local = np.concatenate([(points - centre) / scale, np.ones((len(points), 1))], axis=1)
    n, handles = w.shape
    phi = (w[:, :, None] * local[:, None, :]).reshape(n, -1)
    gradient = dw.transpose(0, 2, 1)[..., None] * local[:, None, None, :]
    for axis in range(3):
        gradient[:, axis, :, axis] += w / scale
    return phi, gradient.reshape(n, 3, 4 * handles)


def _host(array: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu().numpy()
    return np.ascontiguousarray(array, dtype=np.float64)
