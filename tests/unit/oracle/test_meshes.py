"""Meshes of the oracle: volumes, areas, and exact reproduction of the polynomials they claim."""

import numpy as np
import pytest
from oracle.bodies import box, five_limbs, smooth_capsules
from oracle.meshes import bricks, hex_beam, hex_box, inside_grid, voxel_hexes, voxel_tets

BAR = box((0, 0, 0), (1.0, 0.5, 0.25))
MESHES = {
    "trilinear": lambda: hex_box((0, 0, 0), (1.0, 0.5, 0.25), (5, 3, 2)),
    "triquadratic": lambda: hex_box((0, 0, 0), (1.0, 0.5, 0.25), (3, 2, 2), order=2),
    "tetrahedra": lambda: voxel_tets(BAR.inside, BAR.bounds, 8),
}


@pytest.fixture(params=MESHES, scope="module")
def mesh(request):
    return MESHES[request.param]()


def test_volume_and_area(mesh):
    assert mesh.volume == pytest.approx(0.125, rel=1e-12)
    assert mesh.boundary_areas().sum() == pytest.approx(2 * (0.5 + 0.25 + 0.125), rel=1e-12)


def test_shape_functions_sum_to_one_and_their_gradients_to_zero(mesh):
    points = BAR.samples(100)
    assert mesh.interpolation(points) @ np.ones(len(mesh.nodes)) == pytest.approx(np.ones(100), abs=1e-12)
    np.testing.assert_allclose(mesh.gradients.sum(2), 0, atol=1e-11)


def test_linear_functions_are_reproduced(mesh):
    slope = np.array([1.0, -2.0, 0.5])
    points = BAR.samples(200)
    nodal = mesh.nodes @ slope
    np.testing.assert_allclose(mesh.interpolation(points) @ nodal, points @ slope, atol=1e-12)
    for axis, matrix in enumerate(mesh.differentiation(points)):
        np.testing.assert_allclose(matrix @ nodal, slope[axis], atol=1e-10)


def test_quadratic_functions_are_reproduced_by_order_two():
    mesh = MESHES["triquadratic"]()
    points = BAR.samples(200)
    x, y, z = mesh.nodes.T
    p, q, r = points.T
    np.testing.assert_allclose(mesh.interpolation(points) @ (x * x - y * z), p * p - q * r, atol=1e-12)
    np.testing.assert_allclose(mesh.differentiation(points)[0] @ (x * x - y * z), 2 * p, atol=1e-10)


def test_quadrature_integrates_polynomials_of_its_degree(mesh):
    points = mesh.quadrature_points.reshape(-1, 3)
    assert mesh.weights.ravel() @ points == pytest.approx(0.125 * np.array([0.5, 0.25, 0.125]))
    if len(mesh.shape) > 1:
        assert mesh.weights.ravel() @ points[:, 0] ** 3 == pytest.approx(0.125 / 4)


def test_the_beam_has_nodes_at_its_clamp():
    for grading in (1.0, 2.0):
        mesh = hex_beam((6, 2, 2), grading=grading)
        assert np.isclose(mesh.nodes[:, 0], 0.98).sum() == 9
        assert np.ptp(mesh.nodes, axis=0) == pytest.approx([1, 0.25, 0.25])
        assert mesh.volume == pytest.approx(0.0625)


def test_cut_bricks_find_the_volume_of_a_ball_and_a_capsule():
    ball = smooth_capsules(np.array([[[0, 0, 0], [1e-9, 0, 0]]]), [0.5], 0.01)
    capsule = smooth_capsules(np.array([[[0, 0, 0], [1.0, 0, 0]]]), [0.3], 0.01)
    for solid, volume in ((ball, np.pi / 6), (capsule, np.pi * 0.09 + np.pi * 0.036)):
        assert voxel_hexes(solid.inside, solid.bounds, 16).volume == pytest.approx(volume, rel=5e-3)
        assert inside_grid(solid.inside, solid.bounds, 64)[1].sum() == pytest.approx(volume, rel=1e-2)


def test_points_outside_the_bricks_are_extrapolated():
    limbs = five_limbs()
    mesh = voxel_hexes(limbs.inside, limbs.bounds, 12)
    points = limbs.samples(300, seed=1)
    np.testing.assert_allclose(mesh.interpolation(points) @ mesh.nodes, points, atol=1e-12)


def test_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order 1 or 2"):
        bricks([np.linspace(0, 1, 3)] * 3, order=3)
