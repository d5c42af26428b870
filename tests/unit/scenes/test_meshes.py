"""The shipped meshes: closed, outward, well shaped, standing, and really made by the script beside them."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scenes.meshes import sculpt, sdf, surface
from scenes.meshes.sculpt import FOLDER, NAMES, SCULPTURES


@cache
def load_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces read line by line, with nothing merged or repaired on the way."""
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    vertices = np.array([line[1:] for line in lines if line[0] == "v"], dtype=float)
    faces = np.array([line[1:] for line in lines if line[0] == "f"], dtype=int) - 1
    return vertices, faces


@pytest.fixture(params=NAMES)
def mesh(request):
    return request.param, *load_obj(FOLDER / f"{request.param}.obj")


def test_every_shipped_obj_is_made_by_the_script():
    assert {path.stem for path in FOLDER.glob("*.obj")} == set(NAMES)


def test_numbers_are_finite_and_every_vertex_is_used(mesh):
    _, vertices, faces = mesh
    assert np.isfinite(vertices).all()
    assert np.array_equal(np.unique(faces), np.arange(len(vertices)))


def test_every_edge_is_walked_once_each_way(mesh):
    _, _, faces = mesh
    walks = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {tuple(walk) for walk in walks.tolist()}
    assert len(there) == len(walks)
    assert there == {(b, a) for a, b in there}


def test_the_faces_around_each_vertex_form_a_single_fan(mesh):
    _, vertices, faces = mesh
    following = [{} for _ in vertices]
    for a, b, c in faces.tolist():
        following[a][b], following[b][c], following[c][a] = c, a, b
    for fan in following:
        start = next(iter(fan))
        at, walked = fan[start], 1
        while at != start:
            at, walked = fan[at], walked + 1
        assert walked == len(fan)


def test_the_surface_is_one_sphere(mesh):
    """Euler's formula V - E + F = 2 for one piece without handles; E = 3F / 2 on a closed surface."""
    _, vertices, faces = mesh
    piece = np.arange(len(vertices))
    while True:
        lowest = piece.copy()
        for k in range(3):
            np.minimum.at(lowest, faces[:, k], piece[faces].min(axis=1))
        lowest = lowest[lowest]
        if np.array_equal(lowest, piece):
            break
        piece = lowest
    assert (piece == 0).all()
    assert len(vertices) - 3 * len(faces) // 2 + len(faces) == 2


def test_volume_is_positive_and_below_the_bounding_box(mesh):
    """Divergence theorem: the signed cones from the origin to the faces add up to the volume."""
    name, vertices, faces = mesh
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
    box = np.prod(np.ptp(vertices, axis=0))
    assert 0.05 * box < volume <= box * (1 + 1e-9)
    if name in ("beam", "cube"):
        assert volume == pytest.approx({"beam": 0.0625, "cube": 1.0}[name], rel=1e-9)


def test_triangles_are_well_shaped(mesh):
    _, vertices, faces = mesh
    sides = np.stack([vertices[faces[:, (k + 1) % 3]] - vertices[faces[:, k]] for k in range(3)])
    a, b, c = np.linalg.norm(sides, axis=2)
    cosines = np.stack(
        [
            (b**2 + c**2 - a**2) / (2 * b * c),
            (c**2 + a**2 - b**2) / (2 * c * a),
            (a**2 + b**2 - c**2) / (2 * a * b),
        ]
    )
    smallest = np.degrees(np.arccos(cosines.max(axis=0)))
    assert np.median(smallest) > 35.0
    assert smallest.min() > 10.0


def test_counts_sizes_and_the_floor(mesh):
    name, vertices, _ = mesh
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if name == "beam":
        np.testing.assert_array_equal(low, [0.0, -0.125, -0.125])
        np.testing.assert_array_equal(high, [1.0, 0.125, 0.125])
    elif name == "cube":
        np.testing.assert_array_equal(low, [-0.5, 0.0, -0.5])
        np.testing.assert_array_equal(high, [0.5, 1.0, 0.5])
    else:
        assert low[1] == 0.0
        assert 0.2 < (high - low).max() < 0.6
    assert (2_000 if name in ("beam", "cube") else 5_000) <= len(vertices) <= 30_000
    assert (FOLDER / f"{name}.obj").stat().st_size < 2_500_000


