"""Shapes from files: analytic volumes, inside against distance functions, and files that lie."""

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import Shape, load_shape
from sim.errors import ShapeError
from sim.mesh_files import tet_boundary, weld
from sim.sampling import CellsFirst, InsideTest, outward, signed_volume


def write(mesh, path):
    mesh.export(path)
    return path


@pytest.fixture
def ball():
    return trimesh.creation.icosphere(subdivisions=3, radius=0.5)


def test_a_ball_has_its_volume_and_its_samples_are_inside(ball, tmp_path):
    shape = load_shape(write(ball, tmp_path / "ball.obj"), samples=4000)
    assert shape.volume == pytest.approx(ball.volume, rel=1e-7)  # the file has eight digits
    assert shape.report.watertight
    assert shape.report.volume_source == "by the divergence theorem"
    assert shape.samples.shape == (4000, 3)
    assert (shape.samples.norm(dim=1) < 0.5).all()
    assert shape.sample_volumes.sum().item() == pytest.approx(shape.volume)
    # Low discrepancy: the second moment is far nearer than 1/sqrt(N).
    second = np.trace(ball.moment_inertia) / 2 / ball.volume
    assert shape.samples.square().sum(1).mean().item() == pytest.approx(second, rel=2e-3)
    assert shape.centre.abs().max() < 2e-3
    assert shape.name == "ball"


def test_inside_agrees_with_the_torus_distance(tmp_path):
    torus = trimesh.creation.torus(major_radius=1.0, minor_radius=0.3, major_sections=96, minor_sections=48)
    shape = load_shape(write(torus, tmp_path / "t.ply"), samples=500)
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.4, 1.4, (4000, 3))
    ring = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 1.0, points[:, 2]) - 0.3
    clear = np.abs(ring) > 0.01  # facets differ from the true torus by less than that
    np.testing.assert_array_equal(shape.inside(points).numpy()[clear], ring[clear] < 0)


def test_vertices_keep_their_order_and_place(ball, tmp_path):
    for suffix in (".obj", ".ply", ".off"):
        shape = load_shape(write(ball, tmp_path / f"ball{suffix}"), samples=100)
        np.testing.assert_allclose(shape.vertices.numpy(), ball.vertices, atol=1e-6)
        np.testing.assert_array_equal(shape.faces.numpy(), ball.faces)


def test_stl_and_glb_give_the_same_solid(ball, tmp_path):
    stl = load_shape(write(ball, tmp_path / "ball.stl"), samples=500)
    assert len(stl.vertices) == len(ball.vertices)
    assert stl.report.watertight
    assert any("welded" in note for note in stl.report.notes)
    scene = trimesh.Scene()
    scene.add_geometry(ball)
    scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([3, 0, 0]))
    glb = load_shape(write(scene, tmp_path / "two.glb"), samples=500)
    assert glb.volume == pytest.approx(2 * ball.volume, rel=1e-4)
    assert glb.report.components == 2
    assert glb.report.size[0] == pytest.approx(4.0, rel=1e-3)
    assert any("2 parts" in note for note in glb.report.notes)


def test_the_same_seed_draws_the_same_samples(ball, tmp_path):
    path = write(ball, tmp_path / "ball.obj")
    assert torch.equal(
        load_shape(path, samples=300, seed=5).samples, load_shape(path, samples=300, seed=5).samples
    )
    assert not torch.equal(
        load_shape(path, samples=300).samples, load_shape(path, samples=300, seed=6).samples
    )
    again = load_shape(path, samples=300).with_samples(700, seed=5)
    assert torch.equal(again.samples, load_shape(path, samples=700, seed=5).samples)


def test_an_open_mesh_still_has_an_inside(ball, tmp_path):
    hole = ball.copy()
    hole.update_faces(ball.triangles_center[:, 1] < 0.46)
    shape = load_shape(write(hole, tmp_path / "open.obj"), samples=2000)
    assert not shape.report.watertight
    assert shape.report.volume_source == "by sampling"
    assert shape.volume == pytest.approx(ball.volume, rel=0.03)


def test_faces_wound_at_random_do_not_matter(ball, tmp_path):
    mixed = ball.faces.copy()
    flip = np.random.default_rng(0).random(len(mixed)) < 0.4
    mixed[flip] = mixed[flip][:, ::-1]
    mesh = trimesh.Trimesh(ball.vertices, mixed, process=False)
    shape = load_shape(write(mesh, tmp_path / "mixed.ply"), samples=500)
    assert not shape.report.consistent
    assert shape.volume == pytest.approx(ball.volume, rel=1e-6)
    np.testing.assert_array_equal(shape.faces.numpy(), mixed)  # the person's own faces stay


def test_inside_out_meshes_are_turned(ball):
    faces = outward(ball.vertices, ball.faces[:, ::-1])
    assert signed_volume(ball.vertices, faces) == pytest.approx(ball.volume)


