"""Trajectories: what was simulated comes back, exactly at its frames, on a line between; hostile files are refused."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sample_bodies import box_shape, make_body

from sim import HandleBasis, World
from sim.errors import StudioError, TrajectoryError
from sim.playback import played_bodies, show
from sim.trajectory import BodyMotion, Trajectory, TrajectoryLog, is_trajectory, place_in


@pytest.fixture
def moving():
    """A world of two falling, spinning boxes, its states, and the vertex positions at each."""
    world = World(device="cpu", timestep=1 / 50)
    world.floor(-0.4)
    world.add(make_body(name="left", handles=6), velocity=(0.3, 0.0, 0.0), angular_velocity=(1.0, 2.0, 0.0))
    world.add(
        make_body(box_shape((0.4, 0.5, 0.6), count=512), name="right"),
        [[1, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0]],
    )
    states, places = [world.state()], [[body.positions() for body in world.bodies]]
    for _ in range(30):
        world.step()
        states.append(world.state())
        places.append([body.positions() for body in world.bodies])
    return world, states, places


def trajectory_of(moving, **options) -> Trajectory:
    world, states, _ = moving
    return Trajectory.of(world.bodies, states, timestep=world.timestep, **options)


def test_positions_at_the_frames_are_those_that_were_simulated(moving, tmp_path):
    trajectory_of(moving, scene_text="name: two boxes").save(tmp_path / "motion.safetensors")
    loaded = Trajectory.load(tmp_path / "motion.safetensors")
    assert (len(loaded), loaded.timestep, loaded.scene_text) == (31, 1 / 50, "name: two boxes")
    assert [motion.name for motion in loaded.motions] == ["left", "right"]
    bodies = played_bodies(loaded)
    world, states, places = moving
    for state, expected in zip(states, places, strict=True):
        show(bodies, loaded.transforms_at(state.time))
        for body, wanted in zip(bodies, expected, strict=True):
            assert (body.positions() - wanted).abs().max() < 1e-6
            assert (body.exact_positions() - wanted.double()).abs().max() < 1e-6
    assert all(
        torch.equal(b.shape.faces, r.shape.faces.long()) for b, r in zip(bodies, world.bodies, strict=True)
    )


def test_between_frames_bodies_move_along_a_line(moving):
    trajectory = trajectory_of(moving)
    places = moving[2]
    bodies = played_bodies(trajectory)
    show(bodies, trajectory.transforms_at((10 + 0.25) / 50))
    expected = torch.lerp(places[10][0], places[11][0], 0.25)
    assert (bodies[0].positions() - expected).abs().max() < 1e-6


def test_before_and_after_it_stands_still(moving):
    trajectory = trajectory_of(moving)
    for time, frame in ((-1.0, 0), (trajectory.start, 0), (trajectory.end, -1), (99.0, -1)):
        for found, motion in zip(trajectory.transforms_at(time), trajectory.motions, strict=True):
            assert torch.equal(found, motion.transforms[frame])


def test_a_state_made_of_it_goes_on_as_the_simulation_did(moving):
    world, states, _ = moving
    trajectory = trajectory_of(moving)
    for body, part, transforms, rates in zip(
        world.bodies,
        states[20].bodies,
        trajectory.transforms_at(states[20].time),
        trajectory.velocities_at(20),
        strict=True,
    ):
        scale = part.position.abs().max()
        assert np.abs(body.space.state_of(transforms.numpy()) - part.position.numpy()).max() < 1e-9 * scale
        velocity = body.space.state_of(rates.numpy())
        assert np.abs(velocity - part.velocity.numpy()).max() < 1e-6 * part.velocity.abs().max()


def test_a_log_that_grows_knows_what_the_trajectory_will(moving):
    world, states, _ = moving
    log = TrajectoryLog(world.bodies, timestep=world.timestep)
    for state in states[:12]:
        log.append_state(state)
    early = log.trajectory()
    for time in (0.0, 0.1, 0.123, 0.2, log.end):
        for mine, its in zip(log.transforms_at(time), early.transforms_at(time), strict=True):
            assert torch.allclose(mine, its, atol=1e-14)
    again = TrajectoryLog(world.bodies, timestep=world.timestep)
    again.extend(early.cut(0.1))
    assert again.end == pytest.approx(0.1)
    for state in states[6:]:
        again.append_state(state)
    whole = trajectory_of(moving)
    assert torch.equal(again.trajectory().times, whole.times)
    assert torch.equal(again.trajectory().motions[1].transforms, whole.motions[1].transforms)


def test_a_log_refuses_what_does_not_belong_to_it(moving):
    world, states, _ = moving
    log = TrajectoryLog(world.bodies[:1], timestep=world.timestep)
    with pytest.raises(TrajectoryError, match="Nothing was recorded"):
        log.trajectory()
    with pytest.raises(TrajectoryError, match="2 bodies"):
        log.append_state(states[0])
    log.append(0.5)
    with pytest.raises(TrajectoryError, match="order of time"):
        log.append(0.5)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (-1, (0, 0.0)),
        (0, (0, 0.0)),
        (0.5, (0, 0.5)),
        (1, (1, 0.0)),
        (2.5, (1, 0.75)),
        (3, (2, 0.0)),
        (9, (2, 0.0)),
    ],
)
def test_a_time_has_a_place_among_frames(time, expected):
    assert place_in([0.0, 1.0, 3.0], time) == expected


def test_weights_of_a_python_function_cannot_be_kept(tmp_path):
    basis = HandleBasis.from_function(lambda x: x[:, :1], handles=2)
    motion = BodyMotion(
        "f", basis, torch.zeros(3, 3).double(), torch.zeros(0, 3).long(), torch.zeros(1, 2, 3, 4).double()
    )
    with pytest.raises(StudioError, match="function"):
        Trajectory(torch.zeros(1).double(), (motion,)).save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


# -- files that are wrong -----------------------------------------------------------------------------------


@pytest.fixture
def file(moving, tmp_path):
    path = tmp_path / "motion.safetensors"
    trajectory_of(moving).save(path)
    return path


def rewritten(file, change) -> None:
    """Write the file's content again after `change(tensors, header)`."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()["simplicits_studio_trajectory"])
    tensors = load_file(file)
    change(tensors, header)
    save_file(tensors, file, metadata={"simplicits_studio_trajectory": json.dumps(header)})


