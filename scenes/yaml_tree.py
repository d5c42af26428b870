"""YAML text to plain values, with the line of every one, safe against hostile files.

Events of the YAML parser are read one by one, so nothing is constructed but text, numbers, booleans, null,
lists and mappings. Scalars follow the YAML 1.2 core schema: `1e5` is a number and `on` is text, which is what
people mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from sim.errors import SceneError

Step = str | int
YamlPath = tuple[Step, ...]

MOST_BYTES = 1_000_000
"""Largest scene file read; a scene is a page of text."""
MOST_VALUES = 20_000
"""Most values after aliases are written out; stops files whose aliases multiply."""
MOST_DEPTH = 40
"""Deepest nesting; a scene needs eight."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}


@dataclass
class YamlTree:
    """A parsed file."""

    value: object
    """None, bool, int, float, str, lists and dicts with text keys of them; every number finite."""
    places: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    """Line and column, counted from 1, of each value; for mapping entries, of the key."""

    def place(self, path: YamlPath) -> tuple[int, int]:
        """Where the value at `path` is, or the nearest thing that holds it when it is not there."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def parse_yaml(text: str, source: str) -> YamlTree:
    """Read one YAML document.

    Args:
        text: the file's content.
        source: the file's name, for messages.

    Raises:
        SceneError: bad syntax, a tag, a repeated key, a key that is not text, a number that is not finite,
            more than one document, or a file too deep or too large; with line and column.
    """
    return _Reader(source).read(text)


def dotted(path: YamlPath) -> str:
    """A path as people write it: `bodies[0].mesh`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in path)
    return text.removeprefix(".")


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._places: dict[YamlPath, tuple[int, int]] = {}
        self._anchors: dict[str, tuple[object, int]] = {}
        self._count = 0

    def read(self, text: str) -> YamlTree:
        if not text.strip():
            raise SceneError(f"{self._source}: the file is empty; a scene needs at least a name and bodies.")
        try:
            events = iter(yaml.parse(text, Loader=_Loader))
            value = self._document(events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            reason = error.problem or error.context or "unreadable"
            line = text.splitlines()[mark.line : mark.line + 1] if mark else []
            hint = " Indent with spaces, not tabs." if "tab" in reason or "\t" in "".join(line) else ""
            raise SceneError(f"{self._source}{where}: this is not valid YAML: {reason}.{hint}") from error
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise SceneError(f"{self._source}: this is not valid YAML: {reason}.") from error
        return YamlTree(value, self._places)

    def _document(self, events: Iterator[yaml.Event]) -> object:
        event = next(events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            raise SceneError(f"{self._source}: the file holds only comments; a scene needs at least bodies.")
        value = self._value(event, events, ())
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, (), "a second document starts here; a scene file holds one")
        return value

    def _value(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: YamlPath, *, keep_place: bool = False
    ) -> object:
        """The value that `event` starts; consumes its events up to the matching end."""
        if not keep_place:
            self._places[path] = _position(event)
        self._spend(event, path, 1)
        if len(path) > MOST_DEPTH:
            self._refuse(event, path[:6], f"nested deeper than {MOST_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._refuse(event, path, f"*{event.anchor} is used before &{event.anchor} is complete")
            value, size = self._anchors[event.anchor]
            self._spend(event, path, size)
            return value
        self._refuse_tag(event, path)
        before = self._count
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                value.append(self._value(item, events, (*path, len(value))))
        else:
            value = self._mapping(events, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._count - before + 1)
        return value

    def _mapping(self, events: Iterator[yaml.Event], path: YamlPath) -> dict[str, object]:
        value: dict[str, object] = {}
        while not isinstance(item := next(events), yaml.MappingEndEvent):
            if not isinstance(item, yaml.ScalarEvent):
                self._refuse(item, path, "a key must be plain text")
            self._refuse_tag(item, path)
            key = item.value
            inner = (*path, key)
            if key in value:
                line = self._places[inner][0]
                self._refuse(item, inner, f"the key {key!r} is there twice, first in line {line}; keep one")
            self._places[inner] = _position(item)
            value[key] = self._value(next(events), events, inner, keep_place=True)
        return value

    def _scalar(self, event: yaml.ScalarEvent, path: YamlPath) -> object:
        text = event.value
        if not event.implicit[0]:  # quoted or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text) and len(text) < 19:
            return int(text)
        if FLOAT.fullmatch(text) or _INFINITE.fullmatch(text):
            number = float(text) if FLOAT.fullmatch(text) else math.inf
            if not math.isfinite(number):
                self._refuse(event, path, f"{_short(text)} is not a finite number")
            return number
        return text

    def _refuse_tag(self, event: yaml.Event, path: YamlPath) -> None:
        if event.tag is not None and event.tag != "!":
            self._refuse(event, path, f"the tag {_short(event.tag)} is not used in scene files; leave it out")

    def _spend(self, event: yaml.Event, path: YamlPath, count: int) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            self._refuse(event, path[:6], f"the file holds more than {MOST_VALUES} values")

    def _refuse(self, event: yaml.Event, path: YamlPath, reason: str) -> NoReturn:
        line, column = _position(event)
        at = f" {dotted(path)}:" if path else ""
        raise SceneError(f"{self._source}:{line}:{column}:{at} {reason}.")


def _position(event: yaml.Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _plain(key: str) -> str:
    """A key as part of a message: short, on one line."""
    return "".join(character if character.isprintable() else "?" for character in _short(key))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