def test_a_hollow_stays_hollow_and_touching_balls_add_up(ball, tmp_path):
    inner = trimesh.creation.icosphere(subdivisions=3, radius=0.25)
    inner.invert()
    hollow = load_shape(write(trimesh.util.concatenate([ball, inner]), tmp_path / "h.ply"), samples=500)
    assert hollow.volume == pytest.approx(ball.volume * (1 - 1 / 8), rel=0.01)
    assert hollow.samples.norm(dim=1).min() > 0.24
    beside = ball.copy().apply_translation([1.0, 0, 0])
    pair = load_shape(write(trimesh.util.concatenate([ball, beside]), tmp_path / "p.ply"), samples=500)
    assert pair.volume == pytest.approx(2 * ball.volume, rel=1e-6)
    overlap = ball.copy().apply_translation([0.5, 0, 0])
    union = load_shape(write(trimesh.util.concatenate([ball, overlap]), tmp_path / "o.ply"), samples=4000)
    r, d = 0.5, 0.5
    lens = np.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    assert union.volume == pytest.approx(2 * (4 / 3 * np.pi * r**3) - lens, rel=0.03)


def test_a_million_metres_from_the_origin(ball, tmp_path):
    far = ball.copy().apply_translation([1e6, -1e6, 1e6])
    lines = [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in far.vertices]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in far.faces]
    (tmp_path / "far.obj").write_text("\n".join(lines))
    shape = load_shape(tmp_path / "far.obj", samples=1000)
    assert shape.volume == pytest.approx(ball.volume, rel=1e-5)
    assert (shape.samples - torch.tensor([1e6, -1e6, 1e6])).norm(dim=1).max() < 0.5


def test_size_and_scale_multiply(ball, tmp_path):
    path = write(ball, tmp_path / "ball.obj")
    assert load_shape(path, samples=50, size=0.2).size == pytest.approx(0.2)
    assert load_shape(path, samples=50, scale=0.01).size == pytest.approx(
        0.01 * np.ptp(ball.vertices, axis=0).max()
    )
    for bad in ({"size": 0}, {"scale": -1}, {"size": float("nan")}, {"size": 1, "scale": 1}, {"samples": 0}):
        with pytest.raises(ShapeError):
            load_shape(path, **bad)


def test_sheets_become_shells_and_say_so(tmp_path):
    sheet = trimesh.Trimesh(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False
    )
    shape = load_shape(write(sheet, tmp_path / "sheet.obj"), samples=200)
    assert "shell" in shape.report.volume_source
    assert shape.volume == pytest.approx(0.01 * np.sqrt(2))
    # Through the thickness, evenly: a flat sheet of thickness t has the second moment t^2 / 12.
    thickness = 0.01 * np.sqrt(2)
    assert shape.samples[:, 2].abs().max() <= thickness / 2
    assert float(shape.samples[:, 2].square().mean()) == pytest.approx(thickness**2 / 12, rel=0.05)
    with pytest.raises(ShapeError, match="no closed surface"):
        shape.inside(torch.zeros(1, 3))


def test_points_without_faces_make_a_solid(tmp_path):
    points = np.random.default_rng(0).uniform(0, 1, (5000, 3))
    np.savetxt(tmp_path / "cloud.xyz", points)
    shape = load_shape(tmp_path / "cloud.xyz", samples=1000)
    assert shape.volume == pytest.approx(1.0, rel=0.25)
    assert len(shape.samples) == 1000
    assert len(shape.vertices) == 5000
    ply = load_shape(write(trimesh.PointCloud(points), tmp_path / "cloud.ply"), samples=1000)
    assert len(ply.faces) == 0


def test_tetrahedra_show_their_boundary(tmp_path):
    import meshio

    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    tets = np.array([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]])
    assert signed_volume(corners, tet_boundary(corners, tets)) == pytest.approx(1.0)
    for suffix, kind in ((".msh", "gmsh"), (".mesh", "medit")):
        meshio.write(tmp_path / f"cube{suffix}", meshio.Mesh(corners, {"tetra": tets}), file_format=kind)
        shape = load_shape(tmp_path / f"cube{suffix}", samples=200)
        assert shape.volume == pytest.approx(1.0)
        assert len(shape.faces) == 12
        assert shape.report.watertight


def test_welding_keeps_the_first_of_each():
    vertices = np.array([[2.0, 0, 0], [0, 0, 0], [2.0, 0, 0], [1, 0, 0]])
    new, faces, merged = weld(vertices, np.array([[0, 1, 3], [2, 1, 3]]))
    np.testing.assert_array_equal(new, vertices[[0, 1, 3]])
    np.testing.assert_array_equal(faces, [[0, 1, 2], [0, 1, 2]])
    assert merged == 1