def put(name, value):
    return lambda tensors, header: tensors.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        put("times", torch.zeros(31).double()),
        put("times", torch.full((31,), torch.nan).double()),
        put("times", torch.arange(30).double()),
        put("times", torch.arange(31).float()),
        put("body.0.faces", torch.full((1, 3), 99)),
        put("body.0.faces", torch.full((1, 3), -1)),
        put("body.0.faces", torch.zeros(4, 2).long()),
        put("body.0.vertices", torch.full((8, 3), torch.inf).double()),
        put("body.1.transforms", torch.zeros(31, 3, 3, 4).double()),
        put("body.1.transforms", torch.full((31, 8, 3, 4), torch.nan).double()),
        put("body.1.basis.mix", torch.zeros(2, 2).double()),
        put("body.7.faces", torch.zeros(1, 3).long()),
        put("body.x.faces", torch.zeros(1, 3).long()),
        lambda tensors, header: tensors.pop("body.0.transforms"),
        lambda tensors, header: tensors.pop("times"),
        lambda tensors, header: header.update(version=2),
        lambda tensors, header: header.update(timestep=0),
        lambda tensors, header: header.update(scene="x" * 2_000_000),
        lambda tensors, header: header.update(timestep="fast"),
        lambda tensors, header: (
            header.update(bodies=[]) or tensors.clear() or tensors.update(times=torch.zeros(0).double())
        ),
        lambda tensors, header: header.update(bodies="none"),
        lambda tensors, header: header.pop("bodies"),
        lambda tensors, header: header["bodies"][0]["basis"].update(kind="os.system"),
    ],
)
def test_a_damaged_file_is_refused_by_name(file, change):
    rewritten(file, change)
    with pytest.raises(TrajectoryError, match=r"motion\.safetensors is damaged"):
        Trajectory.load(file)


def test_a_file_cut_anywhere_is_refused(file):
    whole = file.read_bytes()
    for end in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(TrajectoryError, match="not a readable recorded motion"):
            Trajectory.load(file)
        assert not is_trajectory(file)


def test_other_files_are_told_apart(file, tmp_path):
    weights = tmp_path / "weights.safetensors"
    make_body().basis.save(weights)
    assert is_trajectory(file)
    assert not is_trajectory(weights)
    assert not is_trajectory(tmp_path / "none.safetensors")
    with pytest.raises(TrajectoryError, match="not a recorded motion"):
        Trajectory.load(weights)
    with pytest.raises(TrajectoryError, match="There is no recorded motion"):
        Trajectory.load(tmp_path / "none.safetensors")


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(moving, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrajectoryError, match="Cannot write the motion"):
        trajectory_of(moving).save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]