def test_the_readme_tells_the_truth(mesh):
    name, vertices, _ = mesh
    row = next(line for line in (FOLDER / "README.md").read_text().splitlines() if f"`{name}.obj`" in line)
    size, count = (cell.strip() for cell in row.split("|")[3:5])
    assert int(count.replace(" ", "")) == len(vertices)
    np.testing.assert_allclose([float(s) for s in size.split("x")], np.ptp(vertices, axis=0), atol=0.00051)


@pytest.mark.parametrize("name", SCULPTURES)
def test_vertices_lie_on_the_solid_the_script_describes(name):
    """The mesh was set down on the floor after sculpting; before that drop it was the zero level."""
    vertices, _ = load_obj(FOLDER / f"{name}.obj")
    field = SCULPTURES[name].field
    chosen = vertices[:: max(1, len(vertices) // 2000)]

    def away(drop):
        raised = chosen + np.array([0.0, drop, 0.0])
        return np.abs(field(raised)) / np.linalg.norm(surface.gradient(field, raised, 1e-6), axis=1)

    drop = minimize_scalar(lambda d: np.sum(away(d) ** 2), bounds=(0.0, 0.003), options={"xatol": 1e-9}).x
    assert away(drop).max() < 5e-6


@pytest.mark.parametrize("name", ["beam", "cube"])
def test_the_script_writes_the_shipped_file(name, tmp_path, capsys):
    assert sculpt.main([name, "--to", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.obj").read_bytes() == (FOLDER / f"{name}.obj").read_bytes()
    assert name in capsys.readouterr().out


def test_a_coarse_ball_is_meshed_on_its_sphere():
    vertices, faces = surface.mesh_field(
        lambda p: sdf.sphere(p, (0.1, 0.2, 0.3), 0.5), np.full(3, -0.6), np.full(3, 1.0), 0.1
    )
    np.testing.assert_allclose(np.linalg.norm(vertices - [0.1, 0.2, 0.3], axis=1), 0.5, rtol=1e-9)
    angles = surface.smallest_angles(vertices, faces)
    assert np.median(angles) > 35.0
    assert angles.min() > 10.0


@pytest.mark.parametrize("seed", range(5))
def test_two_sheets_through_one_cell_do_not_pinch(seed):
    """Balls heaped at random leave gaps thinner than a cell, where a plain dual grid is not a manifold."""
    centres = np.random.default_rng(seed).uniform(-0.6, 0.6, size=(12, 3))

    def heap(points):
        return np.min([sdf.sphere(points, centre, 0.3) for centre in centres], axis=0)

    _, faces = surface.mesh_field(heap, np.full(3, -1.2), np.full(3, 1.2), 0.1, rounds=2)
    walks = {
        tuple(w) for w in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    }
    assert len(walks) == 3 * len(faces)
    assert walks == {(b, a) for a, b in walks}


def test_a_solid_that_leaves_its_box_is_refused():
    with pytest.raises(ValueError, match="more room"):
        surface.mesh_field(lambda p: sdf.sphere(p, (0, 0, 0), 1.0), np.full(3, -0.9), np.full(3, 0.9), 0.1)


def test_distances_of_exact_shapes_have_unit_gradient():
    points = np.random.default_rng(0).normal(size=(500, 3))
    for field in (
        lambda p: sdf.sphere(p, (0.1, 0, 0), 0.3),
        lambda p: sdf.rod(p, (0, 0, 0), (1, 0.5, 0), (0.2, 0.2)),
    ):
        np.testing.assert_allclose(
            np.linalg.norm(surface.gradient(field, points, 1e-6), axis=1), 1.0, atol=1e-6
        )


def test_a_smooth_union_only_adds_and_only_near_the_seam():
    first, second = np.random.default_rng(1).normal(size=(2, 1000))
    blended = sdf.union(first, second, seam=0.3)
    plain = np.minimum(first, second)
    assert (blended <= plain).all()
    assert (blended >= plain - 0.3 / 4).all()
    apart = np.abs(first - second) > 0.3
    np.testing.assert_array_equal(blended[apart], plain[apart])
    np.testing.assert_array_equal(blended, sdf.union(second, first, seam=0.3))


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        sculpt.main(["teapot"])
    assert "gummy_bear" in capsys.readouterr().err
