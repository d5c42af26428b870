"""Saving scenes: what is saved loads as the same scene, and a failed save leaves the old file."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenes import schema as s
from scenes.load import load_scene
from scenes.save import save_scene
from sim.errors import SceneError
from sim.material import PRESETS


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    file = tmp_path_factory.mktemp("somewhere") / "a mesh.obj"
    file.write_text("v 0 0 0\n")
    return os.path.realpath(file)


def a_scene(mesh, **changes):
    return s.Scene(bodies=(s.BodyPart(name="body", mesh=mesh),), **changes)


number = st.floats(-1e6, 1e6, allow_subnormal=False)
positive = st.floats(1e-6, 1e6)
vector = st.tuples(number, number, number)
name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30) | st.sampled_from(
    [
        "no",
        "null",
        "1e5",
        "1/60",
        ".5",
        "12",
        "0x1F",
        "~",
        "- a",
        "a: b",
        "#",
        "2024-01-01",
        "1_000",
        "=",
        "<<",
        "é\n",
        " x ",
    ]
)
box = st.tuples(vector, vector).map(
    lambda pair: s.Box(min=tuple(map(min, *pair)), max=tuple(map(max, *pair)))
)
leaf = st.one_of(
    box.map(lambda value: s.Where(box=value)),
    st.builds(s.Sphere, center=vector, radius=positive).map(lambda value: s.Where(sphere=value)),
    vector.map(lambda point: s.Where(plane=s.Plane(point=point, normal=(0.0, 1.0, 0.0)))),
    st.builds(s.HalfSpace, axis=st.sampled_from("xyz"), above=number).map(
        lambda value: s.Where(half_space=value)
    ),
)
where = st.recursive(
    leaf,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda many: s.Where(any=tuple(many))),
    max_leaves=4,
)
material = st.sampled_from(sorted(PRESETS)) | st.builds(
    s.MaterialValues, young=st.floats(1.0, 1e12), poisson=st.floats(-0.9, 0.49), density=st.floats(0.01, 1e5)
)


@st.composite
def scenes(draw, mesh):
    bodies = tuple(
        s.BodyPart(
            name=body_name,
            mesh=mesh,
            size=draw(st.none() | positive),
            material=draw(material),
            regions=tuple(draw(st.lists(st.builds(s.Region, where=where, material=material), max_size=2))),
            handles=draw(st.integers(1, 512)),
            weights=draw(st.none() | st.just(str(Path(mesh).with_suffix(".safetensors")))),
            cubature=draw(st.sampled_from(["optimized", "clusters", 64])),
            transform=draw(st.builds(s.Transform, translate=vector, rotate=vector)),
            pins=tuple(
                draw(
                    st.lists(
                        st.builds(s.PinRegion, where=where, stiffness=st.just("hard") | positive), max_size=2
                    )
                )
            ),
            kinematic=draw(st.booleans()),
            color=draw(st.none() | st.just((1.0, 0.5, 0.0))),
        )
        for body_name in draw(st.lists(name, min_size=1, max_size=2, unique=True))
    )
    grab = st.builds(s.GrabPart, body=st.sampled_from([body.name for body in bodies]), point=vector)
    event = st.builds(
        s.Event,
        at=st.floats(0, 10),
        until=st.floats(11, 20),
        grab=grab,
        path=st.lists(vector, min_size=1, max_size=3).map(tuple),
    )
    return s.Scene(
        name=draw(name),
        timestep=draw(st.floats(1e-4, 0.1) | st.integers(1, 1000).map(lambda n: 1 / n)),
        gravity=draw(vector),
        floor=draw(st.none() | st.builds(s.FloorPart, height=number)),
        bodies=bodies,
        events=tuple(draw(st.lists(event, max_size=2))),
        camera=draw(st.none() | st.just(s.Camera(position=(0.0, 1.0, 2.0)))),
        record=draw(st.builds(s.Record, seconds=st.floats(0.1, 100), fps=st.floats(1, 240))),
    )


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_saved_scene_loads_as_the_same_scene(mesh, tmp_path, data):
    scene = data.draw(scenes(mesh))
    save_scene(scene, tmp_path / "scene.yaml")
    assert load_scene(tmp_path / "scene.yaml") == scene


def test_paths_in_the_file_are_relative_to_it(mesh, tmp_path):
    save_scene(a_scene(mesh), tmp_path / "scene.yaml")
    text = (tmp_path / "scene.yaml").read_text()
    assert str(tmp_path) not in text
    assert "mesh: ../" in text


def test_project_and_scene_can_move_together(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "m.obj").write_text("v 0 0 0\n")
    save_scene(a_scene(str(tmp_path / "old" / "m.obj")), tmp_path / "old" / "scene.yaml")
    (tmp_path / "old").rename(tmp_path / "new")
    assert load_scene(tmp_path / "new" / "scene.yaml").bodies[0].mesh == str(tmp_path / "new" / "m.obj")


def test_the_time_step_is_written_as_people_write_it(mesh, tmp_path):
    save_scene(a_scene(mesh, timestep=1 / 240), tmp_path / "scene.yaml")
    assert "timestep: 1/240\n" in (tmp_path / "scene.yaml").read_text()


def test_saving_through_a_link_to_the_folder_keeps_paths_right(mesh, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    save_scene(a_scene(mesh), tmp_path / "link" / "scene.yaml")
    assert load_scene(tmp_path / "link" / "scene.yaml") == a_scene(mesh)
    assert load_scene(tmp_path / "deep" / "er" / "scene.yaml") == a_scene(mesh)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gravity": (0.0, float("nan"), 0.0)}, r"gravity\[1\]: nan cannot be saved"),
        ({"timestep": 0.0}, "timestep"),
        ({"bodies": ()}, "bodies"),
        ({"name": 12}, "name"),
    ],
)
def test_a_scene_that_would_not_load_is_not_saved_and_the_old_file_stays(mesh, tmp_path, change, told):
    file = tmp_path / "scene.yaml"
    save_scene(a_scene(mesh), file)
    before = file.read_bytes()
    with pytest.raises(SceneError, match=told):
        save_scene(msgspec.structs.replace(a_scene(mesh), **change), file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scene.yaml"]


def test_a_missing_folder_or_a_folder_in_the_way_is_told(mesh, tmp_path):
    with pytest.raises(SceneError, match="cannot be written"):
        save_scene(a_scene(mesh), tmp_path / "none" / "scene.yaml")
    (tmp_path / "taken.yaml").mkdir()
    with pytest.raises(SceneError, match="cannot be written"):
        save_scene(a_scene(mesh), tmp_path / "taken.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.yaml"]


def test_permissions_of_the_replaced_file_stay(mesh, tmp_path):
    file = tmp_path / "scene.yaml"
    save_scene(a_scene(mesh), file)
    file.chmod(0o640)
    save_scene(a_scene(mesh, name="again"), file)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "text", ["\x85", "a\u2028b", "tab\there", "two\nlines", "\ufeffmark", "naïve 42", "1e5"]
)
def test_unusual_text_comes_back_as_it_was(mesh, tmp_path, text):
    scene = s.Scene(name=text, bodies=(s.BodyPart(name="b", mesh=mesh),))
    save_scene(scene, tmp_path / "scene.yaml")
    assert load_scene(tmp_path / "scene.yaml").name == text
