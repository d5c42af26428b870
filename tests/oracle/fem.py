"""Full-space finite elements with implicit Euler: the judge of the reduced simulator, independent of it.

Each step minimises `|x - x~|_M^2 / 2 dt^2 + sum w Psi(F) - f . x + floor`, `x~ = x_n + dt v_n`, by Newton
with the exact Hessian first, eigenvalue projection where that is indefinite, and an Armijo line search.
Consistent mass, hard clamps, banded Cholesky after a reverse Cuthill-McKee renumbering. Static when `dt` is
infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from oracle.laws import Material, StableNeoHookean, project_positive
from oracle.meshes import Mesh, Predicate
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded
from scipy.sparse.csgraph import reverse_cuthill_mckee


@dataclass(frozen=True)
class Clamp:
    """Nodes whose rest position is in `where` stay there, or follow `motion(t)`, a displacement [m] (3,)."""

    where: Predicate
    motion: Callable[[float], np.ndarray] | None = None


@dataclass(frozen=True)
class Load:
    """A total dead `force` [N] (3,), spread evenly over the rest volume in `where`, until time `until`."""

    where: Predicate
    force: tuple[float, float, float]
    until: float = np.inf


@dataclass(frozen=True)
class Floor:
    """Frictionless half-quadratic floor: energy `stiffness/2 (height - y)^2` per area below `height` [m].

    stiffness: pressure per penetration [Pa/m], over the surface nodes with their lumped rest area, or over
    `points` of the body at rest, (m, 3) [m], that stand for `areas` (m,) [m2].
    """

    height: float
    stiffness: float
    points: np.ndarray | None = None
    areas: np.ndarray | None = None

    def springs(self, mesh: Mesh) -> tuple[sp.csr_matrix, np.ndarray]:
        """Where the floor pushes, as interpolation from the nodes (m, n), and each one's stiffness [N/m], (m,)."""
        if self.points is None:
            return sp.identity(len(mesh.nodes), format="csr"), self.stiffness * mesh.boundary_areas()
        return mesh.interpolation(self.points).tocsr(), self.stiffness * self.areas


@dataclass(frozen=True)
class Trajectory:
    """Node positions [m], (steps + 1, n, 3), of a simulation on `mesh`, and Newton iterations, (steps,)."""

    mesh: Mesh
    positions: np.ndarray
    iterations: np.ndarray

    def evaluate(self, points: np.ndarray, step: int = -1) -> np.ndarray:
        """Positions [m] after `step` steps of the material points that rest at `points` (p, 3)."""
        displacement = self.positions[step] - self.mesh.nodes
        return points + self.mesh.interpolation(points) @ displacement


class Elasticity:
    """Elastic energy, its gradient and element Hessians on a mesh, functions of node positions x (n, 3)."""

    def __init__(self, mesh: Mesh, material: Material, law=StableNeoHookean):
        self.mesh, self.law = mesh, law
        mu, lambda_0 = material.lame
        self.lame = _per_element(mu), _per_element(lambda_0)
        density = np.broadcast_to(_per_element(material.density), mesh.weights.shape)
        self.mass = scalar_mass(mesh, density)
        e, q, a, _ = mesh.gradients.shape
        strain = np.zeros((e, q, 3, 3, a, 3))  # dF_ij / dx_bk = delta_ik grad_j N_b
        for i in range(3):
            strain[:, :, i, :, :, i] = mesh.gradients.transpose(0, 1, 3, 2)
        self.strain = strain.reshape(e, q * 9, a * 3)

    def deformation_gradients(self, x):
        """F at the quadrature points, (e, q, 3, 3)."""
        return np.einsum("eai,eqaj->eqij", x[self.mesh.elements], self.mesh.gradients, optimize=True)

    def energy(self, x) -> float:
        """Elastic energy [J]."""
        return float((self.mesh.weights * self.law.energy(self.deformation_gradients(x), *self.lame)).sum())

    def gradient(self, x):
        """Minus the elastic nodal forces [N], (n, 3)."""
        stress = (
            self.law.stress(self.deformation_gradients(x), *self.lame) * self.mesh.weights[..., None, None]
        )
        nodal = np.einsum("eqij,eqaj->eai", stress, self.mesh.gradients, optimize=True)
        result = np.empty_like(x)
        for axis in range(3):
            result[:, axis] = np.bincount(self.mesh.elements.ravel(), nodal[..., axis].ravel(), len(x))
        return result

    def element_hessians(self, x, *, positive: bool = False):
        """Element stiffness matrices [N/m], (e, 3a, 3a), dof 3a + i; projected where `positive`."""
        derivative = self.law.stress_derivative(self.deformation_gradients(x), *self.lame)
        if positive:
            derivative = project_positive(derivative)
        derivative = derivative * self.mesh.weights[..., None, None]
        e, q = self.mesh.weights.shape
        blocks = self.strain.reshape(e, q, 9, -1)
        return np.swapaxes(self.strain, 1, 2) @ (derivative @ blocks).reshape(e, q * 9, -1)


