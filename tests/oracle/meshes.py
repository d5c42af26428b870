"""Meshes for the oracle FEM: Lagrange hexahedra on rectilinear grids, whole or cut by a body, and tetrahedra.

A mesh knows its nodes, its elements, and at each quadrature point the shape functions, their gradients and a
volume. Elements are axis-aligned bricks (order 1 trilinear, order 2 triquadratic, with 2^3 and 3^3 Gauss
points) or linear tetrahedra. All lengths are in metres.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

Predicate = Callable[[np.ndarray], np.ndarray]
"""A region of space: points (n, 3) -> bool (n,)."""


@dataclass(frozen=True)
class Mesh(ABC):
    """Finite elements with their quadrature.

    nodes: rest positions [m], (n, 3). elements: node indices, (e, a). shape: shape functions at the
    quadrature points, (q, a), the same for all elements. gradients: theirs in the world [1/m], (e, q, a, 3).
    weights: quadrature volumes [m3], (e, q); almost zero outside the body in cut elements.
    """

    nodes: np.ndarray
    elements: np.ndarray
    shape: np.ndarray
    gradients: np.ndarray
    weights: np.ndarray

    @property
    def volume(self) -> float:
        """Volume of the body as the mesh sees it [m3]."""
        return float(self.weights.sum())

    @property
    def quadrature_points(self) -> np.ndarray:
        """Rest positions of the quadrature points [m], (e, q, 3)."""
        return self.shape @ self.nodes[self.elements]

    @abstractmethod
    def locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Element (p,), shape functions (p, a) and gradients (p, a, 3) at any points (p, 3).

        A point outside all elements takes the nearest element's polynomial, extrapolated.
        """

    def interpolation(self, points: np.ndarray) -> sp.csr_matrix:
        """The sparse (p, n) matrix that takes nodal values to values at `points` (p, 3)."""
        element, values, _ = self.locate(np.asarray(points, float))
        return _rows(values, self.elements[element], len(self.nodes))

    def differentiation(self, points: np.ndarray) -> list[sp.csr_matrix]:
        """Three sparse (p, n) matrices that take nodal values to d/dx, d/dy, d/dz at `points` (p, 3)."""
        element, _, gradients = self.locate(np.asarray(points, float))
        return [_rows(gradients[..., axis], self.elements[element], len(self.nodes)) for axis in range(3)]

    @abstractmethod
    def boundary_areas(self) -> np.ndarray:
        """Surface area lumped to the nodes of bricks or tets [m2], (n,): the sum is the area of the mesh."""


@dataclass(frozen=True)
class BrickMesh(Mesh):
    """Axis-aligned bricks: sorted coordinate arrays [m] `axes` and `cells` (e, 3), indices into them."""

    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    cells: np.ndarray
    order: int

    def locate(self, points):
        index = np.empty(points.shape, int)
        for d, x in enumerate(self.axes):
            index[:, d] = np.clip(np.searchsorted(x, points[:, d], "right") - 1, 0, len(x) - 2)
        dims = [len(x) - 1 for x in self.axes]
        element_of = np.full(dims, -1)
        element_of[tuple(self.cells.T)] = np.arange(len(self.cells))
        element = element_of[tuple(index.T)]
        stray = element < 0
        if stray.any():
            low, size = _boxes(self.axes, self.cells)
            element[stray] = cKDTree(low + size / 2).query(points[stray])[1]
        low, size = _boxes(self.axes, self.cells[element])
        values, gradients = _brick_shape(self.order, (points - low) / size)
        return element, values, gradients / size[:, None, :]

    def boundary_areas(self):
        filled = np.zeros([len(x) + 1 for x in self.axes], bool)
        filled[tuple(self.cells.T + 1)] = True
        _, size = _boxes(self.axes, self.cells)
        one_dimensional = {1: np.array([1, 1]) / 2, 2: np.array([1, 4, 1]) / 6}[self.order]
        corner = _product(np.arange(self.order + 1))
        areas = np.zeros(len(self.nodes))
        for axis in range(3):
            others = [a for a in range(3) if a != axis]
            area = size[:, others].prod(1)
            spread = one_dimensional[corner[:, others]].prod(1)
            for step, side in ((-1, 0), (1, self.order)):
                neighbour = self.cells + 1
                neighbour[:, axis] += step
                open_face = ~filled[tuple(neighbour.T)]
                on_face = corner[:, axis] == side
                np.add.at(
                    areas, self.elements[open_face][:, on_face], area[open_face, None] * spread[on_face]
                )
        return areas


