"""A `Scene` becomes a file that loads as the same scene."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
from pathlib import Path

import msgspec
import yaml

from scenes.check import check_scene
from scenes.schema import BodyPart, Scene
from scenes.yaml_tree import FLOAT, YamlPath, dotted
from sim.errors import SceneError


class _Dumper(yaml.SafeDumper):
    """Quotes every text that the reader would take for a number; never writes aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Text that holds unusual line breaks must be escaped: other styles fold them into blanks.
    style = '"' if not text.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{FLOAT.pattern})\\Z"), list("-+0123456789.")
)


def save_scene(scene: Scene, path: str | os.PathLike) -> None:
    """Write a scene file; mesh and weights paths become relative to its folder.

    The file is written beside and then renamed, so that a reader sees the old one or the new one, whole.
    `load_scene(path) == scene` afterwards, for a scene whose paths are absolute.

    Raises:
        SceneError: the scene is not valid, or the file cannot be written.
    """
    _require_valid(scene, path)
    file = Path(path)
    try:
        folder = Path(os.path.realpath(file.absolute().parent))
        text = scene_text(scene, folder)
        handle, beside = tempfile.mkstemp(prefix=f".{file.name[:40]}.", suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(beside, _mode(file))
            os.replace(beside, folder / file.name)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SceneError(f"{str(file)!r}: the scene cannot be written: {reason}.") from error


def scene_text(scene: Scene, folder: Path) -> str:
    """The YAML text of a scene that will lie in `folder`."""
    bodies = tuple(_with_relative_paths(body, folder) for body in scene.bodies)
    value = msgspec.to_builtins(msgspec.structs.replace(scene, bodies=bodies))
    fraction = round(1.0 / scene.timestep)
    if "timestep" in value and 1.0 / fraction == scene.timestep:
        value["timestep"] = f"1/{fraction}"
    return yaml.dump(
        value, Dumper=_Dumper, default_flow_style=None, sort_keys=False, allow_unicode=True, width=110
    )


def _require_valid(scene: Scene, path: str | os.PathLike) -> None:
    try:
        value = msgspec.to_builtins(scene)
        for where, number in _numbers(value, ()):
            if not math.isfinite(number):
                raise SceneError(f"{path}: {dotted(where)}: {number} cannot be saved; it must be finite.")
        msgspec.convert(value, Scene)
    except (msgspec.ValidationError, TypeError) as error:
        raise SceneError(f"{path}: this scene cannot be saved: {error}.") from error
    problem = next(check_scene(scene), None)
    if problem is not None:
        raise SceneError(f"{path}: this scene cannot be saved: {dotted(problem.path)}: {problem.reason}.")


def _numbers(value: object, path: YamlPath):
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _numbers(inner, (*path, index))


def _with_relative_paths(body: BodyPart, folder: Path) -> BodyPart:
    def relative(path: str) -> str:
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            return path

    return msgspec.structs.replace(
        body, mesh=relative(body.mesh), weights=None if body.weights is None else relative(body.weights)
    )


def _mode(file: Path) -> int:
    """Permissions of the file that is replaced, or what a new file gets."""
    try:
        return file.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