class BandedSystem:
    """Symmetric positive definite systems over the free nodes, assembled from elements into a band."""

    def __init__(self, mesh: Mesh, free: np.ndarray):
        count = len(mesh.nodes)
        incidence = sp.csr_matrix(
            (np.ones(mesh.elements.size), (np.repeat(np.arange(len(mesh.elements)), mesh.elements.shape[1]),
             mesh.elements.ravel())), shape=(len(mesh.elements), count),
        )  # fmt: skip
        graph = (incidence.T @ incidence).tocsr()[free][:, free]
        orders = (np.arange(len(free)), reverse_cuthill_mckee(graph, symmetric_mode=True))
        self.nodes = free[min(orders, key=lambda order: _bandwidth(graph, order))]
        place = np.full(count, -1)
        place[self.nodes] = np.arange(len(free))
        self.size = 3 * len(free)
        dofs = (3 * place[mesh.elements][..., None] + np.arange(3)).reshape(len(mesh.elements), -1)
        row, column = dofs[:, :, None], dofs[:, None, :]
        lower = (column >= 0) & (row >= column)
        self.lower = np.flatnonzero(lower)
        row = np.broadcast_to(row, lower.shape).ravel()[self.lower]
        column = np.broadcast_to(column, lower.shape).ravel()[self.lower]
        self.band = int((row - column).max()) + 1
        self.slot = column * self.band + (row - column)

    def assemble(self, element_matrices):
        """Lower band storage (band, size) of the sum of element matrices (e, 3a, 3a)."""
        values = element_matrices.reshape(-1)[self.lower]
        return np.bincount(self.slot, values, self.size * self.band).reshape(self.size, self.band).T

    def add(self, matrix, coupling: sp.spmatrix, axis: int):
        """Add a symmetric coupling (n, n) between the nodes' dofs of one axis, within elements, to a matrix."""
        among = coupling.tocsr()[self.nodes][:, self.nodes].tocoo()
        lower = among.row >= among.col
        row, column = among.row[lower], among.col[lower]
        np.add.at(matrix, (3 * (row - column), 3 * column + axis), among.data[lower])

    def solve(self, matrix, right):
        """Solution (n, 3), zero on the clamped nodes; raises `LinAlgError` when not positive definite."""
        factor = cholesky_banded(matrix, lower=True, check_finite=False)
        result = np.zeros_like(right)
        solution = cho_solve_banded((factor, True), right[self.nodes].ravel(), check_finite=False)
        result[self.nodes] = solution.reshape(-1, 3)
        return result


def scalar_mass(mesh: Mesh, density: np.ndarray) -> sp.csr_matrix:
    """Consistent mass [kg], (n, n), the same for each axis, from densities [kg/m3] (e, q)."""
    blocks = np.einsum("eq,qa,qb->eab", mesh.weights * density, mesh.shape, mesh.shape, optimize=True)
    rows = np.repeat(mesh.elements, mesh.elements.shape[1], axis=1)
    columns = np.tile(mesh.elements, (1, mesh.elements.shape[1]))
    count = len(mesh.nodes)
    return sp.csr_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count))