@dataclass(frozen=True)
class TetMesh(Mesh):
    """Linear tetrahedra with one quadrature point each."""

    def locate(self, points):
        corners = self.nodes[self.elements]
        _, near = cKDTree(corners.mean(1)).query(points, k=min(24, len(self.elements)))
        near = near.reshape(len(points), -1)
        # Barycentric coordinates are affine: value at the centroid plus gradient times the way from it.
        offset = points[:, None, :] - corners.mean(1)[near]
        barycentric = 0.25 + np.einsum("pkac,pkc->pka", self.gradients[near, 0], offset)
        best = barycentric.min(-1).argmax(1)
        rows = np.arange(len(points))
        element = near[rows, best]
        return element, barycentric[rows, best], self.gradients[element, 0]

    def boundary_areas(self):
        faces = self.elements[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
        _, first, count = np.unique(np.sort(faces, 1), axis=0, return_index=True, return_counts=True)
        outer = faces[first[count == 1]]
        a, b, c = (self.nodes[outer[:, i]] for i in range(3))
        areas = np.zeros(len(self.nodes))
        np.add.at(areas, outer, (np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6)[:, None])
        return areas


def bricks(
    axes: Sequence[np.ndarray],
    *,
    order: int = 1,
    inside: Predicate | None = None,
    cut: bool = True,
    minimum_fill: float = 0.05,
    ghost: float = 1e-3,
) -> BrickMesh:
    """Brick elements on the grid with coordinate arrays `axes` [m], all of it or the part `inside` a body.

    With `cut`, a brick that the surface crosses keeps only the volume inside: each Gauss weight is scaled by
    the filled fraction of the sub-brick it stands for, but at least by `ghost` so that no node hangs loose
    (finite cell method, Parvizian, Duester, Rank 2007); bricks filled by less than `minimum_fill` go.
    Without, a brick is kept whole when its centre is inside (voxels).
    """
    axes = tuple(np.asarray(x, float) for x in axes)
    dims = [len(x) - 1 for x in axes]
    cells = np.stack(np.meshgrid(*(np.arange(d) for d in dims), indexing="ij"), -1).reshape(-1, 3)
    low, size = _boxes(axes, cells)
    points, weights, edges = _gauss(order)
    local = _product(points)
    fill = np.ones((len(cells), len(local)))
    if inside is not None and not cut:
        fill[:] = inside(low + size / 2)[:, None]
    elif inside is not None:
        # Gauss weights partition the unit interval: sub-brick i is [edges_i, edges_i+1], sampled 4^3 times.
        fraction = (np.arange(4) + 0.5) / 4
        ticks = edges[:-1, None] + np.diff(edges)[:, None] * fraction
        for q, (i, j, k) in enumerate(_product(np.arange(order + 1))):
            samples = np.stack(np.meshgrid(ticks[i], ticks[j], ticks[k], indexing="ij"), -1).reshape(-1, 3)
            world = low[:, None, :] + size[:, None, :] * samples
            fill[:, q] = inside(world.reshape(-1, 3)).reshape(len(cells), -1).mean(1)
    local_weights = _product(weights).prod(1)
    keep = fill @ local_weights >= minimum_fill
    cells, low, size, fill = cells[keep], low[keep], size[keep], np.maximum(fill[keep], ghost)
    shape, gradients = _brick_shape(order, local)
    elements, nodes = _brick_nodes(axes, cells, order)
    return BrickMesh(
        nodes=nodes,
        elements=elements,
        shape=shape,
        gradients=gradients[None] / size[:, None, None, :],
        weights=fill * local_weights * size.prod(1)[:, None],
        axes=axes,
        cells=cells,
        order=order,
    )


def hex_beam(
    n: tuple[int, int, int] = (24, 6, 6), *, clamp_at: float = 0.98, order: int = 1, grading: float = 1.0
) -> BrickMesh:
    """The yardstick beam [0, 1] x [0, 0.25]^2 m, centred in y and z at zero, `n` bricks along each axis.

    `n[0]` bricks span [0, clamp_at] and one more the clamped rest, so that a plane of nodes lies at the clamp:
    a reduced model that holds its samples with x >= clamp_at is held on the same solid. `grading` above
    1 makes bricks smaller towards the clamp and the edges, where stress is singular.
    """
    x = np.append(clamp_at * (1 - np.linspace(1, 0, n[0] + 1) ** grading), 1.0)
    t = [np.linspace(-1, 1, m + 1) for m in n[1:]]
    y, z = (0.125 * np.sign(s) * (1 - (1 - np.abs(s)) ** grading) for s in t)
    return bricks((x, y, z), order=order)


def hex_box(low, high, n, *, order: int = 1) -> BrickMesh:
    """Equal bricks, `n` (3,) of them, between the corners `low` and `high` [m]."""
    return bricks([np.linspace(a, b, m + 1) for a, b, m in zip(low, high, n, strict=True)], order=order)


def voxel_hexes(inside: Predicate, bounds, n: int, *, order: int = 1, cut: bool = True) -> BrickMesh:
    """Cubic bricks for any body: `bounds` (2, 3) [m] holds it, `n` bricks span the longest side."""
    return bricks(_cubic_axes(bounds, n), order=order, inside=inside, cut=cut)


def voxel_tets(inside: Predicate, bounds, n: int) -> TetMesh:
    """Linear tetrahedra: voxels whose centre is inside, six tets around one diagonal each (Kuhn's split)."""
    voxels = bricks(_cubic_axes(bounds, n), inside=inside, cut=False)
    corners = {corner: a for a, corner in enumerate(map(tuple, _product(np.arange(2))))}
    tets = []
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)):
        walk = [np.zeros(3, int)]
        for axis in (first, second, third):
            walk.append(walk[-1] + np.eye(3, dtype=int)[axis])
        tet = [corners[tuple(map(int, corner))] for corner in walk]
        even = (first, second, third) in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        tets.append(tet if even else [tet[0], tet[2], tet[1], tet[3]])
    elements = voxels.elements[:, tets].reshape(-1, 4)
    edges = voxels.nodes[elements[:, 1:]] - voxels.nodes[elements[:, :1]]
    inverse = np.linalg.inv(edges)
    gradients = np.concatenate((-inverse.sum(2, keepdims=True), inverse), 2).transpose(0, 2, 1)
    return TetMesh(
        nodes=voxels.nodes,
        elements=elements,
        shape=np.full((1, 4), 0.25),
        gradients=gradients[:, None],
        weights=np.abs(np.linalg.det(edges))[:, None] / 6,
    )


