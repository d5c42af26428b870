"""The camera of a film: through its moments, smoothly; round and back; from the command line."""

import numpy as np
import pytest

from app.film_camera import framing_camera, read_camera, shot_at, with_turntable
from scenes.load import parse_scene
from scenes.schema import Camera, CameraKey, Turntable
from sim.errors import SceneError, StudioError

PATH = Camera(
    position=(0, 0, 5),
    look_at=(0, 1, 0),
    field_of_view=40,
    path=(
        CameraKey(at=0.5, position=(0, 1, 4)),
        CameraKey(at=1.5, position=(2, 1, 4), look_at=(0, 0, 0), field_of_view=60),
        CameraKey(at=2.0, position=(4, 2, 1)),
        CameraKey(at=4.0, position=(4, 2, -3)),
    ),
)


def test_a_still_camera_stands_still():
    for time in (0, 3.7):
        shot = shot_at(Camera(position=(1, 2, 3), look_at=(0, 1, 0), field_of_view=30), time)
        assert (*shot.position, *shot.look_at, shot.field_of_view) == (1, 2, 3, 0, 1, 0, 30)


def test_a_path_passes_its_moments_and_holds_at_its_ends():
    for key in PATH.path:
        shot = shot_at(PATH, key.at)
        assert shot.position == pytest.approx(key.position)
        assert shot.look_at == pytest.approx(key.look_at or PATH.look_at)
        assert shot.field_of_view == pytest.approx(key.field_of_view or PATH.field_of_view)
    assert shot_at(PATH, 0.0).position == pytest.approx((0, 1, 4))
    assert shot_at(PATH, 99.0).position == pytest.approx((4, 2, -3))


def test_speed_along_a_path_has_no_jumps_and_is_zero_at_the_ends():
    def jumps(step: float) -> tuple:
        times = np.arange(0.3, 4.2, step)
        speed = np.diff([shot_at(PATH, time).position for time in times], axis=0) / step
        return np.abs(np.diff(speed, axis=0)).max(), speed[times[:-1] > 4 - 2 * step][0], speed[0]

    coarse, fine = jumps(4e-3), jumps(1e-3)
    assert fine[0] < 0.3 * coarse[0]  # a jump would stay, an acceleration counts for less time
    assert np.abs(fine[1]).max() < 0.02
    assert np.abs(fine[2]).max() == 0


def test_one_moment_is_a_still_camera():
    camera = Camera(position=(0, 0, 5), path=(CameraKey(at=1, position=(1, 0, 0)),))
    assert shot_at(camera, 7).position == pytest.approx((1, 0, 0))


@pytest.mark.parametrize(("clockwise", "expected"), [(False, (2, 1, 0)), (True, (-2, 1, 0))])
def test_a_turntable_goes_round_level_at_the_same_distance(clockwise, expected):
    camera = Camera(
        position=(0, 1, 2), look_at=(0, 0.5, 0), turntable=Turntable(seconds=8, clockwise=clockwise)
    )
    assert shot_at(camera, 2).position == pytest.approx(expected, abs=1e-12)  # a quarter, seen from above
    assert shot_at(camera, 8).position == pytest.approx((0, 1, 2), abs=1e-12)
    for time in np.linspace(0, 8, 17):
        shot = shot_at(camera, time)
        assert shot.position[1] == pytest.approx(1)
        assert np.linalg.norm(shot.position - shot.look_at) == pytest.approx(np.hypot(2, 0.5))


@pytest.mark.parametrize("aspect", [16 / 9, 0.5])
def test_a_framing_camera_sees_the_whole_box(aspect):
    low, high = np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, 2.5])
    camera = framing_camera(low, high, aspect)
    shot = shot_at(camera, 0)
    look = shot.look_at - shot.position
    look /= np.linalg.norm(look)
    right = np.cross(look, [0, 1, 0])
    right /= np.linalg.norm(right)
    up = np.cross(right, look)
    slope = np.tan(np.radians(shot.field_of_view) / 2)
    for corner in np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3):
        offset = corner - shot.position
        assert abs(offset @ up) < slope * (offset @ look)
        assert abs(offset @ right) < aspect * slope * (offset @ look)


def test_a_camera_is_read_from_six_numbers_or_a_scene(tmp_path):
    assert read_camera("0,0.3,1,0,0.1,0") == Camera(position=(0, 0.3, 1), look_at=(0, 0.1, 0))
    for wrong in ("1,2,3", "a,b,c,d,e,f", "0,0,0,0,0,nan", ""):
        with pytest.raises(StudioError, match="six numbers"):
            read_camera(wrong)
    with pytest.raises(SceneError, match="no such file"):
        read_camera(str(tmp_path / "none.yaml"))


def test_a_turntable_from_the_command_line():
    assert with_turntable(PATH, -6).turntable == Turntable(seconds=6, clockwise=True)
    assert with_turntable(PATH, 6).path == ()
    for wrong in (0, float("nan"), 1e9):
        with pytest.raises(StudioError, match="3600"):
            with_turntable(PATH, wrong)


SCENE = """
bodies: [{name: cube, mesh: cube.obj}]
camera:
  position: [0, 1, 2]
  %s
"""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("path: [{at: 1, position: [0, 0, 1]}, {at: 1, position: [0, 0, 2]}]", "order of time"),
        ("path: [{at: 2, position: [0, 0, 1]}, {at: 1, position: [0, 0, 2]}]", "order of time"),
        ("path: [{at: 0, position: [0, 0, 0]}]", "must not stand on"),
        ("path: [{at: -1, position: [0, 0, 1]}]", ">= 0"),
        ("path: [{position: [0, 0, 1]}]", "'at' is missing"),
        ("turntable: {seconds: 0}", "> 0"),
        ("turntable: {second: 5}", "did you mean 'seconds'"),
        ("{path: [{at: 1, position: [0, 0, 1]}], turntable: {seconds: 4}}", None),
    ],
)
def test_a_scene_says_where_its_camera_is_wrong(lines, words):
    if words is None:
        lines, words = "path: [{at: 1, position: [0, 0, 1]}]\n  turntable: {seconds: 4}", "not both"
    with pytest.raises(SceneError, match=words):
        parse_scene(SCENE % lines, check=False)


def test_a_scene_keeps_its_camera_over_saving():
    from pathlib import Path

    from scenes.save import scene_text

    text = SCENE % "path: [{at: 0, position: [0, 0, 1]}, {at: 1.5, position: [1, 0, 1], field_of_view: 60}]"
    scene = parse_scene(text, folder=Path("/"), check=False)
    assert parse_scene(scene_text(scene, Path("/")), folder=Path("/"), check=False) == scene
