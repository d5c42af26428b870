"""Exports read back by the tools they are for: pxr, trimesh, NumPy."""

import os

import numpy as np
import pytest
import trimesh
from sample_bodies import box_shape, make_body

from app.export import export, export_format
from app.motion import RecordedMotion
from sim import World
from sim.errors import StudioError
from sim.playback import played_bodies, show
from sim.trajectory import Trajectory, TrajectoryLog

SCENE = """
gravity: [0, -4.0, 0]
timestep: 1/50
floor: {height: -1, friction: 0.7}
bodies:
  - {name: "left box", mesh: a.obj, material: {young: 2.0e4, poisson: 0.4, density: 900}, color: [0.2, 0.4, 0.6]}
  - name: "right/box"
    mesh: b.obj
    material: {young: 1.0e5, poisson: 0.3, density: 1100}
    regions: [{where: {half_space: {axis: x, above: 0.5}}, material: {young: 5.0e5, poisson: 0.3, density: 2000}}]
"""


@pytest.fixture(scope="module")
def trajectory() -> Trajectory:
    world = World(device="cpu", timestep=1 / 50)
    world.add(make_body(name="left box", handles=4), angular_velocity=(0, 3, 0))
    world.add(make_body(box_shape((1, 0.5, 0.5), count=512), name="right/box", handles=3), velocity=(1, 0, 0))
    log = TrajectoryLog(world.bodies, timestep=1 / 50, scene_text=SCENE)
    log.append(0.0)
    for _ in range(20):
        world.step()
        log.append(world.time)
    return log.trajectory()


@pytest.fixture
def motion(trajectory) -> RecordedMotion:
    return RecordedMotion(trajectory)


def expected(trajectory: Trajectory, time: float) -> list[np.ndarray]:
    bodies = played_bodies(trajectory)
    show(bodies, trajectory.transforms_at(time))
    return [body.exact_positions().numpy() for body in bodies]


@pytest.mark.parametrize("name", ["motion.usdc", "motion.usda"])
def test_usd_comes_back_through_pxr(trajectory, motion, tmp_path, name):
    from pxr import Usd, UsdGeom, UsdPhysics, UsdShade

    seen = []
    path = export(motion, tmp_path / name, seconds=0.4, fps=25, on_frame=seen.append)
    assert seen == list(range(11))
    assert os.listdir(tmp_path) == [name]
    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdPhysics.GetStageKilogramsPerUnit(stage) == 1
    assert (stage.GetTimeCodesPerSecond(), stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (25, 0, 10)
    root = stage.GetDefaultPrim()
    physics = UsdPhysics.Scene(root.GetChild("physics"))
    assert physics.GetGravityMagnitudeAttr().Get() == 4
    assert tuple(physics.GetGravityDirectionAttr().Get()) == (0, -1, 0)
    meshes = [UsdGeom.Mesh(prim) for prim in root.GetChildren() if prim.IsA(UsdGeom.Mesh)]
    assert [mesh.GetPrim().GetName() for mesh in meshes] == ["left_box", "right_box"]
    for number, mesh in enumerate(meshes):
        faces = trajectory.motions[number].faces.numpy()
        assert np.array_equal(np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), faces)
        assert set(mesh.GetFaceVertexCountsAttr().Get()) == {3}
        assert mesh.GetSubdivisionSchemeAttr().Get() == "none"
        assert mesh.GetPointsAttr().GetTimeSamples() == list(range(11))
        for frame in (0, 5, 10):
            points = np.array(mesh.GetPointsAttr().Get(frame))
            wanted = expected(trajectory, frame / 25)[number]
            assert np.abs(points - wanted).max() < 1e-6
            extent = np.array(mesh.GetExtentAttr().Get(frame))
            assert np.abs(extent - [wanted.min(0), wanted.max(0)]).max() < 1e-6
        basis = trajectory.motions[number].basis
        weights = basis.weights(trajectory.motions[number].vertices).numpy()
        primvars = UsdGeom.PrimvarsAPI(mesh)
        for handle in range(basis.handles):
            primvar = primvars.GetPrimvar(f"handle_{handle:02d}")
            assert primvar.GetInterpolation() == "vertex"
            assert np.abs(np.array(primvar.Get()) - weights[:, handle]).max() < 1e-6
    shown = tuple(meshes[0].GetDisplayColorPrimvar().Get()[0])
    assert shown == pytest.approx((0.0331, 0.1329, 0.3185), abs=1e-4)  # linear light
    material = UsdShade.MaterialBindingAPI(meshes[0]).ComputeBoundMaterial()[0]
    values = UsdPhysics.MaterialAPI(material)
    assert values.GetDensityAttr().Get() == 900
    assert values.GetDynamicFrictionAttr().Get() == pytest.approx(0.7)
    assert material.GetPrim().GetAttribute("omniphysics:youngsModulus").Get() == 2e4
    assert material.GetPrim().GetAttribute("omniphysics:poissonsRatio").Get() == pytest.approx(0.4)
    young = np.array(UsdGeom.PrimvarsAPI(meshes[1]).GetPrimvar("youngsModulus").Get())
    stiff = trajectory.motions[1].vertices[:, 0].numpy() > 0.5
    assert set(young[stiff]) == {5e5}
    assert set(young[~stiff]) == {1e5}


