"""B-splines on a grid of cubes: smooth weight functions that know near from far within a body.

A cubic spline is one smooth bump over four cells a direction, 64 of them overlap at any point, and together they are
1 (de Boor 1978; as finite elements "extended B-splines", Hoellig 2003). Their second derivatives are continuous,
a quadratic one's first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from sim.errors import BasisError
from sim.fields import register_field, require
from sim.jets import SECOND_DERIVATIVES

Tensor = torch.Tensor

_WIDEST = 1 << 20  # cells a direction: three of them still make one 64-bit number

# The pieces of a cell's splines in one direction: column k is the polynomial 1, t, t^2, ... of the k-th from below.
_PIECES = {
    2: torch.tensor([[1, 1, 0], [-2, 2, 0], [1, -2, 1]], dtype=torch.float64) / 2,
    3: torch.tensor([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]], dtype=torch.float64) / 6,
}

# How often a spline is differentiated by x, y and z.
_ORDERS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
_ORDERS += [tuple((axis == a) + (axis == b) for axis in range(3)) for a, b in SECOND_DERIVATIVES]


@dataclass(frozen=True)
class SplineGrid:
    """Which splines there are: those over cells of a grid of cubes.

    Attributes:
        low: the grid's lower corner [m], shape (3,). spacing: side of a cell [m].
        nodes: the splines, as whole numbers in each direction, ascending by direction, (m, 3). Spline i is not 0
            over cells i - degree to i.
        degree: of the splines, 2 or 3.
    """

    low: Tensor
    spacing: float
    nodes: Tensor
    degree: int = 3

    @staticmethod
    def over(points: Tensor, spacing: float, degree: int = 3) -> SplineGrid:
        """All splines that are not 0 at some of the points [m], (n, 3), with cells of side `spacing` [m].

        Raises:
            BasisError: so many cells that they cannot be numbered.
        """
        low = points.amin(0) - 1e-3 * spacing
        if not bool(((points.amax(0) - low) / spacing < _WIDEST).all()):
            raise BasisError(f"cells of {spacing:.3g} m are too small for this body")
        cells = SplineGrid._filled(points, low, spacing)
        ids = torch.unique(cells[:, None] + SplineGrid._number(_reach(degree, points.device)))
        width = 2 * _WIDEST
        nodes = torch.stack([ids // width**2, ids // width % width, ids % width], dim=1)
        return SplineGrid(low, spacing, nodes, degree)

    def filled(self, points: Tensor) -> int:
        """How many cells hold some of the points [m], (n, 3)."""
        return len(self._filled(points, self.low, self.spacing))

    @staticmethod
    def _filled(points: Tensor, low: Tensor, spacing: float) -> Tensor:
        # As single numbers: torch sorts rows a hundred times more slowly.
        return torch.unique(SplineGrid._number(((points - low) / spacing).floor().long()))

    @cached_property
    def _ids(self) -> Tensor:
        return self._number(self.nodes)

    @cached_property
    def _cells(self) -> Tensor:
        """Cells in each direction, at least one, (3,)."""
        return (self.nodes.amax(0) - self.degree + 1).clamp_min(1)

    @property
    def overlap(self) -> int:
        """How many splines overlap in a cell."""
        return (self.degree + 1) ** 3

    @staticmethod
    def _number(place: Tensor) -> Tensor:
        return (place[..., 0] * 2 * _WIDEST + place[..., 1]) * 2 * _WIDEST + place[..., 2]

    def at(self, points: Tensor, order: int = 1) -> tuple[Tensor, Tensor]:
        """Which splines overlap at points [m], (n, 3), and what they are there.

        Outside the grid everything goes on as on its border.

        Args:
            order: of the derivatives wanted, 0, 1 or 2.

        Returns:
            Numbers of the splines, `len(nodes)` for one that is not there, (n, overlap). Their values; from order 1
            on the derivatives by x, y, z [1/m]; for order 2 those by xx, yy, zz, xy, xz, yz [1/m2], (1, 4 or 10, n,
            overlap).
        """
        cells = self._cells.to(points)
        inside = torch.minimum(((points - self.low) / self.spacing).clamp_min(0), cells)
        cell = torch.minimum(inside.floor().long(), self._cells - 1)
        powers = (inside - cell)[..., None] ** torch.arange(self.degree + 1, device=points.device)
        bump, pieces = [], _PIECES[self.degree].to(points)
        for _ in range(3):
            bump.append(powers[..., : len(pieces)] @ pieces)
            degrees = torch.arange(1, len(pieces), dtype=points.dtype, device=points.device)
            pieces = degrees[:, None] * pieces[1:] / self.spacing
        outside = (points < self.low) | (points > self.low + self.spacing * cells)
        for derivative in (1, 2):
            bump[derivative] = torch.where(outside[..., None], 0.0, bump[derivative])
        shares = [
            _product(*(bump[times][:, axis] for axis, times in enumerate(orders)))
            for orders in _ORDERS[: (1, 4, 10)[order]]
        ]
        # Looked up once for each cell, as points are many.
        cells, number = torch.unique(self._number(cell), return_inverse=True)
        wanted = cells[:, None] + self._number(_reach(self.degree, points.device))
        found = torch.searchsorted(self._ids, wanted).clamp_max(len(self._ids) - 1)
        rows = torch.where(self._ids[found] == wanted, found, len(self._ids))
        return rows[number], torch.stack(shares)

    def to(self, device: torch.device, dtype: torch.dtype) -> SplineGrid:
        return SplineGrid(self.low.to(device, dtype), self.spacing, self.nodes.to(device), self.degree)


@dataclass(frozen=True)
class SplineField:
    """K functions made of splines.

    Attributes:
        grid: the splines. coefficients: of each function, (m, K).
    """

    grid: SplineGrid
    coefficients: Tensor
    kind = "spline"

    @property
    def outputs(self) -> int:
        return self.coefficients.shape[1]

    @cached_property
    def _table(self) -> Tensor:
        """Coefficients, and a last row of zeros for splines that are not there."""
        return torch.cat([self.coefficients, torch.zeros_like(self.coefficients[:1])])

    def value(self, points: Tensor) -> Tensor:
        rows, (values,) = self.grid.at(points, order=0)
        return self._sum(rows, values)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        jet = self.jet(points)
        return jet[0], jet[1:].permute(1, 2, 0)

    def jet(self, points: Tensor, *, order: int = 1) -> Tensor:
        """Values and derivatives by x, y, z as one tensor (4 or 10, n, K), sim/jets.py.

        Args:
            points: [m], (n, 3). order: of the last derivatives, 1 or 2.
        """
        rows, parts = self.grid.at(points, order)
        return torch.stack([self._sum(rows, part) for part in parts])

    def _sum(self, rows: Tensor, shares: Tensor) -> Tensor:
        return torch.nn.functional.embedding_bag(rows, self._table, per_sample_weights=shares, mode="sum")

    def to(self, device: torch.device, dtype: torch.dtype) -> SplineField:
        return SplineField(self.grid.to(device, dtype), self.coefficients.to(device, dtype))

    def tensors(self) -> dict[str, Tensor]:
        return {
            "low": self.grid.low,
            "nodes": self.grid.nodes.to(torch.int32),
            "coefficients": self.coefficients,
        }

    def settings(self) -> dict:
        return {"spacing": self.grid.spacing, "degree": self.grid.degree}

    @staticmethod
    def build(tensors: dict[str, Tensor], settings: dict) -> SplineField:
        spacing = float(settings["spacing"])
        if not (math.isfinite(spacing) and spacing > 0):
            raise BasisError("the side of the splines' cells is not a positive number")
        degree = settings.get("degree", 2)  # older files do not say
        if degree not in _PIECES:
            raise BasisError(f"splines of degree {degree!r} are not known here")
        coefficients = require(tensors, "coefficients", (None, None))
        nodes = tensors.get("nodes")
        if nodes is None or nodes.dtype != torch.int32 or tuple(nodes.shape) != (len(coefficients), 3):
            raise BasisError("the splines' places do not fit their coefficients")
        grid = SplineGrid(require(tensors, "low", (3,)), spacing, nodes.long(), degree)
        inside = bool(((grid.nodes >= 0) & (grid.nodes < _WIDEST + degree)).all()) and len(nodes) > 0
        if not inside or not bool((grid._ids.diff() > 0).all()):
            raise BasisError("the splines' places are not in order")
        return SplineField(grid, coefficients)


def _reach(degree: int, device: torch.device) -> Tensor:
    """From the first of a cell's splines to all of them, ((degree + 1)^3, 3)."""
    return torch.cartesian_prod(*[torch.arange(degree + 1, device=device)] * 3)


def _product(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return (x[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]).flatten(1)


register_field(SplineField.kind, SplineField.build)
