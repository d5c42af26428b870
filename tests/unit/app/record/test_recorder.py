"""Pictures go in, a film comes out, in every kind; oracle: what PyAV decodes."""

import os
import threading

import av
import numpy as np
import pytest
from unit.app.record.films import SIZE, blue_of, frames_of, picture

from app.recorder import Recorder
from sim.errors import StudioError

KINDS = ["film.mp4", "film.mov", "film.webm", "film.gif", "film", "film.png"]


def record(path, count=40, fps=25, size=SIZE, **options) -> None:
    with Recorder(path, size, fps, **options) as recorder:
        for number in range(count):
            recorder.put(picture(number))
    return recorder.finish()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_film_has_the_frames_that_were_put_in_their_order(tmp_path, name):
    path = record(tmp_path / name)
    frames = frames_of(path)
    assert len(frames) == 40
    assert {(frame.width, frame.height) for frame in frames} == {SIZE}
    assert np.abs([blue_of(f) - (i * 5) % 200 for i, f in enumerate(frames)]).max() <= 12
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.webm"])
@pytest.mark.parametrize("fps", [24, 30000 / 1001, 60])
def test_a_film_says_its_rate_and_begins_at_zero(tmp_path, name, fps):
    path = record(tmp_path / name, fps=fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(fps, rel=1e-3)
        times = [frame.time for frame in container.decode(stream)]
    assert times == pytest.approx([n / fps for n in range(40)], abs=1.1e-3)  # webm counts milliseconds


@pytest.mark.parametrize("name", ["film.mp4", "film.mov"])
def test_a_finished_film_knows_its_number_of_frames_without_decoding(tmp_path, name):
    with av.open(str(record(tmp_path / name))) as container:
        assert container.streams.video[0].frames == 40


@pytest.mark.parametrize("name", ["film.mov", "film.gif", "film"])
def test_transparency_is_kept(tmp_path, name):
    frame = frames_of(record(tmp_path / name, count=2, transparent=True))[0]
    alpha = frame.to_ndarray(format="rgba")[..., 3]
    assert alpha[:, :24].min() >= 250
    wanted = 0 if name.endswith("gif") else 64  # a GIF's pixels are there or not
    assert np.abs(alpha[:, 40:].astype(int) - wanted).max() <= 6


def test_transparency_is_kept_in_webm(tmp_path):
    path = record(tmp_path / "film.webm", count=2, transparent=True)
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata.get("alpha_mode") == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder leaves alpha out
        packet = next(p for p in container.demux(video=0) if p.size)
        frame = (decoder.decode(packet) + decoder.decode(None))[0]
    alpha = frame.to_ndarray(format="rgba")[..., 3] if frame.format.name.startswith("yuva") else None
    if alpha is None:
        pytest.skip(f"this build of libvpx decodes without alpha ({frame.format.name})")
    assert alpha[:, :24].min() >= 250
    assert alpha[:, 40:].max() <= 80


def test_a_picture_of_another_size_is_cut_to_shape_and_scaled(tmp_path):
    wide = np.zeros((100, 300, 4), np.uint8)
    wide[..., 1], wide[..., 3] = 255, 255
    wide[:, :50] = wide[:, 250:] = (255, 0, 0, 255)  # beside the middle 2:1, of a 2:1 film
    with Recorder(tmp_path / "film.mov", (80, 40), 10) as recorder:
        recorder.put(wide)
    shown = frames_of(tmp_path / "film.mov")[0].to_ndarray(format="rgb24")
    assert shown.shape == (40, 80, 3)
    assert shown[..., 0].max() < 40
    assert shown[..., 1].min() > 215


def test_the_film_keeps_its_rate_whatever_the_rate_of_the_screen(tmp_path):
    with Recorder(tmp_path / "film", SIZE, 30) as recorder:
        taken = []
        for step in range(61):  # 60 pictures a second on screen, one second
            taken.append(recorder.due(step / 60))
            for _ in range(taken[-1]):
                recorder.put(picture(step))
        assert set(taken) == {0, 1}
        assert recorder.frames == 31
        for step in range(1, 11):  # then 10 a second
            for _ in range(recorder.due(1 + step / 10)):
                recorder.put(picture(step))
        assert recorder.frames == 61
        assert recorder.seconds == pytest.approx(61 / 30)


def test_a_jump_in_time_leaves_no_gap_and_standing_time_records_nothing(tmp_path):
    with Recorder(tmp_path / "film", SIZE, 30) as recorder:
        for time in (0.0, 0.0, 5.0, 5.0, 0.1, 0.1, 0.1 + 1 / 30):
            for _ in range(recorder.due(time)):
                recorder.put(picture(0))
    assert recorder.frames == 4


def test_a_full_queue_makes_put_wait_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("app.recorder.QUEUE_BYTES", 0)  # the least: two pictures
    recorder = Recorder(tmp_path / "film", SIZE, 30)
    gate = threading.Event()
    write = recorder._film.write
    recorder._film.write = lambda image: (gate.wait(60), write(image))
    opener = threading.Timer(0.3, gate.set)
    opener.start()
    for number in range(10):
        recorder.put(picture(number))
    assert recorder.waited > 0.1
    assert len(frames_of(recorder.finish())) == 10


def test_the_callers_buffer_may_be_used_again(tmp_path):
    buffer = picture(10)
    with Recorder(tmp_path / "film", SIZE, 30) as recorder:
        for number in range(8):
            buffer[:] = picture(number)
            recorder.put(buffer)
    assert [blue_of(f) for f in frames_of(tmp_path / "film")] == [5 * n for n in range(8)]


@pytest.mark.parametrize(
    ("name", "size", "fps", "options", "words"),
    [
        ("film.avi", SIZE, 30, {}, r"\.mp4: H.264"),
        ("film.mp4", (63, 48), 30, {}, "even"),
        ("film.mp4", (8, 8), 30, {}, "16 and 8192"),
        ("film.gif", SIZE, 60, {}, "at most 50"),
        ("film.mp4", SIZE, 0, {}, "frames a second"),
        ("film.mp4", SIZE, float("nan"), {}, "frames a second"),
        ("film.mp4", SIZE, 30, {"transparent": True}, r"\.mov, \.webm or \.png"),
    ],
)
def test_impossible_films_are_refused_with_what_would_be_right(tmp_path, name, size, fps, options, words):
    with pytest.raises(StudioError, match=words):
        Recorder(tmp_path / name, size, fps, **options)
    assert list(tmp_path.iterdir()) == []


def test_no_pictures_make_no_film_and_leave_nothing(tmp_path):
    for name in KINDS:
        with pytest.raises(StudioError, match="no picture came"):
            Recorder(tmp_path / name, SIZE, 25).finish()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StudioError, match="file"):
        Recorder(tmp_path / "file" / "film.mp4", SIZE, 30)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    folder = tmp_path / "film"
    record(folder, count=3)
    record(folder, count=2)  # pictures of an earlier recording are replaced
    assert sorted(os.listdir(folder)) == ["frame_00000.png", "frame_00001.png"]
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(StudioError, match="other files"):
        Recorder(folder, SIZE, 30)
    assert (folder / "letter.txt").read_text() == "mine"


def test_a_film_that_is_cut_plays_and_ends_with_what_was_encoded(tmp_path, monkeypatch):
    """The encoder is held at its third picture while more come."""
    import app.recorder

    held, reached = threading.Event(), threading.Event()
    open_film = app.recorder.open_film

    def slow(*arguments, **options):
        film = open_film(*arguments, **options)
        write, count = film.write, iter(range(1000))

        def hold(image):
            if next(count) == 2:
                reached.set()
                assert held.wait(30)
            write(image)

        film.write = hold
        return film

    monkeypatch.setattr(app.recorder, "open_film", slow)
    recorder = Recorder(tmp_path / "film.mp4", SIZE, 25)
    for number in range(12):
        recorder.put(picture(number))
    assert reached.wait(30)
    recorder.cut()
    held.set()
    path = recorder.finish()
    assert recorder.frames == 3
    frames = frames_of(path)
    assert np.abs([blue_of(f) - (i * 5) % 200 for i, f in enumerate(frames)]).max() <= 12
    assert len(frames) == 3
