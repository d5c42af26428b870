"""What unit a mesh file's numbers are in, guessed from how large they are; and a scene around a bare mesh."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from scenes.schema import BodyPart, FloorPart, Scene, Transform
from sim.errors import ShapeError
from sim.mesh_files import USD_FORMATS, read_mesh

METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
"""Units a person can choose from."""

_TOY = 0.3  # size given to what fits no unit [m]
_DROP = 0.05  # height it starts above the floor, as a share of its size: one sees at once that it is soft


@dataclass(frozen=True)
class SizeGuess:
    """Metres per unit of a file, and what to tell the person: empty when the numbers are taken as metres."""

    scale: float
    remark: str


def guess_size(longest: float, suffix: str = "") -> SizeGuess:
    """Guess the unit from the longest side of the bounding box in the file's own numbers.

    Things one plays with are between 2 cm and 5 m. Numbers in that range are metres; larger ones are read as
    centimetres up to half a metre, then as millimetres (STL, the format of 3D printers, always as millimetres);
    what fits neither becomes 0.3 m. Inches cannot be told from centimetres: that is the person's to say.

    Args:
        longest: above 0. suffix: of the file, such as ".stl".
    """
    millimetres = suffix.lower() == ".stl" or longest > 50.0
    if 0.02 <= longest <= 5.0:
        return SizeGuess(1.0, "")
    if longest > 5.0 and longest <= 5000.0:
        unit, name = ("mm", "millimetres") if millimetres else ("cm", "centimetres")
        scale = METRES_PER_UNIT[unit]
        return SizeGuess(
            scale,
            f"Its numbers look like {name}, so it is {longest * scale:.3g} m long. Set its size if not.",
        )
    return SizeGuess(
        _TOY / longest, f"Its numbers fit no unit ({longest:.3g} long), so it was made {_TOY:g} m long."
    )


def scene_for_mesh(
    path: str | os.PathLike,
    *,
    size: float | None = None,
    scale: float | None = None,
    up: Literal["y", "z"] = "y",
) -> tuple[Scene, str]:
    """A scene with a bare mesh just above a floor, and a remark on its size.

    Args:
        size: longest side [m]. scale: metres per unit of the file. Without either, guessed.
        up: the axis of the file that points up.

    Raises:
        ShapeError: the file cannot be read, or has no extent; size and scale that are not positive, or both.
    """
    file = Path(path)
    if size is not None and scale is not None:
        raise ShapeError("Give a size or a scale, not both.")
    for name, value in (("size", size), ("scale", scale)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ShapeError(f"{name} must be a positive number, got {value!r}.")
    vertices = read_mesh(file).vertices
    with np.errstate(over="ignore"):
        longest = float(np.ptp(vertices, axis=0).max())
    if not (np.isfinite(longest) and longest > 0):
        raise ShapeError(
            f"{file.name} has no extent: its vertices lie in one place, or too far apart to tell."
        )
    remark = ""
    if size is not None:
        factor = float(size) / longest
    elif scale is not None:
        factor = float(scale)
    elif file.suffix.lower() in USD_FORMATS:
        factor = 1.0  # these files say their unit
    else:
        guess = guess_size(longest, file.suffix)
        factor, remark = guess.scale, guess.remark
    turned = vertices if up == "y" else vertices[:, [0, 2, 1]] * (1.0, 1.0, -1.0)
    low, high = turned.min(0) * factor, turned.max(0) * factor
    middle = (low + high) / 2
    body = BodyPart(
        name=file.stem[:200] or "body",
        mesh=os.path.abspath(file),
        size=None if size is None else float(size),
        scale=None if size is not None or factor == 1.0 else factor,
        transform=Transform(
            translate=(-float(middle[0]), float(_DROP * longest * factor - low[1]), -float(middle[2])),
            rotate=(0.0, 0.0, 0.0) if up == "y" else (-90.0, 0.0, 0.0),
        ),
    )
    return Scene(name=body.name, floor=FloorPart(height=0.0), bodies=(body,)), remark
