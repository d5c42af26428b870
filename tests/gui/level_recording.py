"""Recording and exporting from the window, drawn by EGL. Run by test_window.py."""

import av
import numpy as np
import polyscope as ps
import pytest
from driver import Driver, write_scene

from app.live_recording import free_name
from app.window import open_window
from sim.trajectory import Trajectory

SIZE = (800, 500)


@pytest.fixture(scope="session", autouse=True)
def window():
    """One for the whole process: Polyscope can be started once."""
    open_window("openGL3_egl", SIZE)
    yield
    ps.shutdown()


@pytest.fixture
def box(tmp_path):
    """A soft box falling on the floor, playing; films go to a folder of its own."""
    driver = Driver()
    driver.open(write_scene(tmp_path))
    driver.session.play()
    driver.frames(2)
    folder = tmp_path / "films"
    folder.mkdir()
    driver.recording = driver.viewer.recording
    driver.recording.set_folder(str(folder))
    yield driver
    driver.close()


def frames_of(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def film(box, frames: int) -> np.ndarray:
    box.recording.toggle()
    assert box.recording.on, box.messages()
    box.frames(frames)
    box.recording.toggle()
    assert not box.recording.on
    box.until(lambda: box.recording.recorder is None, "the film is closed")
    assert box.recording.last is not None, box.messages()
    return frames_of(box.recording.last)


def test_a_film_has_its_own_size_and_rate(box):
    box.recording.choice.fps = 30
    pictures = film(box, 40)  # at 60 a second
    assert pictures.shape == (20, 720, 1280, 3)
    assert np.abs(pictures[-1].astype(int) - pictures[0]).max() > 40
    assert any("The film is" in message for message in box.messages())


def test_the_film_has_no_panels_and_the_scene_in_its_middle(box):
    box.session.pause()
    view = ps.get_camera_view_matrix().copy()
    picture = box.viewer.picture(False, False)
    assert picture.shape == (SIZE[1], SIZE[0], 4)
    assert np.array_equal(ps.get_camera_view_matrix(), view)
    backdrop = picture[2, 2, :3].astype(int)
    assert np.abs(picture[:, :40, :3] - backdrop).max() < 12  # where the column is on the screen
    colored = np.abs(picture[..., :3] - backdrop).max(axis=2) > 60
    assert colored.any()
    assert np.nonzero(colored)[1].mean() == pytest.approx(SIZE[0] / 2, abs=0.06 * SIZE[0])
    with_panels = box.viewer.picture(True, False)
    assert np.abs(with_panels[:, :40, :3].astype(int) - picture[:, :40, :3]).max() > 60
    cut = box.viewer.picture(False, True)
    assert cut[2, 2, 3] == 0
    assert cut[colored][:, 3].max() == 255


def test_recording_changes_nothing_that_moves(box):
    """The same two seconds, with and without a film."""
    box.session.reset()
    box.session.play()
    box.frames(30)
    without = box.session.positions(box.session.bodies[0]).copy()
    box.session.reset()
    box.session.play()
    film(box, 30)
    box.session.seek(30)
    assert np.array_equal(box.session.positions(box.session.bodies[0]), without)


def test_a_film_goes_on_over_a_reset_and_stands_with_time(box):
    box.recording.choice.fps = 60
    box.recording.toggle()
    box.frames(10)
    box.session.reset()
    box.frames(10)  # stopped: time stands still
    box.session.play()
    box.frames(10)
    box.recording.toggle()
    box.until(lambda: box.recording.recorder is None, "the film is closed")
    assert len(frames_of(box.recording.last)) == pytest.approx(21, abs=2)


def test_a_film_that_cannot_be_written_is_a_message(box, tmp_path):
    box.recording.folder = tmp_path / "films" / "none" / "\0"
    box.recording.toggle()
    assert not box.recording.on
    box.frames(2)
    assert box.messages()
    box.recording.set_folder("/no/such/folder")
    assert "no folder" in box.recording.problem


def test_a_disk_that_fills_up_ends_the_film_with_a_message(box, monkeypatch):
    box.recording.choice.fps = 60
    box.recording.toggle()
    box.frames(3)
    monkeypatch.setattr("app.video.space_is_short", lambda folder: True)
    box.frames(2)
    box.until(lambda: box.recording.recorder is None, "the film is closed")
    assert any("disk is full" in message for message in box.messages())
    box.frames(3)


def test_the_timeline_is_filmed_at_any_size_beside_the_window(box, tmp_path):
    box.frames(20)
    box.session.pause()
    target = tmp_path / "films" / "timeline.mp4"
    box.session.film_motion(target, size=(320, 180), fps=20.0, turn=4.0)
    assert box.session.exporting is not None
    box.until(lambda: box.session.exporting is None, "filmed", 240)
    pictures = frames_of(target)
    assert pictures.shape[1:] == (180, 320, 3)
    assert len(pictures) == pytest.approx(20 * box.session.timeline.time(box.session.timeline.last), abs=1)


def test_the_timeline_is_exported(box, tmp_path):
    box.frames(20)
    box.session.pause()
    for name in ("motion.usda", "motion.npz", "frames"):
        box.session.export_motion(tmp_path / "films" / name)
        box.until(lambda: not box.session.busy, "exported", 120)
        box.frames(1)
        assert (tmp_path / "films" / name).exists(), box.messages()


def test_an_export_can_be_stopped(box, tmp_path):
    box.frames(60)
    box.session.export_motion(tmp_path / "films" / "motion.usdc", fps=1000.0)
    box.session.cancel_export()
    box.until(lambda: not box.session.busy, "stopped", 120)
    box.frames(1)
    assert box.session.exporting is None
    assert list((tmp_path / "films").iterdir()) == []


def test_a_saved_motion_dropped_into_the_window_is_scrubbed(box, tmp_path):
    box.frames(30)
    box.session.pause()
    where = box.session.positions(box.session.bodies[0]).copy()
    last = box.session.timeline.last
    box.session.save_motion(tmp_path / "motion.safetensors")
    box.until(lambda: not box.session.busy, "saved")
    assert len(Trajectory.load(tmp_path / "motion.safetensors")) == last + 1
    box.viewer._drop([str(tmp_path / "motion.safetensors")])
    version = box.session.scene_version
    box.until(lambda: box.session.scene_version > version, "opened", 120)
    box.session.seek(last)
    assert np.abs(box.session.positions(box.session.bodies[0]) - where).max() < 1e-6


def test_names_are_free(tmp_path):
    assert free_name(tmp_path, "bear", ".mp4").name == "bear-1.mp4"
    (tmp_path / "bear-1.mp4").touch()
    assert free_name(tmp_path, "bear", ".mp4").name == "bear-2.mp4"
    assert free_name(tmp_path, "bear", ".png").name == "bear-1"


def test_closing_while_a_film_is_made_writes_it_to_its_end(box):
    box.recording.toggle()
    box.frames(20)
    taken = box.recording.recorder.frames
    box.viewer._wish_to_close()
    assert not box.viewer._done
    box.until(lambda: box.viewer._done, "it closes when the film is written")
    assert len(frames_of(box.recording.last)) >= taken > 5


def test_a_film_is_stopped_where_all_see_that_it_is_made(box):
    box.key("R", control=True)
    box.frames(20)
    box.button("stop film")
    assert not box.recording.on
    box.until(lambda: box.recording.recorder is None, "the film is closed")
    assert "stop film" not in box.ui.places
    assert box.recording.last.exists()


def test_closing_a_second_time_does_not_wait_for_the_film(box):
    box.recording.toggle()
    box.frames(20)
    box.viewer._wish_to_close()
    box.viewer._wish_to_close()
    assert box.viewer._done
    assert box.recording.recorder.waiting <= 1
    assert box.recording.closing