def inside_grid(inside: Predicate, bounds, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoint quadrature of a body: cell centres inside (p, 3) [m] and their equal volumes (p,) [m3]."""
    axes = _cubic_axes(bounds, n)
    centres = [(x[1:] + x[:-1]) / 2 for x in axes]
    points = np.stack(np.meshgrid(*centres, indexing="ij"), -1).reshape(-1, 3)
    points = points[inside(points)]
    return points, np.full(len(points), (axes[0][1] - axes[0][0]) ** 3)


def _cubic_axes(bounds, n):
    low, high = np.asarray(bounds, float)
    step = (high - low).max() / n
    return [
        a + step * np.arange(int(np.ceil((b - a) / step - 1e-9)) + 1) for a, b in zip(low, high, strict=True)
    ]


def _boxes(axes, cells):
    """Low corners and sides [m] of grid cells with indices (e, 3), each (e, 3)."""
    low = np.stack([x[cells[:, d]] for d, x in enumerate(axes)], 1)
    return low, np.stack([x[cells[:, d] + 1] for d, x in enumerate(axes)], 1) - low


def _product(values):
    """All triples of entries of a 1D array, (m^3, 3), last axis fastest: as nodes and Gauss points are."""
    return np.stack(np.meshgrid(values, values, values, indexing="ij"), -1).reshape(-1, 3)


def _gauss(order):
    points, weights = np.polynomial.legendre.leggauss(order + 1)
    weights = weights / 2
    return (points + 1) / 2, weights, np.concatenate(([0.0], np.cumsum(weights)))


def _lagrange(order, t):
    """Lagrange polynomials on equispaced nodes of [0, 1] and derivatives at t (n,), each (n, order + 1)."""
    if order == 1:
        return np.stack((1 - t, t), -1), np.stack((-np.ones_like(t), np.ones_like(t)), -1)
    if order == 2:
        values = np.stack(((2 * t - 1) * (t - 1), 4 * t * (1 - t), t * (2 * t - 1)), -1)
        return values, np.stack((4 * t - 3, 4 - 8 * t, 4 * t - 1), -1)
    raise ValueError(f"bricks have order 1 or 2, not {order}")


def _brick_shape(order, local):
    """Shape functions (p, a) and gradients (p, a, 3) in the unit brick at local points (p, 3)."""
    one = [_lagrange(order, local[:, axis]) for axis in range(3)]
    picks = [[one[axis][int(axis == d)] for axis in range(3)] for d in range(3)]
    outer = [np.einsum("pi,pj,pk->pijk", *triple).reshape(len(local), -1) for triple in picks]
    values = np.einsum("pi,pj,pk->pijk", *(o[0] for o in one)).reshape(len(local), -1)
    return values, np.stack(outer, -1)


def _brick_nodes(axes, cells, order):
    """Elements (e, a) over the used nodes only, and those nodes (n, 3), numbered x-slowest."""
    lattice = [np.interp(np.arange(order * (len(x) - 1) + 1) / order, np.arange(len(x)), x) for x in axes]
    counts = [len(x) for x in lattice]
    corner = cells[:, None, :] * order + _product(np.arange(order + 1))[None]
    flat = np.ravel_multi_index(tuple(corner.transpose(2, 0, 1)), counts)
    used, elements = np.unique(flat, return_inverse=True)
    index = np.unravel_index(used, counts)
    return elements.reshape(flat.shape), np.stack([x[index[d]] for d, x in enumerate(lattice)], 1)


def _rows(values, columns, width):
    pointer = np.arange(0, values.size + 1, values.shape[1])
    return sp.csr_matrix((values.ravel(), columns.ravel(), pointer), shape=(len(values), width))
