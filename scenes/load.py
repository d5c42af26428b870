"""A scene file becomes a `Scene`, or an error that says where the file is wrong and what would be right."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from scenes.check import Problem, check_scene
from scenes.complaint import explain
from scenes.schema import BodyPart, Scene
from scenes.yaml_tree import MOST_BYTES, YamlPath, YamlTree, dotted, parse_yaml
from sim.errors import SceneError

_FRACTION = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*/\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*")
_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[A-Za-z_][A-Za-z_0-9]*)|\[(?P<index>[0-9]+)\]")


def load_scene(path: str | os.PathLike) -> Scene:
    """Read and check a scene file.

    Args:
        path: a YAML file as described in `scenes.schema.Scene`.

    Returns:
        The scene. Its mesh and weights paths are absolute; relative ones start at the file's folder.
        A weights file need not exist yet (training writes it); a mesh must.

    Raises:
        SceneError: the file cannot be read or is wrong; the message names file, line, column and YAML path.
    """
    file = Path(path)
    return parse_scene(_read(file), source=str(path), folder=file.absolute().parent)


def parse_scene(text: str, *, source: str = "scene", folder: Path | None = None, check: bool = True) -> Scene:
    """Like `load_scene`, from text.

    Args:
        text: YAML.
        source: what messages call it.
        folder: where relative paths start; the working folder when left out.
        check: also whether its files are there and its names fit; not needed for showing a motion again.

    Raises:
        SceneError: the text is wrong.
    """
    tree = parse_yaml(text, source)
    try:
        scene = msgspec.convert(_with_timestep(tree, source), Scene)
    except msgspec.ValidationError as error:
        message, path = _split(str(error))
        path, reason = explain(message, path, tree.value)
        raise _scene_error(source, tree, path, reason) from error
    folder = Path(os.path.realpath(folder or Path.cwd()))
    bodies = tuple(_with_absolute_paths(body, folder) for body in scene.bodies)
    scene = msgspec.structs.replace(scene, bodies=bodies)
    problem: Problem | None = next(check_scene(scene), None) if check else None
    if problem is not None:
        raise _scene_error(source, tree, problem.path, problem.reason)
    return scene


def _read(file: Path) -> str:
    try:
        if file.is_dir():
            raise SceneError(f"{file}: this is a folder; name a scene file (.yaml) in it.")
        if not file.exists():
            raise SceneError(f"{file}: there is no such file.")
        if not file.is_file():
            raise SceneError(f"{file}: this is not an ordinary file; name a scene file (.yaml).")
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SceneError(f"{str(file)!r}: the file cannot be read: {reason}.") from error
    if len(content) > MOST_BYTES:
        raise SceneError(f"{file}: larger than {MOST_BYTES // 1000} kB; this cannot be a scene file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SceneError(
            f"{file}:{line}: not UTF-8 text at byte {error.start}; save the file as UTF-8."
        ) from error


def _with_timestep(tree: YamlTree, source: str) -> object:
    """The tree's value with a time step such as `1/60` worked out."""
    if not (isinstance(tree.value, dict) and isinstance(tree.value.get("timestep"), str)):
        return tree.value
    text = tree.value["timestep"]
    match = _FRACTION.fullmatch(text)
    if match is None or float(match[2]) == 0:
        reason = f"seconds are expected, such as 0.01 or 1/60, not the text {text[:40]!r}"
        raise _scene_error(source, tree, ("timestep",), reason)
    return {**tree.value, "timestep": float(match[1]) / float(match[2])}


def _with_absolute_paths(body: BodyPart, folder: Path) -> BodyPart:
    def absolute(path: str) -> str:
        return os.path.normpath(os.path.join(folder, path))

    return msgspec.structs.replace(
        body, mesh=absolute(body.mesh), weights=None if body.weights is None else absolute(body.weights)
    )


def _split(message: str) -> tuple[str, YamlPath]:
    """msgspec's message without its path, and the path."""
    match = _WHERE.search(message)
    if match is None:
        return message, ()
    steps = [
        int(step["index"]) if step["index"] is not None else step["key"]
        for step in _STEP.finditer(match["path"])
    ]
    return message[: match.start()], tuple(steps)


def _scene_error(source: str, tree: YamlTree, path: YamlPath, reason: str) -> SceneError:
    line, column = tree.place(path)
    at = f" {dotted(path)}:" if path else ""
    return SceneError(
        f"{source}:{line}:{column}:{at} {reason.rstrip('.?')}{'?' if reason.endswith('?') else '.'}"
    )