def simulate(
    mesh: Mesh,
    material: Material,
    *,
    dt: float,
    steps: int,
    law=StableNeoHookean,
    gravity: Sequence[float] = (0.0, -10.0, 0.0),
    clamps: Sequence[Clamp] = (),
    loads: Sequence[Load] = (),
    floor: Floor | None = None,
    start: np.ndarray | None = None,
    velocity: np.ndarray | Sequence[float] = (0.0, 0.0, 0.0),
    tolerance: float = 1e-6,
    max_iterations: int = 100,
) -> Trajectory:
    """Implicit Euler from rest positions or `start` (n, 3) [m] with `velocity` (3,) or (n, 3) [m/s].

    A step ends when a Newton step moves no node by more than `tolerance` times the body's size; as Newton
    converges quadratically, the error left is far below that. Raises `ArithmeticError` where it does not end.
    """
    elasticity = Elasticity(mesh, material, law)
    mass = elasticity.mass
    size = np.ptp(mesh.nodes, axis=0).max()
    weight = np.asarray(mass.sum(1)) * np.asarray(gravity, float)
    held = [(np.flatnonzero(clamp.where(mesh.nodes)), clamp.motion) for clamp in clamps]
    free = np.setdiff1d(
        np.arange(len(mesh.nodes)), np.concatenate([np.array([], int), *(h for h, _ in held)])
    )
    system = BandedSystem(mesh, free)
    shares = [(load, _share(mesh, load.where)) for load in loads]
    touch, floor_stiffness = (floor or Floor(-np.inf, 0.0)).springs(mesh)
    floor_height = floor.height if floor else -np.inf
    inertia = 1 / dt**2
    lumped_to_elements = _element_mass(mesh, material) * inertia

    x = mesh.nodes.copy() if start is None else np.array(start, float)
    v = np.broadcast_to(np.asarray(velocity, float), x.shape).copy()
    positions, iterations = [x], []
    for step in range(1, steps + 1):
        time = step * dt
        external = weight + sum(
            (np.outer(share, load.force) for load, share in shares if time <= load.until), np.zeros_like(x)
        )
        target = x + dt * v if inertia else x
        y, count = x.copy(), 0
        for nodes, motion in held:
            if motion is not None:
                y[nodes] = mesh.nodes[nodes] + motion(time)

        def energy(y, x=x, external=external, target=target):
            away, depth = y - target, np.maximum(floor_height - touch @ y[:, 1], 0)
            kinetic = inertia / 2 * float((away * (mass @ away)).sum())
            return (
                kinetic
                + elasticity.energy(y)
                - float((external * (y - x)).sum())
                + floor_stiffness @ depth**2 / 2
            )

        for _ in range(max_iterations):
            depth = np.maximum(floor_height - touch @ y[:, 1], 0)
            gradient = inertia * (mass @ (y - target)) + elasticity.gradient(y) - external
            gradient[:, 1] -= touch.T @ (floor_stiffness * depth)
            contact = touch.T @ sp.diags(floor_stiffness * (depth > 0)) @ touch
            direction = _newton_direction(system, elasticity, lumped_to_elements, y, gradient, contact)
            count += 1
            y, length = _line_search(energy, y, direction, float((gradient * direction).sum()))
            if length * np.abs(direction).max() <= tolerance * size:
                break
        else:
            raise ArithmeticError(f"Newton did not converge in {max_iterations} iterations at step {step}")
        v = (y - x) / dt
        x = y
        positions.append(x)
        iterations.append(count)
    return Trajectory(mesh, np.stack(positions), np.array(iterations))


def _newton_direction(system, elasticity, inertia, y, gradient, contact):
    for positive in (False, True):
        matrix = system.assemble(elasticity.element_hessians(y, positive=positive) + inertia)
        system.add(matrix, contact, axis=1)
        try:
            return system.solve(matrix, -gradient)
        except LinAlgError:
            if positive:
                raise
    raise AssertionError("unreachable")


def _line_search(energy, y, direction, slope):
    """Armijo backtracking; the slack lets the last, round-off sized steps pass."""
    before = energy(y)
    length = 1.0
    while length > 1e-8:
        after = energy(y + length * direction)
        if after <= before + 1e-4 * length * slope + 1e-12 * abs(before):
            return y + length * direction, length
        length /= 2
    return y, 0.0


def _element_mass(mesh, material):
    """Element mass matrices [kg] over the dofs 3a + i, (e, 3a, 3a)."""
    density = _per_element(material.density)
    scalar = np.einsum("eq,qa,qb->eab", mesh.weights * density, mesh.shape, mesh.shape, optimize=True)
    e, a, _ = scalar.shape
    return np.einsum("eab,ij->eaibj", scalar, np.eye(3)).reshape(e, 3 * a, 3 * a)


def _share(mesh, where):
    """Nodal shares (n,), summing to 1, of a load spread evenly over the rest volume in a region."""
    inside = where(mesh.quadrature_points.reshape(-1, 3)).reshape(mesh.weights.shape) * mesh.weights
    if inside.sum() == 0:
        raise ValueError("no quadrature point lies in the loaded region")
    nodal = inside @ mesh.shape
    return np.bincount(mesh.elements.ravel(), nodal.ravel(), len(mesh.nodes)) / inside.sum()


def _per_element(value):
    """A float, or one value per element as a column that broadcasts over quadrature points."""
    return value if np.ndim(value) == 0 else np.asarray(value, float)[:, None]


def _bandwidth(graph, order):
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    pairs = graph.tocoo()
    return int(np.abs(place[pairs.row] - place[pairs.col]).max())