def test_degenerate_and_duplicate_faces_are_counted_and_left(ball, tmp_path):
    faces = np.concatenate([ball.faces, ball.faces[:3], [[0, 0, 1]]])
    mesh = trimesh.Trimesh(ball.vertices, faces, process=False)
    shape = load_shape(write(mesh, tmp_path / "d.ply"), samples=500)
    assert (shape.report.degenerate, shape.report.duplicate) == (1, 3)
    assert len(shape.faces) == len(faces)
    assert shape.volume == pytest.approx(ball.volume, rel=0.05)
    assert "duplicate" in str(shape.report)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.obj", None, "no file"),
        ("empty.obj", "", "empty"),
        ("text.doc", "hello", "unknown kind"),
        ("nan.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("inf.obj", "v 0 0 inf\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("index.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "index.obj"),
        ("point.obj", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "no extent"),
        ("line.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "neither a solid nor a surface"),
        ("words.ply", "this is no ply", "not a readable"),
        ("words.glb", "this is no glb at all", "not a readable"),
        ("words.msh", "this is no msh", "not a readable"),
        ("words.xyz", "a b c", "not a readable"),
        ("huge.obj", "v 0 0 1e308\nv 1e308 0 0\nv -1e308 1e308 -1e308\nf 1 2 3\n", "huge.obj"),
    ],
)
def test_files_that_hold_no_solid_are_refused_in_words(name, content, told, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(ShapeError, match=told):
        load_shape(path, samples=50)
    with pytest.raises(ShapeError, match="not a file"):
        load_shape(tmp_path)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), suffix=st.sampled_from([".obj", ".ply", ".stl", ".off", ".glb"]))
def test_no_damage_to_a_file_does_more_than_refuse(data, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / f"box{suffix}"
    trimesh.creation.box().export(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 5))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        shape = load_shape(path, samples=64)
    except ShapeError:
        return
    assert torch.isfinite(shape.samples).all()
    assert shape.volume > 0


def test_from_samples_checks_what_it_is_given():
    points = np.random.default_rng(0).random((20, 3))
    shape = Shape.from_samples(points, 0.5)
    assert shape.volume == 0.5
    assert torch.equal(shape.vertices, shape.samples)
    for bad in (
        (points[:, :2], 1.0),
        (points[:0], 1.0),
        (points * np.nan, 1.0),
        (points, 0.0),
        (points, float("inf")),
        (points, "half"),
        (points * [1, 0, 1], 1.0),
    ):
        with pytest.raises(ShapeError):
            Shape.from_samples(*bad)
    with pytest.raises(ShapeError, match="vertex that is not there"):
        Shape.from_samples(points, 1.0, vertices=points[:3], faces=[[0, 1, 3]])


def test_usd_meshes_load_when_usd_is_there():
    pytest.importorskip("pxr", reason="usd-core is not installed")
    warp = pytest.importorskip("warp")
    from pathlib import Path

    folder = Path(warp.__file__).parent / "examples" / "assets"
    if not (folder / "bunny.usd").exists():
        pytest.skip("this Warp brings no example meshes")
    for name in ("bunny.usd", "bear.usd"):
        shape = load_shape(folder / name, samples=200, size=0.3)
        assert shape.size == pytest.approx(0.3)
        assert shape.volume > 1e-4


def test_inside_is_exact_for_points_near_the_surface(ball):
    test = InsideTest(ball.vertices, ball.faces)
    centres = ball.triangles_center
    assert test(centres - 1e-4 * ball.face_normals).all()
    assert not test(centres + 1e-4 * ball.face_normals).any()


def test_asking_cells_first_gives_the_same_answers():
    """A thin-walled bowl and a torus in one: cells that the surface only grazes are many."""
    torus = trimesh.creation.torus(1.0, 0.15, 48, 24)
    bowl = trimesh.creation.annulus(0.5, 0.52, 1.0)
    both = trimesh.util.concatenate([torus, bowl])
    test = InsideTest(both.vertices, both.faces)
    low, high = both.bounds
    points = np.random.default_rng(0).uniform(low, high, (60000, 3))
    expected = test(points)
    assert 0.02 < expected.mean() < 0.3
    np.testing.assert_array_equal(CellsFirst(test, low, high)(points), expected)


def test_an_obj_in_an_older_encoding_is_read_and_a_picture_is_not(tmp_path):
    text = "# modèle créé\no café\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"
    (tmp_path / "old.obj").write_bytes(text.encode("latin-1"))
    assert load_shape(tmp_path / "old.obj", samples=64).volume == pytest.approx(1 / 6)
    (tmp_path / "picture.obj").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(ShapeError, match=r"picture.obj is not a .obj file: it holds no text"):
        load_shape(tmp_path / "picture.obj")
