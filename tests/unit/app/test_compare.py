"""`compare` from the command line to the files, on a small box."""

import json
import os
import signal
import threading

import pytest
import trimesh
from matplotlib import image

from app import cli
from app.comparison_plots import PLOTS
from optim import recipe_training

SCENE = """
name: small box
bodies:
  - name: block
    mesh: box.obj
    samples: 600
    material: {young: 5.0e4, poisson: 0.4, density: 1000}
    handles: 6
"""


@pytest.fixture
def scene(tmp_path):
    trimesh.creation.box(extents=(0.4, 0.1, 0.1)).export(tmp_path / "box.obj")
    (tmp_path / "box.yaml").write_text(SCENE)
    return tmp_path / "box.yaml"


def compare(scene, folder, *options):
    return cli.main(["compare", str(scene), "-o", str(folder), *options])


def test_a_report_of_a_small_box(scene, tmp_path, capsys):
    folder = tmp_path / "deep" / "report"
    options = ("--optimizers", "ns,adam-penalty,rkpm", "--steps", "8", "--seeds", "2", "--tune-steps", "2")
    assert compare(scene, folder, *options) == 0
    table = capsys.readouterr().out
    text = (folder / "report.md").read_text()
    report = json.loads((folder / "report.json").read_text())

    assert [method["name"] for method in report["methods"]] == ["ns", "adam-penalty", "rkpm"]
    for line in table.splitlines():
        if line.startswith("|"):
            assert line in text
    ns, penalty, rkpm = report["methods"]
    assert len(ns["tried"]) == len(penalty["tried"]) == 4
    assert not rkpm["tried"]
    for method in report["methods"]:
        assert [run["seed"] for run in method["runs"]] == [0, 1]
        for run in method["runs"]:
            steps, seconds = zip(*((p["step"], p["seconds"]) for p in run["points"]), strict=True)
            assert list(steps) == sorted(steps)
            assert 0 < seconds[0] <= seconds[-1]  # each with its own finish, which is never twice the same
            assert run["points"][-1]["measures"]["motion"] > 0
    assert ns["runs"][0]["points"][-1]["step"] == 8
    assert ns["runs"][0]["points"][-1]["measures"]["rank"] == pytest.approx(5, abs=1e-6)

    names = {"report.md", "report.json"} | {plot.file for plot in PLOTS}
    assert set(os.listdir(folder)) == names
    for plot in PLOTS:
        assert plot.file in text
        pixels = image.imread(folder / plot.file)
        assert min(pixels.shape[:2]) > 300
        assert pixels[..., :3].std() > 0.05  # something is drawn on it


def test_an_unknown_optimizer_is_told_before_anything_is_done(scene, tmp_path, capsys):
    assert compare(scene, tmp_path / "report", "--optimizers", "ns,nonsense") == 2
    told = capsys.readouterr()
    assert "nonsense" in told.err
    for name in ("ns", "adam", "muon", "curvature", "rkpm", "ns-text"):
        assert name in told.err
    assert "references" not in told.err
    assert not (tmp_path / "report").exists()


def interrupt_at(monkeypatch, count):
    """Ctrl-C when a recipe has taken so many steps in all."""
    steps = []
    step = recipe_training.RecipeRun.step

    def counted(self, progress):
        steps.append(1)
        if len(steps) == count:
            signal.raise_signal(signal.SIGINT)
        return step(self, progress)

    monkeypatch.setattr(recipe_training.RecipeRun, "step", counted)
    return steps


def test_ctrl_c_keeps_what_is_done(scene, tmp_path, monkeypatch, capsys):
    steps = interrupt_at(monkeypatch, 5)
    options = ("--optimizers", "rkpm,ns-text,cosine", "--steps", "50", "--seeds", "1", "--tune-steps", "0")
    assert compare(scene, tmp_path / "report", *options) == 130
    assert len(steps) == 5
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["stopped"]
    assert [m["name"] for m in report["methods"]] == ["rkpm", "ns-text"]
    assert report["methods"][1]["runs"][0]["points"][-1]["step"] == 5
    assert report["methods"][1]["runs"][0]["note"] == "stopped by hand"
    assert "Stopped by hand" in (tmp_path / "report" / "report.md").read_text()
    assert threading.current_thread() is threading.main_thread()


def test_ctrl_c_before_the_first_run_writes_nothing(scene, tmp_path, monkeypatch, capsys):
    interrupt_at(monkeypatch, 1)
    options = ("--optimizers", "ns-text", "--steps", "50", "--seeds", "1", "--tune-steps", "5")
    assert compare(scene, tmp_path / "report", *options) == 130
    assert "nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one(scene, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "report"
    options = ("--optimizers", "cosine", "--seeds", "1")
    assert compare(scene, folder, *options) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "energy.png").unlink()
    (folder / "energy.png").mkdir()  # where a picture should go
    assert compare(scene, folder, *options) == 2
    assert "Cannot write the report" in capsys.readouterr().err
    assert not list(folder.glob(".*"))
    assert (folder / "report.md").read_bytes() == before["report.md"]