def test_usd_validates(motion, tmp_path):
    """Oracle: USD's own validators, all of them."""
    from pxr import Usd, UsdValidation

    path = export(motion, tmp_path / "motion.usdc", seconds=0.1, fps=25)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(path)))
    assert [error.GetMessage() for error in found] == []


def test_usd_without_its_package_says_how_to_get_it(motion, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudioError, match="pip install usd-core"):
        export(motion, tmp_path / "motion.usdc", seconds=0.1, fps=10)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_a_sequence_comes_back_through_trimesh(trajectory, motion, tmp_path, kind):
    folder = export(motion, tmp_path / "frames", seconds=0.2, fps=20, format=kind)
    names = sorted(os.listdir(folder))
    assert names == sorted(f"{name}_{n:05d}.{kind}" for name in ("left_box", "right_box") for n in range(5))
    for number, name in enumerate(("left_box", "right_box")):
        for frame in (0, 4):
            mesh = trimesh.load(folder / f"{name}_{frame:05d}.{kind}", process=False)
            assert np.array_equal(mesh.faces, trajectory.motions[number].faces.numpy())
            wanted = expected(trajectory, frame / 20)[number]
            assert np.abs(mesh.vertices - wanted).max() < 1e-6
    assert os.listdir(tmp_path) == ["frames"]


def test_ply_carries_colours_and_weights(trajectory, motion, tmp_path):
    folder = export(motion, tmp_path / "frames", seconds=0, fps=20, format="ply")
    mesh = trimesh.load(folder / "left_box_00000.ply", process=False)
    assert mesh.visual.vertex_colors[0, :3].tolist() == [51, 102, 153]
    data = mesh.metadata["_ply_raw"]["vertex"]["data"]
    weights = trajectory.motions[0].basis.weights(trajectory.motions[0].vertices).numpy()
    assert np.abs(data["handle_03"].reshape(-1) - weights[:, 3]).max() < 1e-6


def test_npz_opens_without_pickle(trajectory, motion, tmp_path):
    path = export(motion, tmp_path / "motion.npz", seconds=0.4, fps=50)
    with np.load(path, allow_pickle=False) as data:
        assert data["names"].tolist() == ["left box", "right/box"]
        assert data["times"] == pytest.approx(np.arange(21) / 50)
        assert data["right_box.positions"].shape == (21, 8, 3)
        assert np.abs(data["right_box.positions"][20] - expected(trajectory, 0.4)[1]).max() < 1e-6
        assert np.array_equal(data["right_box.faces"], trajectory.motions[1].faces.numpy())
        assert np.abs(data["left_box.rest"] - trajectory.motions[0].vertices.numpy()).max() < 1e-6
        assert data["left_box.weights"].shape == (8, 4)


def test_a_motion_without_a_scene_can_be_exported(trajectory, tmp_path):
    from dataclasses import replace

    bare = RecordedMotion(replace(trajectory, scene_text=""))
    for name in ("motion.usda", "motion.npz", "frames"):
        assert export(bare, tmp_path / name, seconds=0.1, fps=10).exists()
    assert "omniphysics" not in (tmp_path / "motion.usda").read_text()


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("a.usdc", None, "usd"),
        ("a.usd", "usd", "usd"),
        ("a.NPZ", None, "npz"),
        ("frames", None, "obj"),
        ("frames", "ply", "ply"),
    ],
)
def test_the_name_says_the_format(tmp_path, name, wanted, expected):
    assert export_format(tmp_path / name, wanted) == expected


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        ("a.obj", None, "Give a folder"),
        ("a.fbx", None, "Formats: usd"),
        ("frames", "usd", r"name it frames\.usdc"),
        ("a.npz", "usd", "contradicts"),
        ("frames", "stl", "no format 'stl'"),
    ],
)
def test_a_name_that_fits_no_format_is_answered_with_one_that_does(tmp_path, name, wanted, words):
    with pytest.raises(StudioError, match=words):
        export_format(tmp_path / name, wanted)


@pytest.mark.parametrize("name", ["motion.usdc", "motion.npz", "frames"])
def test_what_is_interrupted_leaves_nothing(motion, tmp_path, name):
    def interrupt(frame: int) -> None:
        if frame == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(motion, tmp_path / name, seconds=0.4, fps=25, on_frame=interrupt)
    assert os.listdir(tmp_path) == []


def test_a_folder_with_other_files_is_left_alone(motion, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StudioError, match="other files"):
        export(motion, tmp_path, seconds=0, fps=10, format="obj")
    assert (tmp_path / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["motion.usdc", "motion.npz", "frames"])
def test_a_place_that_cannot_be_written_is_said(motion, tmp_path, name):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StudioError, match="file"):
        export(motion, tmp_path / "file" / name, seconds=0, fps=10)


def test_interpolated_frames_lie_between_simulated_ones(trajectory, motion, tmp_path):
    path = export(motion, tmp_path / "m.npz", seconds=0.04, fps=100)
    with np.load(path) as data:
        places = data["right_box.positions"].astype(float)
    assert np.abs(places[1] - (places[0] + places[2]) / 2).max() < 1e-6
    assert np.abs(places[2] - places[0]).max() > 1e-3
