"""How good can handles be: the least expected energy of any H-1 dimensional space of weight functions.

Every energy here is `sum_i v_i [w, grad w]^T Q_i [w, grad w]` for one scalar weight function `w`, with a
symmetric 4x4 form `Q_i` at each point; `linear_elastic_form` is the training energy of the handles, others
may take its place. Weight functions are orthonormal in mass (total mass 1) and orthogonal to the constant,
which is handle 0.
Minimising the sum over such spaces is an eigenvalue problem (Ky Fan): the bound is the sum of the lowest
eigenvalues over all functions, here over finite elements (`fe_spectrum`) or Gaussians (`rbf_spectrum`), both
conforming, so that the figures come down onto the bound as the space is refined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from oracle.meshes import Mesh
from scipy.sparse.linalg import LinearOperator, eigsh, splu


@dataclass(frozen=True)
class Quadrature:
    """A body as points (n, 3) [m] with volumes (n,) [m3] and densities [kg/m3], (n,) or one for all."""

    points: np.ndarray
    volumes: np.ndarray
    density: float | np.ndarray = 1.0

    @property
    def masses(self) -> np.ndarray:
        """Point masses over the total mass, (n,)."""
        masses = self.volumes * self.density
        return masses / masses.sum()


def gauss_quadrature(mesh: Mesh) -> Quadrature:
    """The mesh's own quadrature points with their volumes; exact for its functions where bricks are whole."""
    weights = mesh.weights.ravel()
    inside = weights > 0
    return Quadrature(mesh.quadrature_points.reshape(-1, 3)[inside], weights[inside])


def frame(quadrature: Quadrature) -> tuple[np.ndarray, float]:
    """Centre (3,) [m], the centroid of the volume, and scale [m], the longest side of the points' box.

    The box of random or Gauss points is a little smaller than the body's: to compare energies, fix one frame.
    """
    centre = quadrature.volumes @ quadrature.points / quadrature.volumes.sum()
    return centre, float(np.ptp(quadrature.points, axis=0).max())


def linear_elastic_form(
    points: np.ndarray, mu, lambda_0, *, centre: np.ndarray, scale: float, sigma: float = 1.0
) -> np.ndarray:
    """The expected linear elastic energy of random handles as a form on `[w, grad w]`, (n, 4, 4).

    `sigma^2 (lambda_0/2 + 2 mu) (3 w^2 + 2 w X . G + (|X|^2 + 1) |G|^2)`, `X = (points - centre)/scale` and
    `G = scale grad w`, the gradient in X; `grad w` itself is per metre. Transforms are N(0, sigma^2) in X.
    """
    X = (points - centre) / scale
    form = np.zeros((len(X), 4, 4))
    form[:, 0, 0] = 3
    form[:, 0, 1:] = form[:, 1:, 0] = scale * X
    form[:, 1:, 1:] = scale**2 * ((X**2).sum(1) + 1)[:, None, None] * np.eye(3)
    return (
        form
        * np.broadcast_to(sigma**2 * (np.asarray(lambda_0) / 2 + 2 * np.asarray(mu)), len(X))[:, None, None]
    )


def dirichlet_form(points: np.ndarray) -> np.ndarray:
    """`|grad w|^2`, (n, 4, 4): its spectrum is the Laplacian's with free ends, known for a box."""
    return np.broadcast_to(np.diag([0.0, 1, 1, 1]), (len(points), 4, 4))


def rayleigh_quotients(
    values: np.ndarray, gradients: np.ndarray, form: np.ndarray, quadrature: Quadrature, *, cut: float = 1e-10
) -> np.ndarray:
    """Energies [form's unit x m3], ascending, of the best basis of the space that weight functions span.

    values: (n, K). gradients: (n, K, 3) [1/m]. The constant is projected out first, mass-orthogonally, so it
    may be among them. Directions with a mass below `cut` of the largest (at unit diagonal) are dropped: the
    result is shorter than K when the functions are dependent. The sum of all, or of the first H-1, is the
    energy of the basis.
    """
    masses, volumes = quadrature.masses, quadrature.volumes
    values = values - masses @ values
    mass = values.T @ (masses[:, None] * values)
    state = np.concatenate((values[:, :, None], gradients), 2)
    stiffness = np.zeros_like(mass)
    for i in range(4):
        force = np.einsum("nj,nkj->nk", form[:, i], state, optimize=True)
        stiffness += state[:, :, i].T @ (volumes[:, None] * force)
    return _reduced_spectrum(stiffness, mass, cut)


