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

CELLS = 1000
"""Cells of the splines' grid that hold some of the body; more are nearer to the bound, and slower."""

_SAMPLES_PER_SPLINE = 7  # with fewer, splines hide between the samples
_BLOCK = 8192  # samples at once
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
    bending: float = 0.0,
    cover: Tensor | None = None,
    cells: int = CELLS,
) -> SplineField:
    """The `count` functions of least elastic energy, mass-orthonormal and orthogonal to the constant.

    Args:
        samples: [m], (N, 3). mass: shares, summing to 1, (N,). stiffness: `volume (lambda/2 + 2 mu)`, (N,).
        centre: origin [m], (3,). scale: unit [m] of the coordinates in the energy (optim/losses.py).
        cover: more points [m] at which the functions will be asked for, (n, 3): the surface.
        cells: of the grid that hold some of the body, about so many.

    Returns:
        In order of energy; fewer than `count` where the samples do not tell more apart.

    Raises:
        TrainingError: no such functions were found.
    """
    everywhere = samples if cover is None else torch.cat([samples, cover])
    grid = _grid(everywhere, cells, len(samples) // _SAMPLES_PER_SPLINE)
    m, s = mass.numpy(), stiffness.numpy()
    X = ((samples - centre) / scale).numpy()
    A, M, moment = _assemble(grid, samples, X, m, s, scale, bending)
    A = A + (_SMOOTHING * A.diagonal().mean()) * _roughness(grid)
    solve = _dense_modes if len(grid.nodes) <= max(_FEW, 3 * count) else _sparse_modes
    return SplineField(grid, torch.from_numpy(solve(A.tocsc(), M, moment, count)))


def _grid(points: Tensor, cells: int, splines: int) -> SplineGrid:
    """A grid of about as many cells, found by halving the range of spacings; never more, nor more splines."""
    longest = float((points.amax(0) - points.amin(0)).max())
    low, high = 0.0, 1.1 * longest  # too many, few enough
    spacing = longest / max(1.0, cells ** (1 / 3))
    for _ in range(_TRIES):
        grid = SplineGrid.over(points, spacing)
        filled = grid.filled(points)
        if filled > cells or len(grid.nodes) > max(splines, grid.overlap):
            low = spacing
        else:
            high = spacing
            if max(filled / cells, len(grid.nodes) / max(splines, 1)) > 0.9:
                break
        spacing = (low + high) / 2 if low else spacing / 1.5
        if high - low < 1e-3 * high:
            break
    return SplineGrid.over(points, high)


def _assemble(
    grid: SplineGrid,
    samples: Tensor,
    X: np.ndarray,
    mass: np.ndarray,
    stiffness: np.ndarray,
    scale: float,
    bending: float,
) -> tuple[sp.csc_matrix, sp.csc_matrix, np.ndarray]:
    """Energy and mass of the splines, (m, m) each, and the moment `V^T mass`, (m,).

    Summed cell by cell, as only `grid.overlap` splines are not 0 there: dense products of small matrices.
    """
    rows, _ = grid.at(samples, order=0)
    order = torch.argsort(rows[:, 0], stable=True)
    triples, moment = [], np.zeros(len(grid.nodes))
    for block in order.split(_BLOCK):
        rows, parts = grid.at(samples[block], order=2)
        rows, parts = rows.numpy(), parts.numpy()
        parts[1:4] *= scale
        parts[4:] *= scale**2
        b = block.numpy()
        m, s, x = mass[b, None], stiffness[b, None], X[b]
        reach = s * (np.square(x).sum(1, keepdims=True) + 1)
        weights = np.stack([reach] * 3 + [bending**2 * s] * 3 + [2 * bending**2 * s] * 3)
        value, slopes = parts[0], parts[1:]
        radial = np.einsum("dnk,nd->nk", parts[1:4], x)
        doubled = s * (1.5 * value + radial)
        weighted = weights * slopes
        moment += np.bincount(rows.ravel(), (m * value).ravel(), len(moment))
        ends = np.flatnonzero(np.diff(rows[:, 0], append=-1)) + 1
        for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
            v = value[start:end]
            cross = v.T @ doubled[start:end]
            flat = slopes[:, start:end].reshape(-1, grid.overlap)
            energy = cross + cross.T + flat.T @ weighted[:, start:end].reshape(-1, grid.overlap)
            triples.append((rows[start], energy, v.T @ (m[start:end] * v)))
    where, energies, masses = (np.stack(part) for part in zip(*triples, strict=True))
    row, column = np.repeat(where, grid.overlap, axis=1).ravel(), np.tile(where, (1, grid.overlap)).ravel()
    shape = len(moment), len(moment)
    A, M = (sp.csc_matrix((part.ravel(), (row, column)), shape=shape) for part in (energies, masses))
    return A, M, moment


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
        bordered = splu(
            sp.bmat([[A, column], [column.T, None]], format="csc"),
            # It is symmetric: half the fill of an elimination that does not use it.
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.01,
            options={"SymmetricMode": True},
        )
        inverse = LinearOperator(
            A.shape, matvec=lambda right: bordered.solve(np.append(right, 0.0))[:-1], dtype=float
        )
        start = np.random.default_rng(0).standard_normal(len(moment))
        start -= moment @ start
        energies, modes = eigsh(A, count, M, sigma=0.0, OPinv=inverse, v0=start, tol=1e-6)
    except (ArpackError, RuntimeError) as error:
        raise TrainingError(f"The body's modes could not be found: {error}") from error
    return modes[:, np.argsort(energies)]
