"""msgspec's validation messages in the words of someone who wrote the file."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from scenes.schema import Part, Scene
from scenes.yaml_tree import YamlPath

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`", re.DOTALL)
_LENGTH = re.compile(
    r"Expected `(?P<type>array|str)` of (?:length (?P<exact>\d+)|length (?P<bound>[<>]=) (?P<limit>\d+))"
)
_TYPE = re.compile(r"Expected `(?P<expected>[^`]*)`(?:, got `(?P<got>[^`]*)`)?")
_BOUND = re.compile(r"Expected `(?P<type>[^`]*)` (?P<bound>[<>]=? \S+)")
_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping (key: value)",
    "null": "nothing",
}


def explain(message: str, path: YamlPath, value: object) -> tuple[YamlPath, str]:
    """What is wrong and what would be right.

    Args:
        message: of a msgspec.ValidationError, without its path.
        path: where it happened.
        value: the whole file's value.

    Returns:
        The path to point at, and a clause for a person.
    """
    if match := _UNKNOWN.fullmatch(message):
        return (*path, match["key"]), _unknown_key(match["key"], path)
    found = _show(_at(value, path))
    if match := _MISSING.fullmatch(message):
        return path, f"the key {match['key']!r} is missing here"
    if match := _LENGTH.match(message):
        return path, f"{_lengths(match)} is expected here, not {found}"
    if match := _BOUND.match(message):
        return path, f"{_words(match['type'])} {match['bound']} is expected here, not {found}"
    if match := _TYPE.match(message):
        return path, f"{_words(match['expected'])} is expected here, not {found}"
    if message.startswith("Invalid enum value"):
        return path, f"{_choices(path)} is expected here, not {found}"
    return path, message


def _unknown_key(key: str, path: YamlPath) -> str:
    part = _type_at(path)
    names = [field.encode_name for field in msgspec.structs.fields(part)] if part else []
    close = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    advice = f"did you mean {close[0]!r}?" if close else f"the keys here are {', '.join(names)}"
    return f"unknown key {key[:40]!r}; {advice}"


def _lengths(match: re.Match[str]) -> str:
    kind, unit = ("a list", "entry") if match["type"] == "array" else ("text", "character")
    if (match["exact"] or match["limit"]) != "1":
        unit = {"entry": "entries"}.get(unit, f"{unit}s")
    if match["exact"]:
        return f"{kind} of {match['exact']} {unit}"
    return f"{kind} of {'at least' if match['bound'] == '>=' else 'at most'} {match['limit']} {unit}"


def _words(expected: str) -> str:
    kinds = [_WORDS.get(kind.strip(), kind.strip()) for kind in expected.split("|")]
    kinds = [kind for kind in kinds if kind != "nothing"] or ["nothing"]
    return " or ".join(kinds)


def _choices(path: YamlPath) -> str:
    options = [option for option in _options(_type_at(path, leaf=True)) if isinstance(option, str)]
    return " or ".join(options) if options else "another word"


def _options(annotation: Any) -> list[object]:
    """The values of every Literal inside an annotation."""
    found: list[object] = []
    for argument in get_args(annotation):
        found += _options(argument) if get_origin(argument) or isinstance(argument, type) else [argument]
    return found


def _type_at(path: YamlPath, *, leaf: bool = False) -> Any:
    """The Part that a YAML path leads to (or, for a leaf, its annotation); None when it leads nowhere."""
    annotation: Any = Scene
    for step in path:
        parts = _parts(annotation)
        if isinstance(step, int):
            continue
        hints = [get_type_hints(part, include_extras=True) for part in parts]
        annotation = next((hint[step] for hint in hints if step in hint), None)
        if annotation is None:
            return None
    if leaf:
        return annotation
    return next(iter(_parts(annotation)), None)


def _parts(annotation: Any) -> list[type[Part]]:
    """The Part classes inside an annotation such as `tuple[BodyPart, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    arguments = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return [part for argument in arguments for part in _parts(argument)]


def _at(value: object, path: YamlPath) -> object:
    for step in path:
        there = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if step not in there:
            return None
        value = value[step]
    return value


def _show(value: object) -> str:
    """A found value, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value if len(value) <= 40 else value[:37] + '...'!r}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a mapping"
    return f"{value!r}"
