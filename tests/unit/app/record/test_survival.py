"""What is left of a film when the process is killed, or the disk is full."""

import os
import shutil
import signal
import subprocess
import sys

import av
import pytest
from unit.app.record.films import blue_of, frames_of, noise, picture

from app.film_files import RESERVE, keep_interrupted
from app.fragments import cut_to_whole_fragments
from app.recorder import Recorder
from sim.errors import StudioError

RECORD_FOR_EVER = """
import sys
from unit.app.record.films import picture
from app.recorder import Recorder
recorder = Recorder(sys.argv[1], (64, 48), 25)
number = 0
while True:
    recorder.put(picture(number))
    number += 1
    if number % 100 == 0:
        while recorder.waiting:
            pass
        print(number, flush=True)
"""


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.webm", "film"])
def test_a_killed_recording_leaves_no_film_but_a_part_that_plays(tmp_path, name):
    path = tmp_path / name
    with subprocess.Popen(
        [sys.executable, "-c", RECORD_FOR_EVER, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        put = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    part = keep_interrupted(path)
    assert part.name == f"film.interrupted{path.suffix}"
    if part.is_dir():
        (part / ".part").unlink(missing_ok=True)  # what was being written when the end came
    frames = frames_of(part)
    assert put - 50 <= len(frames)  # what the encoder held back and the last second may be lost
    for number, frame in enumerate(frames):
        assert abs(blue_of(frame) - (number * 5) % 200) <= 12


def test_the_next_recording_keeps_what_an_interrupted_one_left(tmp_path):
    Recorder(tmp_path / "film.mp4", (64, 48), 25)._film._container.close()
    (tmp_path / "film.partial.mp4").write_bytes(b"what a killed recording left")
    with Recorder(tmp_path / "film.mp4", (64, 48), 25) as recorder:
        recorder.put(picture(0))
    assert (tmp_path / "film.interrupted.mp4").read_bytes() == b"what a killed recording left"
    assert len(frames_of(tmp_path / "film.mp4")) == 1


@pytest.mark.parametrize("name", ["film.mp4", "film.webm", "film"])
def test_a_disk_that_fills_up_ends_the_film_with_one_message_and_keeps_it(tmp_path, name):
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={RESERVE + 2**20}", "tmpfs", str(mount)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only; the file size limit below tests the rest")
    try:
        count = fill(mount / name)
        assert count > 0
        assert len(frames_of(mount / name)) == count
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def fill(path) -> int:
    """Record noise until it fails; the number of frames that the message says were kept."""
    size = (640, 480)
    recorder = Recorder(path, size, 25)
    pictures = [noise(number, size) for number in range(7)]

    def record_on() -> None:
        for number in range(2000):
            recorder.put(pictures[number % 7])

    with pytest.raises(StudioError, match="disk is full") as caught:
        record_on()
    with pytest.raises(StudioError) as again:
        recorder.finish()
    assert str(again.value) == str(caught.value)
    assert str(path) in str(caught.value)
    return int(str(caught.value).split("the ")[2].split(" frames")[0])


LIMITED = """
import resource, sys
from unit.app.record.films import noise
from app.recorder import Recorder
from sim.errors import StudioError
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
recorder = Recorder(sys.argv[1], (640, 480), 25)
try:
    pictures = [noise(number, (640, 480)) for number in range(7)]
    for number in range(2000):
        recorder.put(pictures[number % 7])
except StudioError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["film.mp4", "film.mov"])
def test_a_write_that_fails_at_once_keeps_whole_fragments(tmp_path, name):
    """A limit on the file's size comes without warning, as when another program fills the disk."""
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert done.stdout.startswith("The recording had to stop: ")
    assert str(path) in done.stdout
    frames = frames_of(path)
    assert len(frames) >= 1
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(StudioError, match=r"too little room .* MB are needed"):
        Recorder(tmp_path / "film.mov", (8000, 8000), 25, frames=10**9)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_between_fragments_changes_nothing_and_one_inside_is_moved_back(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "bf": "0", "sc_threshold": "0"})
        stream.width, stream.height = 64, 48
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(picture(number)[..., :3].copy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    whole = path.read_bytes()
    lengths = set()
    second = whole.index(b"moof", whole.index(b"moof") + 4) - 4
    for end in range(second, len(whole), 37):
        path.write_bytes(whole[:end])
        lengths.add(length := cut_to_whole_fragments(path))
        assert length <= end
        assert len(frames_of(path)) % 5 == 0
    assert len(lengths) >= 2
