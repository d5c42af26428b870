"""The reduced model itself, solved the plain way: implicit Euler in the span of given functions, all points used.

No cubature, no clever basis, no shortcuts: `x(X) = X + sum_j z_j b_j(X)`, `z` of shape (r, 3), dense Hessian from
the 9x9 stress derivatives of every quadrature point. It tells two errors of the reduced simulator apart: what its
functions cannot do (this against the FEM), and what its solver adds (the simulator against this).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from oracle.laws import Material, StableNeoHookean, project_positive


@dataclass(frozen=True)
class Functions:
    """Quadrature points [m] (n, 3) and volumes [m3] (n,), with functions there (n, r) and gradients (n, r, 3)."""

    points: np.ndarray
    volumes: np.ndarray
    values: np.ndarray
    gradients: np.ndarray


def affine_functions(points, volumes, weights, weight_gradients, centre) -> Functions:
    """The functions `w_h(X) [X - centre; 1]` of a body moved by handles: (n, H) weights give r = 4 H of them."""
    local = np.concatenate((points - centre, np.ones((len(points), 1))), 1)
    values = weights[:, :, None] * local[:, None, :]
    gradients = weight_gradients[:, :, None, :] * local[:, None, :, None]
    gradients = gradients + weights[:, :, None, None] * np.eye(4, 3)
    shape = len(points), values.shape[1] * 4
    return Functions(points, volumes, values.reshape(shape), gradients.reshape(*shape, 3))


def orthonormalized(functions: Functions, density, cut: float = 1e-9) -> tuple[Functions, np.ndarray]:
    """The same span with unit mass matrix [kg], and the (r, s) matrix of the new functions in the old ones."""
    mass = functions.values.T @ ((functions.volumes * density)[:, None] * functions.values)
    size = 1 / np.sqrt(np.diag(mass))
    spread, directions = np.linalg.eigh(mass * np.outer(size, size))
    kept = spread > cut * spread[-1]
    mix = size[:, None] * directions[:, kept] / np.sqrt(spread[kept])
    gradients = np.einsum("nrd,rs->nsd", functions.gradients, mix, optimize=True)
    return Functions(functions.points, functions.volumes, functions.values @ mix, gradients), mix


def simulate(
    functions: Functions,
    material: Material,
    *,
    dt: float,
    steps: int,
    law=StableNeoHookean,
    gravity: Sequence[float] = (0.0, -10.0, 0.0),
    held: np.ndarray | None = None,
    stiffness: float = 0.0,
    tolerance: float = 1e-8,
    max_iterations: int = 100,
) -> np.ndarray:
    """States z (steps + 1, r, 3) from rest, for mass-orthonormal `functions`.

    held: mask (n,) of points pinned where they rest, by springs of `stiffness` [N/m] in all, shared by volume.
    A step ends when Newton moves the body by less than `tolerance` [m] RMS.
    """
    B, G, volumes = functions.values, functions.gradients, functions.volumes
    mu, lambda_0 = (np.broadcast_to(value, volumes.shape) for value in material.lame)
    masses = volumes * material.density
    pins = np.zeros_like(volumes) if held is None else stiffness * volumes * held / (volumes @ held)
    quadratic = np.eye(B.shape[1]) / dt**2 + B.T @ (pins[:, None] * B)
    weight = np.outer(B.T @ masses, gravity)
    rows = np.ascontiguousarray(G.transpose(0, 2, 1)).reshape(-1, B.shape[1])
    count = len(volumes)

    def deformation(z):
        return np.eye(3) + (rows @ z).reshape(count, 3, 3).transpose(0, 2, 1)

    def energy(z, target):
        away = z - target
        elastic = volumes @ law.energy(deformation(z), mu, lambda_0)
        return (away**2).sum() / (2 * dt**2) + pins @ ((B @ z) ** 2).sum(1) / 2 + elastic - (weight * z).sum()

    def gradient(z, target):
        stress = volumes[:, None, None] * law.stress(deformation(z), mu, lambda_0)
        return quadratic @ z - target / dt**2 - weight + rows.T @ stress.transpose(0, 2, 1).reshape(-1, 3)

    def hessian(z, positive):
        derivative = law.stress_derivative(deformation(z), mu, lambda_0)
        if positive:
            derivative = project_positive(derivative)
        derivative = (volumes[:, None, None] * derivative).reshape(count, 3, 3, 3, 3)
        blocks = [[None] * 3 for _ in range(3)]
        for i in range(3):
            for k in range(i, 3):
                pulled = (derivative[:, i, :, k, :] @ rows.reshape(count, 3, -1)).reshape(len(rows), -1)
                blocks[i][k] = rows.T @ pulled + (quadratic if i == k else 0)
                blocks[k][i] = blocks[i][k].T
        return np.block(blocks)

    z = np.zeros((B.shape[1], 3))
    speed = np.zeros_like(z)
    states = [z]
    total = masses.sum()
    for step in range(1, steps + 1):
        target = z + dt * speed
        y = z
        for _ in range(max_iterations):
            slope = gradient(y, target)
            way = _newton_step(hessian, y, slope)
            before, length = energy(y, target), 1.0
            while (
                energy(y + length * way, target)
                > before + 1e-4 * length * (slope * way).sum() + 1e-12 * abs(before)
                and length > 1e-8
            ):
                length /= 2
            y = y + length * way
            if length * np.sqrt((way**2).sum() / total) <= tolerance:
                break
        else:
            raise ArithmeticError(f"Newton did not converge in {max_iterations} iterations at step {step}")
        speed, z = (y - z) / dt, y
        states.append(z)
    return np.stack(states)


def _newton_step(hessian, y, slope):
    for positive in (False, True):
        try:
            factor = scipy.linalg.cho_factor(hessian(y, positive), check_finite=False)
        except scipy.linalg.LinAlgError:
            if positive:
                raise
            continue
        return -scipy.linalg.cho_solve(factor, slope.T.ravel()).reshape(3, -1).T
    raise AssertionError("unreachable")
