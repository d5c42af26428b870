"""Reading scene files: what is right loads, what is wrong is told with its place and the way out."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenes.load import load_scene, parse_scene
from scenes.schema import Scene
from sim.errors import SceneError

GOOD = """\
name: hanging bunny
timestep: 1/60            # s
gravity: [0, -9.81, 0]    # m/s2
floor: {height: 0, friction: 0.5}
bodies:
  - name: bunny
    mesh: ../meshes/bunny.obj
    size: 0.3
    material: soft rubber
    regions:
      - {where: {sphere: {center: [0, 0.1, 0], radius: 0.05}}, material: hard rubber}
    handles: 32
    train: {optimizer: ns, steps: 2000}
    weights: bunny.safetensors
    transform: {translate: [0, 0.5, 0], rotate: [0, 45, 0]}
    pins: [{where: {plane: {point: [0, 0.6, 0], normal: [0, 1, 0]}}}]
events:
  - at: 0.5
    grab: {body: bunny, point: [0.1, 0.6, 0.0], radius: 0.03}
    path: [[0.1, 0.6, 0], [0.4, 0.8, 0.2]]
    until: 1.5
camera: {position: [0, 1, 2], look_at: [0, 0.4, 0]}
record: {seconds: 4, fps: 60, size: [1280, 720]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for scene files, with the mesh that `GOOD` names beside it."""
    root = tmp_path_factory.mktemp("project")
    (root / "meshes").mkdir()
    (root / "meshes" / "bunny.obj").write_text("v 0 0 0\n")
    (root / "scenes").mkdir()
    return root / "scenes"


@pytest.fixture
def load(folder):
    def load_text(text):
        return parse_scene(text, source="s.yaml", folder=folder)

    return load_text


def refusal(load, text):
    with pytest.raises(SceneError) as caught:
        load(text)
    return str(caught.value)


def test_every_key_of_the_documented_scene_arrives(folder):
    (folder / "good.yaml").write_text(GOOD)
    scene = load_scene(folder / "good.yaml")
    body, event = scene.bodies[0], scene.events[0]
    assert scene.name == "hanging bunny"
    assert scene.timestep == 1 / 60
    assert scene.gravity == (0.0, -9.81, 0.0)
    assert (scene.floor.height, scene.floor.friction) == (0.0, 0.5)
    assert (body.name, body.size, body.scale, body.handles) == ("bunny", 0.3, None, 32)
    assert Path(body.mesh) == folder.parent / "meshes" / "bunny.obj"
    assert Path(body.weights) == folder / "bunny.safetensors"
    assert body.regions[0].where.sphere.center == (0.0, 0.1, 0.0)
    assert body.regions[0].material == "hard rubber"
    assert (body.train.optimizer, body.train.steps) == ("ns", 2000)
    assert body.transform.rotate == (0.0, 45.0, 0.0)
    assert body.pins[0].where.plane.point == (0.0, 0.6, 0.0)
    assert (event.at, event.until, event.grab.radius) == (0.5, 1.5, 0.03)
    assert event.path == ((0.1, 0.6, 0.0), (0.4, 0.8, 0.2))
    assert scene.camera.look_at == (0.0, 0.4, 0.0)
    assert scene.record.size == (1280, 720)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("size: 0.3", "sise: 0.3", "s.yaml:8:5: bodies[0].sise: unknown key 'sise'; did you mean 'size'?"),
        (
            "size: 0.3",
            "size: big",
            "s.yaml:8:5: bodies[0].size: a number is expected here, not the text 'big'",
        ),
        ("size: 0.3", "size: -1", "bodies[0].size: a number > 0.0 is expected here, not -1"),
        ("size: 0.3", "size: .nan", "s.yaml:8:11: bodies[0].size: .nan is not a finite number"),
        ("size: 0.3", "size: -.inf", "-.inf is not a finite number"),
        ("size: 0.3", "size: 0.3\n    scale: 2", "not both"),
        ("seconds: 4", "seconds: 1e999", "record.seconds: 1e999 is not a finite number"),
        ("seconds: 4", f"seconds: {'9' * 400}", "not a finite number"),
        ("rotate: [0, 45, 0]", "rotate: [0, 45]", "a list of 3 entries is expected here, not a list of 2"),
        ("rotate: [0, 45, 0]", "rotate: 45", "bodies[0].transform.rotate: a list is expected here, not 45"),
        ("soft rubber", "sofd rubber", "s.yaml:9:5: bodies[0].material: unknown material 'sofd rubber'"),
        (
            "hard rubber",
            "{young: 1e5, poisson: 0.5, density: 9}",
            "regions[0].material: material poisson = 0.5",
        ),
        (
            "hard rubber",
            "{young: 1e5, poisson: 0.4, density: 9, law: linear}",
            "the body's law is 'neo-hookean'",
        ),
        ("material: hard rubber", "pinned: false", "regions[0]: a region needs a material, or pinned: true"),
        (
            "handles: 32",
            "handles: 3.5",
            "s.yaml:12:5: bodies[0].handles: a whole number is expected here, not 3.5",
        ),
        ("handles: 32", "handles: 0", "bodies[0].handles: a whole number >= 1 is expected here, not 0"),
        ("handles: 32", "handles: true", "a whole number is expected here, not true"),
        ("handles: 32", "handles:", "a whole number is expected here, not nothing"),
        (
            "handles: 32",
            "cubature: best",
            "optimized or clusters or uniform is expected here, not the text 'best'",
        ),
        (
            "handles: 32",
            "handles: 32\n    handles: 9",
            "s.yaml:13:5: bodies[0].handles: the key 'handles' is there twice",
        ),
        ("handles: 32", "handles: !!int 32", "is not used in scene files"),
        ("handles: 32", "handles: !!python/object/apply:os.system ['true']", "is not used in scene files"),
        ("handles: 32", "? [a]\n    : 3", "a key must be plain text"),
        ("handles: 32", "handles: 32\n\tsize: 3", "Indent with spaces, not tabs"),
        ("handles: 32", "handles: *other", "*other is used before &other is complete"),
        (
            "timestep: 1/60",
            "timestep: 1/0",
            "timestep: seconds are expected, such as 0.01 or 1/60, not the text '1/0'",
        ),
        ("timestep: 1/60", "timestep: fast", "s.yaml:2:1: timestep: seconds are expected"),
        ("timestep: 1/60", "timestep: 0", "timestep: a number >= 1e-06 is expected here, not 0"),
        ("bunny.obj", "hare.obj", "s.yaml:7:5: bodies[0].mesh: there is no mesh file"),
        ("../meshes/bunny.obj", "../meshes", "is a folder; name a mesh file"),
        ("bunny.safetensors", "weights/bunny.safetensors", "there is no folder"),
        (
            "bunny.safetensors",
            "bunny.pt",
            "bodies[0].weights: weights are a .safetensors file, not 'bunny.pt'",
        ),
        ("body: bunny", "body: buny", "events[0].grab.body: there is no body 'buny'; did you mean 'bunny'?"),
        ("until: 1.5", "until: 0.5", "events[0]: an event must end after it begins"),
        ("path: [[0.1, 0.6, 0], [0.4, 0.8, 0.2]]", "path: []", "a list of at least 1 entry is expected"),
        (
            "sphere: {center",
            "sfere: {center",
            "regions[0].where.sfere: unknown key 'sfere'; did you mean 'sphere'?",
        ),
        (
            "{plane: {point: [0, 0.6, 0], normal: [0, 1, 0]}}",
            "{}",
            "pins[0].where: a region is exactly one of box",
        ),
        ("normal: [0, 1, 0]", "normal: [0, 0, 0]", "a plane's normal must not be zero"),
        (
            "size: [1280, 720]",
            "size: [1280, 720, 3]",
            "record.size: a list of 2 entries is expected here, not a list of 3",
        ),
        ("look_at: [0, 0.4, 0]", "look_at: [0, 1, 2]", "must not stand on the point it looks at"),
        ("mesh: ../meshes/bunny.obj", "", "bodies[0]: the key 'mesh' is missing here"),
        ("optimizer: ns", "optimizer: ''", "text of at least 1 character is expected here, not the text ''"),
        (GOOD, "", "the file is empty"),
        (GOOD, "# nothing\n", "holds only comments"),
        (GOOD, "just words", "a mapping (key: value) is expected here, not the text 'just words'"),
        (GOOD, GOOD + "---\nname: again\n", "a second document starts here"),
        (GOOD, "bodies: []", "bodies: a list of at least 1 entry is expected"),
        (GOOD, "bodies: [", "this is not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(load, right, wrong, told):
    assert right in GOOD
    assert told in refusal(load, GOOD.replace(right, wrong, 1))


def test_two_bodies_may_not_share_a_name(load):
    body = GOOD[GOOD.index("  - name: bunny") : GOOD.index("events:")]
    message = refusal(load, GOOD.replace("events:", body + "events:"))
    assert "bodies[1].name: bodies[0] is already called 'bunny'" in message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1/60", 1 / 60), ("1 / 240", 1 / 240), ("0.01", 0.01), ("1e-2", 0.01), ("1.0e-2", 0.01)],
)
def test_time_steps_may_be_fractions_or_numbers(load, text, seconds):
    assert load(GOOD.replace("1/60", text)).timestep == seconds


def test_scalars_mean_what_people_mean(load):
    """YAML 1.2: `1e5` is a number, `no` and a date are text; a quoted number stays text."""
    assert (
        load(GOOD.replace("soft rubber", "{young: 1e5, poisson: 0.4, density: 1.0e+3}"))
        .bodies[0]
        .material.young
        == 1e5
    )
    for text in ("no", "2024-01-01", "'12'", "1:30"):
        assert load(GOOD.replace("hanging bunny", text)).name == text.strip("'")


def test_anchors_and_aliases_work_while_they_are_few(load):
    text = GOOD.replace("translate: [0, 0.5, 0]", "translate: &up [0, 0.5, 0]").replace(
        "look_at: [0, 0.4, 0]", "look_at: *up"
    )
    assert load(text).camera.look_at == (0.0, 0.5, 0.0)


def test_weights_need_not_exist_yet_but_their_folder_must(load, folder):
    assert not (folder / "bunny.safetensors").exists()
    assert load(GOOD).bodies[0].weights == str(folder / "bunny.safetensors")


HOSTILE = {
    "billion laughs": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "self reference": "a: &a [*a]",
    "deep flow": "[" * 100_000,
    "deep block": "- " * 400_000 + "x",
    "deep mapping": "{a: " * 50_000,
    "deep indentation": "".join(" " * k + f"k{k}:\n" for k in range(900)),
    "huge number": f"timestep: {'9' * 900_000}",
    "huge key": f"? {'k' * 900_000}\n: 1",
    "long list": "bodies: [" + "1, " * 300_000 + "1]",
    "too large": "#" * 1_100_000,
    "tag": "!!python/object/apply:os.system ['false']",
    "local tag": "!evil {a: 1}",
    "yaml directive": "%YAML 9.9\n---\na: 1",
    "merge key": "<<: {name: x}\nbodies: []",
    "nul escape": 'bodies: [{name: x, mesh: "\\0"}]',
    "nul": "name: \0",
    "control": "name: \x07",
    "unclosed quote": 'name: "',
    "surrogate escape": 'name: "\\ud800"\nbodies: [{name: "\\ud800", mesh: "\\ud800"}]',
    "long path": f"bodies: [{{name: x, mesh: {'m' * 190}/{'x' * 9}}}]",
    "tabs": "bodies:\n\t- name: x",
    "backtick": "name: `$.bodies[0]`",
    "odd unknown key": '"a` - at `$.b": 1',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_words(tmp_path, kind):
    file = tmp_path / "hostile.yaml"
    file.write_bytes(HOSTILE[kind].encode("utf-8", "surrogatepass"))
    with pytest.raises(SceneError) as caught:
        load_scene(file)
    message = str(caught.value)
    assert "hostile.yaml" in message
    assert len(message) < 700


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"name: \xff\xfe", "not UTF-8"), (GOOD.encode("utf-16"), "not UTF-8"), (b"\xef\xbb\xbf", "empty")],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, content, told):
    (tmp_path / "s.yaml").write_bytes(content)
    with pytest.raises(SceneError, match=told):
        load_scene(tmp_path / "s.yaml")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(SceneError, match="is a folder"):
        load_scene(tmp_path)
    with pytest.raises(SceneError, match="no such file"):
        load_scene(tmp_path / "none.yaml")
    with pytest.raises(SceneError, match="not an ordinary file"):
        load_scene("/dev/zero")
    for name in ("a\0b.yaml", "x" * 5000):
        with pytest.raises(SceneError):
            load_scene(name)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(GOOD.split()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*Scene.__struct_fields__, "where", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_typed_into_a_scene_it_loads_or_is_refused(load, data):
    """Cut, exchange and insert pieces of a good file at random places."""
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        piece = data.draw(
            st.sampled_from(
                [
                    "",
                    "[",
                    "]",
                    "{",
                    "}",
                    ": ",
                    "- ",
                    "\n",
                    "&a ",
                    "*a",
                    "!!",
                    "'",
                    '"',
                    "? ",
                    "|",
                    "\t",
                    "~",
                    "-1",
                    "1e999",
                    "%",
                ]
            )
            | st.text(max_size=6)
            | st.sampled_from(GOOD.splitlines(keepends=True))
        )
        text = text[:start] + piece + text[end:]
    assert loads_or_is_refused(load, text)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.sampled_from([line for line in GOOD.splitlines() if ": " in line]), value=VALUES)
def test_any_value_under_any_key_loads_or_is_refused(load, line, value):
    key = line.split(": ")[0]
    text = GOOD.replace(line, f"{key}: {_flow(value)}", 1)
    assert loads_or_is_refused(load, text)


def loads_or_is_refused(load, text):
    try:
        scene = load(text)
    except SceneError as error:
        return str(error).startswith("s.yaml:")
    return isinstance(scene, Scene) and math.isfinite(scene.timestep)


def _flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return "null" if value is None else str(value)
