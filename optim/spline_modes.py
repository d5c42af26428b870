"""The least-energy functions over a body's splines: handles without training, and what training starts from.

A position in space does not tell two arms that lie side by side from one another; where a point is within the
body does. The lowest modes of the body tell it, and the network reads them beside the position, as networks on
surfaces read the eigenfunctions of the Laplacian (Koestler et al. 2022, Intrinsic Neural Fields).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh, splu

from sim.errors import TrainingError
from sim.splines import SplineField, SplineGrid

Tensor = torch.Tensor

SPLINES = 3000
"""Splines over a body; more are nearer to the bound, and slower."""

_SAMPLES_PER_SPLINE = 8  # with fewer, splines hide between the samples
_FEW = 400  # splines up to which a dense solver is quicker
_SMOOTHING = 1e-5  # share of the usual stiffness that keeps a spline at the rim in line with its neighbours
_NOISE = 1e-9  # share of the largest 1/e under which a mode is rounding
_TRIES = 30


def spline_modes(
    samples: Tensor,
    mass: Tensor,
    stiffness: Tensor,
    count: int,
    *,
    centre: Tensor,
    scale: float,
    cover: Tensor | None = None,
    splines: int = SPLINES,
) -> SplineField:
    """The `count` functions of least elastic energy, mass-orthonormal and orthogonal to the constant.

    Args:
        samples: [m], (N, 3). mass: shares, summing to 1, (N,). stiffness: `volume (lambda/2 + 2 mu)`, (N,).
        centre: origin [m], (3,). scale: unit [m] of the coordinates in the energy (optim/losses.py).
        cover: more points [m] at which the functions will be asked for, (n, 3): the surface.
        splines: about how many to take.

    Returns:
        In order of energy; fewer than `count` where the samples do not tell more apart.

    Raises:
        TrainingError: no such functions were found.
    """
    everywhere = samples if cover is None else torch.cat([samples, cover])
    grid = _grid(everywhere, min(splines, len(samples) // _SAMPLES_PER_SPLINE))
    V, G = _matrices(grid, samples)
    m, s = mass.numpy(), stiffness.numpy()
    X = ((samples - centre) / scale).numpy()
    # E = sum_i s_i (3 w^2 + 2 w X . grad w + (|X|^2 + 1) |grad w|^2), gradients by X
    radial = sum(sp.diags(X[:, axis] * scale) @ G[axis] for axis in range(3))
    cross = V.T @ sp.diags(s) @ radial
    A = 3 * (V.T @ sp.diags(s) @ V) + cross + cross.T
    reach = sp.diags(s * scale**2 * (np.square(X).sum(1) + 1))
    for gradient in G:
        A = A + gradient.T @ reach @ gradient
    A = A + (_SMOOTHING * A.diagonal().mean()) * _roughness(grid)
    M, moment = V.T @ sp.diags(m) @ V, V.T @ m
    solve = _dense_modes if len(grid.nodes) <= max(_FEW, 3 * count) else _sparse_modes
    return SplineField(grid, torch.from_numpy(solve(A.tocsc(), M.tocsc(), moment, count)))


def _grid(points: Tensor, splines: int) -> SplineGrid:
    """A grid of about as many splines, found by halving the range of spacings; never more."""
    longest = float((points.amax(0) - points.amin(0)).max())
    low, high = 0.0, 1.1 * longest  # too many, few enough
    spacing = longest / max(1.0, splines ** (1 / 3))
    for _ in range(_TRIES):
        count = len(SplineGrid.over(points, spacing).nodes)
        if count > max(splines, 27):
            low = spacing
        else:
            high = spacing
            if count > 0.9 * splines:
                break
        spacing = (low + high) / 2 if low else spacing / 1.5
        if high - low < 1e-3 * high:
            break
    return SplineGrid.over(points, high)


def _matrices(grid: SplineGrid, points: Tensor) -> tuple[sp.csr_matrix, list[sp.csr_matrix]]:
    """Values (n, m) and gradients [1/m] by direction of all splines at points, sparse."""
    rows, values, gradients = grid.at(points)
    ends = np.arange(0, rows.numel() + 1, 27)

    def matrix(entries: Tensor) -> sp.csr_matrix:
        shape = (len(points), len(grid.nodes))
        return sp.csr_matrix((entries.numpy().ravel(), rows.numpy().ravel(), ends), shape=shape)

    return matrix(values), [matrix(gradient) for gradient in gradients]


def _roughness(grid: SplineGrid) -> sp.csc_matrix:
    """Sum of squared second differences of the coefficients along the grid's directions.

    It carries a function smoothly on to splines that hardly overlap the body (a ghost penalty, Burman 2010).
    """
    number = {tuple(node): row for row, node in enumerate(grid.nodes.tolist())}
    triples = []
    for axis in range(3):
        step = [int(axis == a) for a in range(3)]
        for (x, y, z), row in number.items():
            after = number.get((x + step[0], y + step[1], z + step[2]))
            last = number.get((x + 2 * step[0], y + 2 * step[1], z + 2 * step[2]))
            if after is not None and last is not None:
                triples.append((row, after, last))
    ends = np.arange(0, 3 * len(triples) + 1, 3)
    entries = np.tile([1.0, -2.0, 1.0], len(triples))
    D = sp.csr_matrix((entries, np.ravel(triples), ends), shape=(len(triples), len(number)))
    return (D.T @ D).tocsc()


def _dense_modes(A: sp.csc_matrix, M: sp.csc_matrix, moment: np.ndarray, count: int) -> np.ndarray:
    """Solved for 1/e, as A is definite and M, with splines that hold hardly a sample, is not."""
    # All splines together are 1, so this takes the mean away from every function.
    centred = np.eye(len(moment)) - moment[None, :]
    A, M = (centred.T @ matrix.toarray() @ centred for matrix in (A, M))
    A += A.trace() / len(A) ** 2  # the constant has no energy left; now it has some, and still no mass
    inverse_energies, modes = eigh(M, A)
    found = np.flatnonzero(inverse_energies > _NOISE * inverse_energies[-1])[::-1][:count]
    return centred @ (modes[:, found] / np.sqrt(inverse_energies[found]))


def _sparse_modes(A: sp.csc_matrix, M: sp.csc_matrix, moment: np.ndarray, count: int) -> np.ndarray:
    """Lanczos, inverting A bordered by the condition that the mean is 0."""
    scale = A.diagonal().mean() / np.abs(moment).mean()
    column = sp.csc_matrix(moment[:, None] * scale)
    try:
        bordered = splu(sp.bmat([[A, column], [column.T, None]], format="csc"))
        inverse = LinearOperator(
            A.shape, matvec=lambda right: bordered.solve(np.append(right, 0.0))[:-1], dtype=float
        )
        start = np.random.default_rng(0).standard_normal(len(moment))
        start -= moment @ start
        energies, modes = eigsh(A, count, M, sigma=0.0, OPinv=inverse, v0=start, tol=1e-6)
    except (ArpackError, RuntimeError) as error:
        raise TrainingError(f"The body's modes could not be found: {error}") from error
    return modes[:, np.argsort(energies)]
