"""Splines: polynomials are the oracle, for B-splines reproduce those of their degree (Marsden's identity)."""

import numpy as np
import pytest
import torch

from sim.errors import BasisError
from sim.splines import SplineField, SplineGrid

SPACING = 0.13


@pytest.fixture
def points():
    """Points of an L, so that the grid has a notch."""
    X = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return X[(X[:, 0] < 0.4) | (X[:, 1] < 0.4)] * torch.tensor([2.0, 1.0, 0.5]) + 3.0


def quadratic(X):
    x, y, z = X.unbind(1)
    return torch.stack([torch.ones_like(x), 2 * x - z, x * x + 0.5 * y, x * y * z], dim=1)


def quadratic_slopes(X):
    x, y, z = X.unbind(1)
    none, one = torch.zeros_like(x), torch.ones_like(x)
    rows = [[none, none, none], [2 * one, none, -one], [2 * x, 0.5 * one, none], [y * z, x * z, x * y]]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def marsden(grid):
    """Coefficients of `quadratic`: the blossom of each factor at the inner knots of every spline."""
    steps = range(1, grid.degree + 1)
    knots = torch.stack([grid.low + grid.spacing * (grid.nodes.double() + k - grid.degree) for k in steps])
    pairs = [knots[a] * knots[b] for a in range(grid.degree) for b in range(a)]
    square, (x, y, z) = torch.stack(pairs).mean(0), knots.mean(0).unbind(1)
    return torch.stack([torch.ones_like(x), 2 * x - z, square[:, 0] + 0.5 * y, x * y * z], dim=1)


def test_a_cubic_is_reproduced_with_all_its_derivatives(points):
    grid = SplineGrid.over(points, SPACING)
    knots = [grid.low + grid.spacing * (grid.nodes.double() + k) for k in (-2, -1, 0)]
    field = SplineField(grid, (knots[0] * knots[1] * knots[2])[:, :1])
    x = points[:, :1]
    value, by_x, by_y, by_z, *seconds = field.jet(points, order=2)
    torch.testing.assert_close(value, x**3, rtol=1e-12, atol=0)
    torch.testing.assert_close(by_x, 3 * x**2, rtol=1e-11, atol=0)
    torch.testing.assert_close(seconds[0], 6 * x, rtol=1e-9, atol=0)
    for nothing in (by_y, by_z, *seconds[1:]):
        torch.testing.assert_close(nothing, torch.zeros_like(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("degree", [2, 3])
def test_quadratics_are_reproduced_with_their_gradients(points, degree):
    grid = SplineGrid.over(points, SPACING, degree)
    field = SplineField(grid, marsden(grid))
    values, gradients = field.value_and_gradient(points)
    torch.testing.assert_close(values, quadratic(points), rtol=0, atol=1e-11)
    torch.testing.assert_close(gradients, quadratic_slopes(points), rtol=0, atol=1e-10)
    torch.testing.assert_close(field.value(points), values, rtol=0, atol=0)


def test_outside_the_grid_the_border_goes_on(points):
    grid = SplineGrid.over(points, SPACING)
    field = SplineField(grid, marsden(grid))
    beyond = torch.tensor([[-50.0, 3.1, 3.2]], dtype=torch.float64)
    border = torch.tensor([[float(grid.low[0]), 3.1, 3.2]], dtype=torch.float64)
    values, gradients = field.value_and_gradient(beyond)
    torch.testing.assert_close(values, field.value(border))
    assert (gradients[..., 0] == 0).all()
    assert (gradients[0, 2, 1:] != 0).any()


def test_splines_that_are_not_there_count_as_zero(points):
    grid = SplineGrid.over(points, SPACING)
    field = SplineField(grid, torch.ones(len(grid.nodes), 1, dtype=torch.float64))
    notch = torch.tensor([[4.9, 3.95, 3.2]], dtype=torch.float64)  # in the corner that the L leaves free
    torch.testing.assert_close(field.value(points), torch.ones(len(points), 1, dtype=torch.float64))
    torch.testing.assert_close(field.value(notch), torch.zeros(1, 1, dtype=torch.float64))


def test_a_field_comes_back_from_its_tensors(points):
    grid = SplineGrid.over(points, SPACING)
    field = SplineField(grid, marsden(grid))
    again = SplineField.build(field.tensors(), field.settings())
    assert torch.equal(again.value(points), field.value(points))
    assert again.grid.degree == grid.degree
    single = field.to(torch.device("cpu"), torch.float32).value(points.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, field.value(points), rtol=2e-5, atol=2e-5)


def test_a_field_of_quadratic_splines_from_before_there_were_cubic_ones_comes_back(points):
    field = SplineField(grid := SplineGrid.over(points, SPACING, 2), marsden(grid))
    settings = {"spacing": field.settings()["spacing"]}
    assert torch.equal(SplineField.build(field.tensors(), settings).value(points), field.value(points))
    with pytest.raises(BasisError, match="degree 7"):
        SplineField.build(field.tensors(), settings | {"degree": 7})


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("nodes", lambda t: t[:-1], "do not fit"),
        ("nodes", lambda t: t.float(), "do not fit"),
        ("nodes", lambda t: t.flip(0), "not in order"),
        ("nodes", lambda t: t - 1, "not in order"),
        ("coefficients", lambda t: t * torch.nan, "not finite"),
        ("low", lambda t: t[:2], "shape"),
    ],
)
def test_damaged_tensors_are_refused(points, name, spoil, message):
    grid = SplineGrid.over(points, SPACING)
    field = SplineField(grid, marsden(grid))
    tensors = field.tensors()
    tensors[name] = spoil(tensors[name])
    with pytest.raises(BasisError, match=message):
        SplineField.build(tensors, field.settings())
    with pytest.raises(BasisError, match="positive"):
        SplineField.build(field.tensors(), {"spacing": 0.0})


def test_cells_too_small_to_number_are_refused(points):
    with pytest.raises(BasisError, match="too small"):
        SplineGrid.over(points, 1e-7)
