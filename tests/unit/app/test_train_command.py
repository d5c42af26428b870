"""`train` on the command line: what is asked for is what is made, and what cannot be is said before training."""

import os
import stat

import pytest
from sample_bodies import subdivided_box
from sessions import write_obj

from app.cli import main
from sim.basis import HandleBasis


@pytest.fixture
def cube(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shape = subdivided_box((0.2, 0.2, 0.2), 3, count=64)
    return write_obj(tmp_path / "cube.obj", shape.vertices.numpy(), shape.faces.numpy())


def refusal(capsys, *arguments) -> str:
    assert main(["train", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_no_handles_are_refused_and_not_taken_for_left_out(cube, capsys):
    assert "got 0" in refusal(capsys, cube, "--handles", 0, "--steps", 2)
    assert sorted(file.name for file in cube.parent.iterdir()) == ["cube.obj"]


def test_a_mesh_is_not_written_over(cube, capsys):
    before = cube.read_bytes()
    assert ".safetensors" in refusal(capsys, cube, "-o", cube, "--steps", 2)
    assert cube.read_bytes() == before


def test_a_place_that_cannot_be_written_is_told_before_training(cube, capsys):
    (cube.parent / "file").write_text("in the way")
    said = refusal(capsys, cube, "-o", cube.parent / "file" / "w.safetensors", "--preset", "best")
    assert "file" in said


def test_weights_go_into_a_new_folder_and_can_be_read_by_others(cube):
    output = cube.parent / "new" / "folder" / "w.safetensors"
    umask = os.umask(0o022)
    try:
        assert (
            main(["train", str(cube), "-o", str(output), "--steps", "2", "--handles", "4", "--no-cubature"])
            == 0
        )
    finally:
        os.umask(umask)
    assert HandleBasis.load(output).handles == 4
    assert stat.S_IMODE(output.stat().st_mode) == 0o644


def test_a_shipped_scene_named_in_short_keeps_its_weights(cube):
    from scenes.shipped import LIBRARY

    shipped = (LIBRARY / "jelly_cube.safetensors").read_bytes()
    assert main(["train", "jelly_cube", "--steps", "1", "--handles", "4", "--no-cubature"]) == 0
    assert (LIBRARY / "jelly_cube.safetensors").read_bytes() == shipped
    assert HandleBasis.load("jelly_cube.safetensors").handles == 4


def test_interrupted_while_cubature_is_chosen_keeps_the_weights(cube, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.cubature_training.optimize_cubature", interrupted)
    assert main(["train", str(cube), "--steps", "2", "--handles", "4"]) == 130
    assert HandleBasis.load("cube.safetensors").handles == 4
