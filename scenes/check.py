"""What types cannot say about a scene: names that match, files that exist, materials that are possible."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from typing import NamedTuple

from scenes.schema import BodyPart, MaterialChoice, Scene
from scenes.yaml_tree import YamlPath
from sim.errors import MaterialError
from sim.material import Material


class Problem(NamedTuple):
    """Something wrong in a scene."""

    path: YamlPath
    """Where."""
    reason: str
    """What is wrong and what would be right, without a full stop."""


def check_scene(scene: Scene) -> Iterator[Problem]:
    """The problems of a scene whose paths are absolute, in the order of the file."""
    names: dict[str, int] = {}
    for index, body in enumerate(scene.bodies):
        path: YamlPath = ("bodies", index)
        if body.name in names:
            first = f"bodies[{names[body.name]}]"
            yield Problem((*path, "name"), f"{first} is already called {body.name!r}; names must differ")
        names.setdefault(body.name, index)
        yield from _check_body(body, path)
    for index, event in enumerate(scene.events):
        if event.grab.body not in names:
            close = difflib.get_close_matches(event.grab.body, names, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, names))}"
            yield Problem(
                ("events", index, "grab", "body"), f"there is no body {event.grab.body[:40]!r}; {advice}"
            )


def material_of(choice: MaterialChoice) -> Material:
    """The material that a scene names or spells out.

    Raises:
        MaterialError: an unknown preset, or impossible numbers.
    """
    if isinstance(choice, str):
        return Material.preset(choice)
    return Material(choice.young, choice.poisson, choice.density, law=choice.law)


def _check_body(body: BodyPart, path: YamlPath) -> Iterator[Problem]:
    if os.path.isdir(body.mesh):
        yield Problem(
            (*path, "mesh"), f"{body.mesh!r} is a folder; name a mesh file such as .obj, .ply or .glb"
        )
    elif not os.path.isfile(body.mesh):
        yield Problem((*path, "mesh"), f"there is no mesh file {body.mesh!r}")
    if body.weights is not None:
        yield from _check_weights(body.weights, (*path, "weights"))
    law = None
    try:
        law = material_of(body.material).law
    except MaterialError as error:
        yield Problem((*path, "material"), _clause(error))
    for index, region in enumerate(body.regions):
        if region.material is None:
            continue
        inner = (*path, "regions", index, "material")
        try:
            other = material_of(region.material).law
        except MaterialError as error:
            yield Problem(inner, _clause(error))
        else:
            if law is not None and other != law:
                yield Problem(
                    inner, f"the body's law is {law!r}, so its regions must have it too, not {other!r}"
                )


def _check_weights(weights: str, path: YamlPath) -> Iterator[Problem]:
    if not weights.endswith(".safetensors"):
        yield Problem(path, f"weights are a .safetensors file, not {os.path.basename(weights)[:40]!r}")
    elif os.path.isdir(weights):
        yield Problem(path, f"{weights!r} is a folder; name a .safetensors file")
    elif not os.path.isdir(os.path.dirname(weights)):
        yield Problem(path, f"there is no folder {os.path.dirname(weights)!r} to keep the weights in")


def _clause(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]
