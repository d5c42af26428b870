"""Bodies and hands at the edge of what makes sense."""

import pytest
import torch
from sample_bodies import cosine_basis, make_body

from sim import Body, Material, World, load_shape


def test_a_flat_sheet_hangs_from_its_edge(tmp_path):
    """A plane mesh becomes a thin shell that moves like any body: its free edge swings down, its length stays."""
    lines = [f"v {x / 10} 0 {z / 10}" for x in range(11) for z in range(11)]
    corners = [11 * x + z + 1 for x in range(10) for z in range(10)]
    lines += [f"f {a} {a + 1} {a + 12} {a + 11}" for a in corners]
    (tmp_path / "sheet.obj").write_text("\n".join(lines))
    shape = load_shape(tmp_path / "sheet.obj", samples=2000)
    body = Body(shape, Material(1e6, 0.3, 1000.0), cosine_basis(shape, 12), "uniform")
    world = World(device="cpu")
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.9)
    for _ in range(60):
        assert world.step().converged
    edge = shape.vertices[shape.vertices[:, 0] < 1e-9]
    now = body.deform(edge)
    assert now[:, 1].max() < -0.3
    reach = (now - torch.tensor([0.9, 0.0, 0.0]) - edge * torch.tensor([0.0, 0.0, 1.0])).norm(dim=1)
    assert reach.max() < 1.05 * 0.9


@pytest.mark.parametrize("far", [1e30, 1e200, 1e300])
def test_a_hand_at_the_end_of_numbers_leaves_no_nan(world, far):
    body = world.add(make_body())
    grab = world.grab(body, (far, 0, 0))
    grab.move_to((-far, far, 0))
    for _ in range(10):
        world.step()
    assert torch.isfinite(body.positions()).all()
    grab.release()
