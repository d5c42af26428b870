"""Jets against automatic differentiation of the plain network, and their own gradient against finite differences."""

import pytest
import torch

from sim.jets import SECOND_DERIVATIVES, jet_along, layer_jet, position_jet, random_frames
from sim.network import NetworkField, WeightNetwork
from sim.splines import SplineField, SplineGrid

ACTIVATE = {"tanh": torch.tanh, "elu": torch.nn.functional.elu}


def directions(frames):
    """Those of the fifth row: the first of the frame, and one 54.7 degrees from it, both of length sqrt(3)."""
    return 3**0.5 * frames[:, 0], frames[:, 0] + 2**0.5 * frames[:, 1]


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("rows", [4, 5, 10])
def test_a_layers_gradient_is_its_finite_difference(activation, rows):
    g = torch.Generator().manual_seed(0)
    shapes = [(rows, 7, 5), (6, 5), (6,)]
    parts = [torch.randn(*s, generator=g, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(lambda *parts: layer_jet(*parts, activation), parts)


@pytest.mark.parametrize("activation", ["tanh", "elu"])
def test_a_networks_jet_is_what_automatic_differentiation_says(activation):
    g = torch.Generator().manual_seed(1)
    network = WeightNetwork(3, 8, gain=2.0, generator=g, activation=activation).double().requires_grad_(False)
    points = torch.randn(6, 3, generator=g, dtype=torch.float64)
    frames = random_frames(6, g)
    jet = network.jet(position_jet(points, 2.0, frames))
    whole = network.jet(position_jet(points, 2.0, order=2))
    torch.testing.assert_close(jet_along(whole[0], whole[1:4], whole[4:], frames), jet)

    def plain(x):
        x = 2.0 * x
        for linear in network.linears:
            x = ACTIVATE[activation](linear(x))
        return x

    first, second = directions(frames)
    for i, point in enumerate(points):
        slopes, hessians = torch.func.jacrev(plain)(point), torch.func.hessian(plain)(point)
        torch.testing.assert_close(jet[0, i], plain(point))
        torch.testing.assert_close(jet[1:4, i], frames[i] @ slopes.T)
        torch.testing.assert_close(jet[4, i], torch.einsum("a,kab,b->k", first[i], hessians, second[i]))
        for row, (a, b) in enumerate(SECOND_DERIVATIVES, start=4):
            torch.testing.assert_close(whole[row, i], hessians[:, a, b])


def test_frames_are_orthonormal_and_favour_no_direction():
    frames = random_frames(20000, torch.Generator().manual_seed(0))
    eye = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(frames @ frames.mT, eye.expand_as(frames))
    for row in range(3):
        moment = torch.einsum("ni,nj->ij", frames[:, row], frames[:, row]) / len(frames)
        torch.testing.assert_close(moment, eye / 3, rtol=0, atol=0.01)  # standard error 0.002


def test_a_field_that_reads_splines_differentiates_through_them():
    """Against central differences of the field's own values and gradients."""
    g = torch.Generator().manual_seed(2)
    points = torch.rand(40, 3, generator=g, dtype=torch.float64)
    grid = SplineGrid.over(points, 0.31)
    modes = SplineField(grid, torch.randn(len(grid.nodes), 2, generator=g, dtype=torch.float64))
    network = WeightNetwork(2, 8, gain=3.0, generator=g, places=torch.rand(9, 5, generator=g)).double()
    field = NetworkField(network, torch.full((3,), 0.5, dtype=torch.float64), 2.0, modes)
    jet = field.jet(points, order=2)
    step = 1e-5
    # Cubic splines' third derivatives jump between cells: points whose steps cross are left out.
    cell = (points - grid.low) / 0.31 % 1
    inner = ((cell > 1e-3) & (cell < 1 - 1e-3)).all(1)
    assert int(inner.sum()) > 30
    along = torch.eye(3, dtype=torch.float64)
    for a in range(3):
        ahead, behind = (field.value(points + s * step * along[a]) for s in (1, -1))
        torch.testing.assert_close(
            jet[1 + a][inner], ((ahead - behind) / (2 * step))[inner], rtol=1e-6, atol=1e-6
        )
    for row, (a, b) in enumerate(SECOND_DERIVATIVES, start=4):
        ahead, behind = (field.value_and_gradient(points + s * step * along[b])[1] for s in (1, -1))
        bent = (ahead - behind)[..., a] / (2 * step)
        torch.testing.assert_close(jet[row][inner], bent[inner], rtol=1e-5, atol=1e-5)
    # What the modes are there may be known already.
    torch.testing.assert_close(field.jet(points, order=2, read=modes.jet(points, order=2)), jet)