def fe_spectrum(
    mesh: Mesh, form, quadrature: Quadrature, count: int, *, support: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` lowest energies over the finite element functions of `mesh`, and the functions at nodes.

    form: a function from points (n, 3) to (n, 4, 4). quadrature: a dense one; several points a brick and
    direction, or the space finds functions that hide between them. Nodes with less than `support` of the
    median mass are held at zero: a smaller space, so the figure stays above the bound.
    Returns energies (count,) and modes (nodes, count), of unit mass and mass-orthogonal to the constant.
    """
    state = [mesh.interpolation(quadrature.points), *mesh.differentiation(quadrature.points)]
    masses, forms = quadrature.masses, form(quadrature.points)
    diagonal = np.asarray(state[0].multiply(state[0]).T @ masses).ravel()
    kept = np.flatnonzero(diagonal > support * np.median(diagonal[diagonal > 0]))
    state = [matrix[:, kept] for matrix in state]
    mass = (state[0].T @ sp.diags(masses) @ state[0]).tocsc()
    stiffness = sp.csc_matrix(mass.shape)
    for i in range(4):
        for j in range(4):
            weights = quadrature.volumes * forms[:, i, j]
            if weights.any():
                stiffness = stiffness + state[i].T @ sp.diags(weights) @ state[j]
    moment = state[0].T @ masses
    energies, modes = _constrained_eigenpairs(stiffness.tocsc(), mass, moment, count)
    full = np.zeros((len(mesh.nodes), count))
    full[kept] = modes
    return energies, full


def rbf_spectrum(
    centres: np.ndarray, width: float, form, quadrature: Quadrature, *, cut: float = 1e-12
) -> np.ndarray:
    """All energies, ascending, over Gaussians `exp(-|X - c|^2 / 2 width^2)` and the linear functions.

    A second space for the bound, smooth where the finite elements are local. centres: (m, 3) [m]; width [m].
    """
    offset = quadrature.points[:, None, :] - centres
    bumps = np.exp(-(offset**2).sum(2) / (2 * width**2))
    values = np.concatenate((quadrature.points, bumps), 1)
    linear = np.broadcast_to(np.eye(3), (len(values), 3, 3))
    gradients = np.concatenate((linear, -bumps[..., None] * offset / width**2), 1)
    return rayleigh_quotients(values, gradients, form(quadrature.points), quadrature, cut=cut)


def _constrained_eigenpairs(stiffness, mass, moment, count):
    """Lowest pairs of `A w = lambda M w`, `moment . w = 0`, by Lanczos, inverting the bordered matrix."""
    scale = stiffness.diagonal().mean() / abs(moment).mean()
    column = sp.csc_matrix(moment[:, None] * scale)
    bordered = splu(sp.bmat([[stiffness, column], [column.T, None]], format="csc"))
    size = len(moment)
    inverse = LinearOperator((size, size), lambda b: bordered.solve(np.append(b, 0.0))[:-1], dtype=float)
    start = np.random.default_rng(0).standard_normal(size)
    start -= moment @ start / moment.sum()
    energies, modes = eigsh(stiffness, count, mass, sigma=0.0, OPinv=inverse, v0=start)
    order = np.argsort(energies)
    return energies[order], modes[:, order]


def _reduced_spectrum(stiffness, mass, cut):
    scale = 1 / np.sqrt(np.maximum(np.diag(mass), np.finfo(float).tiny))
    spread, directions = np.linalg.eigh(mass * np.outer(scale, scale))
    kept = spread > cut * spread[-1]
    whiten = scale[:, None] * directions[:, kept] / np.sqrt(spread[kept])
    return scipy.linalg.eigvalsh(whiten.T @ stiffness @ whiten)
