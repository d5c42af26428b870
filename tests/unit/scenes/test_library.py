"""The shipped scenes: they load, say all that a recording needs, and survive a save."""

import numpy as np
import pytest
import trimesh

from scenes.build import placement
from scenes.load import load_scene
from scenes.save import save_scene
from scenes.shipped import DEMO, find_scene, shipped_scenes
from sim.errors import SceneError

SCENES = shipped_scenes()


@pytest.fixture(params=SCENES)
def scene(request):
    return load_scene(SCENES[request.param])


def test_there_are_at_least_six_and_the_demo_is_one():
    assert len(SCENES) >= 6
    assert DEMO in SCENES


def test_each_scene_has_hands_a_camera_and_time_for_them(scene):
    assert scene.events
    assert scene.camera is not None
    assert max(event.until for event in scene.events) <= scene.record.seconds - 0.3


def test_each_scene_keeps_its_weights_beside_it(scene):
    files = {body.weights for body in scene.bodies}
    assert all(file is not None and file.startswith(str(find_scene(DEMO).parent)) for file in files)
    assert len(files) == len(scene.bodies)


def test_the_first_hand_takes_hold_of_the_body(scene):
    """Its point lies within reach of the mesh where the scene puts it (the floor may be a little lower)."""
    event = scene.events[0]
    part = next(body for body in scene.bodies if body.name == event.grab.body)
    vertices = np.asarray(trimesh.load(part.mesh, process=False).vertices)
    vertices = vertices * (part.scale or (part.size / np.ptp(vertices, axis=0).max() if part.size else 1.0))
    matrix = placement(part.transform)
    placed = vertices @ matrix[:, :3].T + matrix[:, 3]
    size = np.ptp(placed, axis=0).max()
    assert np.linalg.norm(placed - event.grab.point, axis=1).min() < 0.6 * size


def test_saving_and_loading_changes_nothing(scene, tmp_path):
    save_scene(scene, tmp_path / "copy.yaml")
    assert load_scene(tmp_path / "copy.yaml") == scene


def test_a_scene_is_found_by_path_or_by_name():
    assert find_scene("octopus") == SCENES["octopus"]
    assert find_scene(SCENES["octopus"]) == SCENES["octopus"]
    with pytest.raises(SceneError, match=r"Did you mean 'octopus'\? Shipped scenes: bunny,"):
        find_scene("octopuss")


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", "none/such.yaml"])
def test_a_name_that_is_nothing_is_refused_with_the_list(name):
    with pytest.raises(SceneError, match="gummy_bear"):
        find_scene(name)
