"""How good can handles be: the least expected energy of any H-1 dimensional space of weight functions.

Every energy here is `sum_i v_i [w, grad w]^T Q_i [w, grad w]` for one scalar weight function `w`, with a
symmetric 4x4 form `Q_i` at each point; `linear_elastic_form` is the training energy of the handles, others
may take its place. Weight functions are orthonormal in mass (total mass 1) and orthogonal to the constant,
which is handle 0.
Minimising the sum over such spaces is an eigenvalue problem (Ky Fan): the bound is the sum of the lowest
eigenvalues over all functions, here over finite elements (`fe_spectrum`) or Gaussians (`rbf_spectrum`), both
conforming, so that the figures come down onto the bound as the space is refined. Where strain gradients add
`sum_i v_i b_i |grad grad w|^2`, functions need continuous slopes, which quartic splines have (`spline_spectrum`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from oracle.meshes import Mesh
from scipy.interpolate import BSpline
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
    values: np.ndarray,
    gradients: np.ndarray,
    form: np.ndarray,
    quadrature: Quadrature,
    *,
    hessians: np.ndarray | None = None,
    bend: np.ndarray | None = None,
    cut: float = 1e-10,
) -> np.ndarray:
    """Energies [form's unit x m3], ascending, of the best basis of the space that weight functions span.

    values: (n, K). gradients: (n, K, 3) [1/m]. hessians: (n, K, 3, 3) [1/m2], weighed by bend, (n,). The constant is
    projected out first, mass-orthogonally, so it may be among them. Directions with a mass below `cut` of the largest
    (at unit diagonal) are dropped: the result is shorter than K when the functions are dependent. The sum of all, or
    of the first H-1, is the energy of the basis.
    """
    masses, volumes = quadrature.masses, quadrature.volumes
    values = values - masses @ values
    mass = values.T @ (masses[:, None] * values)
    state = np.concatenate((values[:, :, None], gradients), 2)
    stiffness = np.zeros_like(mass)
    for i in range(4):
        force = np.einsum("nj,nkj->nk", form[:, i], state, optimize=True)
        stiffness += state[:, :, i].T @ (volumes[:, None] * force)
    if hessians is not None:
        flat = (hessians * np.sqrt(volumes * bend)[:, None, None, None]).swapaxes(0, 1).reshape(len(mass), -1)
        stiffness += flat @ flat.T
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


def spline_spectrum(
    cells: np.ndarray,
    side: np.ndarray,
    form: np.ndarray,
    bend: np.ndarray,
    quadrature: Quadrature,
    count: int,
    *,
    degree: int = 4,
) -> np.ndarray:
    """The `count` lowest energies over B-splines on a grid of bricks, with strain gradients.

    cells: places of the bricks in the grid, (c, 3) whole numbers. side: of a brick [m], (3,). quadrature: five Gauss
    points a direction in each brick, brick by brick, z fastest, those outside the body with little volume. form:
    (125 c, 4, 4). bend: what the squared Hessian is weighed with, (125 c,).
    """
    bump = BSpline.basis_element(np.arange(degree + 2))
    t = (np.polynomial.legendre.leggauss(5)[0] + 1) / 2
    places = t[:, None] + degree - np.arange(degree + 1)
    along = [[bump.derivative(d)(places) / s**d if d else bump(places) for d in range(3)] for s in side]
    axes = ("", "x", "y", "z", "xx", "yy", "zz", "xy", "xz", "yz")
    state = [
        np.einsum("ai,bj,ck->abcijk", *(along[d][word.count("xyz"[d])] for d in range(3))).reshape(
            len(t) ** 3, -1
        )
        for word in axes
    ]
    reach = np.stack(np.meshgrid(*[np.arange(degree + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    nodes, numbers = np.unique((cells[:, None] + reach).reshape(-1, 3), axis=0, return_inverse=True)
    numbers = numbers.reshape(len(cells), -1)
    mass = np.zeros((len(nodes), len(nodes)))
    stiffness, moment, masses = np.zeros_like(mass), np.zeros(len(nodes)), quadrature.masses
    for number, where in enumerate(numbers):
        points = np.arange(number * len(t) ** 3, (number + 1) * len(t) ** 3)
        m, v = masses[points], quadrature.volumes[points]
        block = np.ix_(where, where)
        mass[block] += state[0].T @ (m[:, None] * state[0])
        moment[where] += state[0].T @ m
        for i in range(4):
            force = sum((v * form[points, i, j])[:, None] * state[j] for j in range(4))
            stiffness[block] += state[i].T @ force
        for word, part in zip(axes[4:], state[4:], strict=True):
            twice = 1 if word[0] == word[1] else 2
            stiffness[block] += part.T @ ((twice * v * bend[points])[:, None] * part)
    # All splines together are 1: this takes the mean away from each, and gives the constant, which then has neither
    # mass nor energy, some energy. Splines with hardly a point have hardly a mass, so it is solved for 1 / energy.
    stiffness, mass = (_centred(matrix, moment) for matrix in (stiffness, mass))
    stiffness += np.diag(stiffness).mean() / len(nodes) + 1e-12 * np.diag(np.diag(stiffness))
    scale = 1 / np.sqrt(np.diag(stiffness))
    stiffness, mass = (scale[:, None] * matrix * scale for matrix in (stiffness, mass))
    highest = [len(nodes) - count, len(nodes) - 1]
    return 1 / scipy.linalg.eigh(mass, stiffness, eigvals_only=True, subset_by_index=highest)[::-1]


def _centred(matrix: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """The same form of functions less their mean, where the constant has coefficients 1: `C^T A C, C = I - 1 m^T`."""
    cross = np.outer(moment, matrix.sum(0))
    return matrix - cross - cross.T + matrix.sum() * np.outer(moment, moment)


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
