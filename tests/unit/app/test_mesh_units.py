"""The unit of a bare mesh: guessed from its numbers, said, and overruled by the person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import write_obj

from app.mesh_units import guess_size, scene_for_mesh
from scenes.build import build_shape, placement
from sim.errors import ShapeError

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
FACES = np.array(
    [
        *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
        *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
    ]
)


@pytest.mark.parametrize(
    ("longest", "suffix", "metres", "says"),
    [
        (1.0, ".obj", 1.0, ""),
        (0.155, ".ply", 0.155, ""),
        (15.5, ".obj", 0.155, "centimetres"),
        (155.0, ".obj", 0.155, "millimetres"),
        (15.5, ".stl", 0.0155, "millimetres"),
        (1e-4, ".obj", 0.3, "no unit"),
        (1e6, ".obj", 0.3, "no unit"),
    ],
)
def test_guesses(longest, suffix, metres, says):
    guess = guess_size(longest, suffix)
    assert guess.scale * longest == pytest.approx(metres)
    assert says in guess.remark
    assert bool(says) == bool(guess.remark)


@given(st.floats(1e-30, 1e30), st.sampled_from([".obj", ".stl"]))
def test_every_guess_is_a_size_one_can_play_with_and_is_said_unless_metres(longest, suffix):
    guess = guess_size(longest, suffix)
    assert 0.005 <= guess.scale * longest <= 5.0 + 1e-9
    assert bool(guess.remark) == (guess.scale != 1.0)


@pytest.mark.parametrize(("options", "side"), [({"size": 0.7}, 0.7), ({"scale": 0.0254}, 0.254), ({}, 0.1)])
def test_the_person_overrules_the_guess(tmp_path, options, side):
    file = write_obj(tmp_path / "box.obj", CUBE * (10, 5, 2), FACES)
    scene, remark = scene_for_mesh(file, **options)
    (part,) = scene.bodies
    shape = build_shape(part)
    assert shape.size == pytest.approx(side)
    assert bool(remark) == (not options)


@pytest.mark.parametrize("up", ["y", "z"])
def test_it_stands_a_little_above_the_floor_in_the_middle_with_its_axis_up(tmp_path, up):
    file = write_obj(tmp_path / "box.obj", (CUBE - (3.0, 2.0, 7.0)) * (0.2, 0.3, 0.4), FACES)
    scene, _ = scene_for_mesh(file, up=up)
    matrix = placement(scene.bodies[0].transform)
    placed = build_shape(scene.bodies[0]).vertices.numpy() @ matrix[:, :3].T + matrix[:, 3]
    low, high = placed.min(0), placed.max(0)
    assert low[1] == pytest.approx(0.05 * 0.4)
    np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-12)
    assert high[1] - low[1] == pytest.approx(0.3 if up == "y" else 0.4)


@pytest.mark.parametrize(
    "options", [{"size": 0.0}, {"scale": -1.0}, {"size": float("nan")}, {"size": 1.0, "scale": 1.0}]
)
def test_sizes_that_make_no_sense_are_refused(tmp_path, options):
    file = write_obj(tmp_path / "box.obj", CUBE, FACES)
    with pytest.raises(ShapeError):
        scene_for_mesh(file, **options)


def test_a_mesh_without_extent_is_refused_by_name(tmp_path):
    file = write_obj(tmp_path / "dot.obj", CUBE * 0 + 1, FACES)
    with pytest.raises(ShapeError, match=r"dot\.obj"):
        scene_for_mesh(file)
