"""Motions: repeatable when simulated, gone on with where no hand holds, shown again when their meshes are gone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from app.motion import RecordedMotion, SimulatedMotion, open_motion, simulate
from scenes.load import load_scene
from sim.errors import StudioError, TrajectoryError
from sim.trajectory import Trajectory

SCENE = """
timestep: 1/60
floor: {height: 0, friction: 0.5}
bodies:
  - name: cube
    mesh: cube.obj
    material: {young: 2.0e4, poisson: 0.4, density: 1000}
    handles: 5
    samples: 512
    cubature: clusters
    train: {steps: 0}
    transform: {translate: [0, 0.1, 0]}
    color: [0.1, 0.5, 0.9]
  - name: pusher
    mesh: cube.obj
    handles: 2
    samples: 64
    cubature: clusters
    train: {steps: 0}
    kinematic: true
    transform: {translate: [0.6, 0.0, 0]}
    velocity: [-0.2, 0, 0]
events:
  - at: 0.2
    until: 0.4
    grab: {body: cube, point: [0.1, 0.3, 0.1], radius: 0.05}
    path: [[0.1, 0.3, 0.1], [0.2, 0.4, 0.1]]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    mesh = trimesh.creation.box((0.2, 0.2, 0.2))
    mesh.apply_translation((0, 0.1, 0))
    mesh.export(folder / "cube.obj")
    (folder / "scene.yaml").write_text(SCENE)
    return folder / "scene.yaml"


@pytest.fixture(scope="module")
def scene(file):
    return load_scene(file)


@pytest.fixture(scope="module")
def known(scene) -> Trajectory:
    return simulate(SimulatedMotion(scene, device="cpu"), 0.8)


def difference(one: Trajectory, other: Trajectory) -> float:
    """Largest difference of transforms, over the frames both have."""
    count = min(len(one), len(other))
    return max(
        float((a.transforms[:count] - b.transforms[:count]).abs().max())
        for a, b in zip(one.motions, other.motions, strict=True)
    )


def test_the_same_scene_moves_the_same_to_the_last_digit(scene, known):
    told = []
    again = simulate(SimulatedMotion(scene, device="cpu"), 0.8, told.append)
    assert len(again) == len(known) == len(told) + 1 == 49
    assert told[-1] == pytest.approx(0.8)
    assert difference(again, known) == 0.0


@pytest.mark.parametrize(("end", "taken"), [(0.1, 0.1), (0.3, 0.2), (0.395, 0.2), (0.45, 0.45), (0.0, 0.0)])
def test_it_is_taken_up_where_no_hand_holds_and_goes_on_as_before(scene, known, end, taken):
    motion = SimulatedMotion(scene, device="cpu", resume=known.cut(end))
    assert motion.resumed == pytest.approx(taken, abs=1 / 60)
    assert motion.resumed <= end
    motion.advance(0.8)
    again = motion.trajectory()
    assert torch.allclose(again.times, known.times)
    frames = round(motion.resumed * 60) + 1
    assert difference(again, known.cut(float(known.times[frames - 1]))) == 0.0
    assert (
        difference(again, known) < 2e-3
    )  # the solver's start values are no part of a file; its tolerance is 1e-4


def test_what_is_of_another_scene_is_not_gone_on_with(scene, known):
    cube, pusher = known.motions
    moved = replace(cube, vertices=cube.vertices + 1e-3)
    for motions, words in (
        ((moved, pusher), "another mesh"),
        ((replace(cube, name="ball"), pusher), "'ball'"),
        ((cube,), "1 bodies, the scene has 2"),
    ):
        with pytest.raises(TrajectoryError, match=words):
            SimulatedMotion(scene, device="cpu", resume=replace(known, motions=motions))


def test_times_between_steps_are_shown_on_a_line(scene, known):
    motion = SimulatedMotion(scene, device="cpu")
    for time in (0.0, 0.0125, 0.1, 0.31):
        motion.show(time)
        wanted = known.transforms_at(time)
        for body, transforms in zip(motion.bodies, wanted, strict=True):
            body_again = body.exact_positions()
            body.pose(transforms)
            assert (body.exact_positions() - body_again).abs().max() < 1e-12


def test_a_motion_is_shown_again_when_its_meshes_are_gone(known, tmp_path):
    known.save(tmp_path / "motion.safetensors")
    motion = open_motion(tmp_path / "motion.safetensors")
    assert isinstance(motion, RecordedMotion)
    assert motion.scene.bodies[0].color == (0.1, 0.5, 0.9)
    assert motion.scene.floor.height == 0
    assert motion.seconds == pytest.approx(0.8)
    motion.show(0.8)
    lowest = float(motion.bodies[0].positions()[:, 1].min())
    assert abs(lowest) < 0.05
    pushed = motion.bodies[1].exact_positions().mean(0) - motion.bodies[1].shape.vertices.mean(0)
    assert pushed.numpy() == pytest.approx([0.6 - 0.2 * 0.8, 0, 0], abs=1e-6)


def test_a_motion_whose_scene_is_of_other_bodies_is_refused(known):
    with pytest.raises(TrajectoryError, match="not what its scene says"):
        RecordedMotion(replace(known, scene_text=known.scene_text.replace("pusher", "puller")))
    with pytest.raises(StudioError, match="scene"):
        RecordedMotion(replace(known, scene_text="bodies: 3"))


def test_a_motion_of_no_scene_has_none(known):
    motion = RecordedMotion(replace(known, scene_text=""))
    assert motion.scene is None
    assert np.isfinite(motion.bodies[0].positions().numpy()).all()
