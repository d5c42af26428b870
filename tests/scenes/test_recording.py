"""Films from the command line, with no display: each program in a process of its own, for one draws one scene only."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from app.cli import main
from app.motion import RecordedMotion, SimulatedMotion
from scenes.load import load_scene
from scenes.shipped import find_scene
from sim.trajectory import Trajectory

SCENE, SECONDS, FPS, SIZE = "jelly_cube", 0.5, 20, (320, 180)


def studio(*arguments: object, status: int = 0) -> str:
    """Run a command without a display; its output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**environment, "OMP_NUM_THREADS": "1"},
        timeout=240,
    )
    assert done.returncode == status, done.stderr[-2000:]
    return done.stdout + done.stderr


def film(path: Path) -> tuple[av.VideoStream, np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return stream, np.stack(frames)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A folder with film.mp4 of half a second, and its motion."""
    folder = tmp_path_factory.mktemp("recorded")
    said = studio(
        "record", SCENE, "-o", folder / "film.mp4", "--seconds", SECONDS, "--fps", FPS, "--size", "320x180",
        "--trajectory", folder / "motion.safetensors",
    )  # fmt: skip
    assert "10 frames, 20 a second, 320 x 180" in said
    return folder


def test_a_film_has_the_size_rate_and_number_of_frames_that_were_asked_for(recorded):
    stream, frames = film(recorded / "film.mp4")
    assert (stream.width, stream.height) == SIZE
    assert stream.average_rate == FPS
    assert stream.frames == len(frames) == 10
    assert stream.codec.name == "h264"


def test_something_moves_in_it(recorded):
    _, frames = film(recorded / "film.mp4")
    changed = np.abs(frames[5].astype(int) - frames[0]).max(axis=2) > 40
    assert 0.02 < changed.mean() < 0.9
    background = np.array([239, 243, 249])  # of the light theme, near enough
    assert np.abs(frames[:, :8, :8].astype(int) - background).max() < 12


def test_ffprobe_agrees(recorded):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed here; PyAV has looked at the same")
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_streams",
        "-of",
        "json",
        recorded / "film.mp4",
    ]
    stream = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"][0]
    assert (stream["width"], stream["height"], stream["r_frame_rate"]) == (*SIZE, "20/1")
    assert stream["nb_read_frames"] == "10"


def test_the_same_scene_gives_the_same_frames(recorded, tmp_path):
    """On one machine to the last level of brightness but one, in all but a few pixels at edges."""
    studio(
        "record", SCENE, "-o", tmp_path / "film.mp4", "--seconds", SECONDS, "--fps", FPS, "--size", "320x180"
    )
    _, once = film(recorded / "film.mp4")
    _, again = film(tmp_path / "film.mp4")
    assert (np.abs(once.astype(int) - again) > 1).mean() < 1e-4


def test_a_replay_at_another_size_and_rate_shows_the_same_motion(recorded, tmp_path):
    said = studio(
        "replay", recorded / "motion.safetensors", "-o", tmp_path / "film", "--size", "160x90", "--fps", 40
    )
    assert "20 frames, 40 a second, 160 x 90" in said
    pictures = [film(file)[1][0] for file in sorted((tmp_path / "film").iterdir())]
    assert len(pictures) == 20
    _, frames = film(recorded / "film.mp4")
    for number in (0, 4, 8):
        small = frames[number].reshape(90, 2, 160, 2, 3).mean(axis=(1, 3))
        difference = [np.abs(small - picture).mean() for picture in pictures]
        assert np.argmin(difference) == 2 * number  # of all moments this one looks most alike
        assert difference[2 * number] < 3  # edges and H.264 differ, places do not


def test_the_recorded_motion_is_the_simulated_one(recorded):
    trajectory = Trajectory.load(recorded / "motion.safetensors")
    simulated = SimulatedMotion(load_scene(find_scene(SCENE)), device="cpu")
    replayed = RecordedMotion(trajectory)
    for time in (0.0, 0.1, 0.2034, trajectory.end):
        simulated.show(time)
        replayed.show(time)
        for one, other in zip(simulated.bodies, replayed.bodies, strict=True):
            assert (one.exact_positions() - other.exact_positions()).abs().max() < 1e-6


def test_what_was_recorded_is_gone_on_with(recorded):
    """Half a second is known; the next half is what one simulation of a second gives."""
    scene = load_scene(find_scene(SCENE))
    known = Trajectory.load(recorded / "motion.safetensors")
    whole, resumed = SimulatedMotion(scene, device="cpu"), SimulatedMotion(scene, device="cpu", resume=known)
    assert resumed.resumed == pytest.approx(known.end)
    for time in (0.3, 0.8):
        whole.show(time)
        resumed.show(time)
        difference = whole.bodies[0].exact_positions() - resumed.bodies[0].exact_positions()
        # The solver starts each step from the last one's result, which a file does not keep; 1e-4 is its tolerance.
        assert difference.abs().max() < 2e-3 * 0.2
    assert len(resumed.trajectory()) == len(whole.trajectory())


def test_interrupted_it_keeps_what_was_filmed_and_simulated(tmp_path):
    command = [sys.executable, "-u", "-m", "app.cli", "record", SCENE, "-o", str(tmp_path / "film.mp4")]
    command += ["--size", "160x90", "--seconds", "600", "--trajectory", str(tmp_path / "motion.safetensors")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        seen = b""
        while not re.search(rb" ([5-9]|[0-9]{2,})/36000", seen):  # the progress bar has counted some frames
            seen += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=120)
    assert process.returncode == 130, complaint[-2000:]
    assert b"what was filmed so far is kept" in said
    _, frames = film(tmp_path / "film.mp4")
    assert len(frames) >= 5
    assert len(Trajectory.load(tmp_path / "motion.safetensors")) >= 5
    assert sorted(os.listdir(tmp_path)) == ["film.mp4", "motion.safetensors"]


def test_export_from_the_command_line(recorded, tmp_path):
    studio("export", recorded / "motion.safetensors", "-o", tmp_path / "motion.npz", "--fps", 10)
    with np.load(tmp_path / "motion.npz") as data:
        assert data["cube.positions"].shape[0] == 6
    said = studio("export", SCENE, "-o", tmp_path / "motion.fbx", status=2)
    assert "Formats: usd" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["record", "jelly_cube", "-o", "film.avi"], "not made here"),
        (["record", "jelly_cube", "-o", "film.mp4", "--size", "big"], "1280x720"),
        (["record", "jelly_cube", "-o", "film.mp4", "--transparent"], "cannot be transparent"),
        (["record", "jelly_cube", "-o", "film.mp4", "--seconds", "-1"], "36000 seconds"),
        (["record", "jelly_cube", "-o", "film.mp4", "--camera", "here"], "six numbers"),
        (["replay", "none.safetensors"], "no recorded motion"),
    ],
)
def test_wishes_that_make_no_film_are_answered_in_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert os.listdir(tmp_path) == []
