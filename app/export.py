"""Moving geometry for other tools: what is exported of a motion, and the choice of the format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from app.film_files import check_space
from app.motion import Motion
from scenes.check import material_of
from scenes.regions import contains
from scenes.schema import BodyPart
from sim.errors import StudioError
from sim.playback import PlayedBody

FORMATS = {
    "usd": "one file (.usdc, .usda, .usd) with a mesh for each body, time samples, weights and materials",
    "npz": "one NumPy file with positions, faces and weights",
    "obj": "a folder with an OBJ file for each body and frame",
    "ply": "a folder with a binary PLY file for each body and frame, weights as vertex properties",
}
"""Name and what it makes."""

_SUFFIXES = {".usd": "usd", ".usda": "usd", ".usdc": "usd", ".npz": "npz"}
_COLOR = (0.7, 0.7, 0.72)

OnFrame = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class ExportedBody:
    """A body as other tools see it.

    Attributes:
        name: as in the scene. played: where its vertices are. color: RGB from 0 to 1.
        young [Pa], poisson, density [kg/m3]: a number each, or one for each vertex, float64 (V,), where regions of the
            body are made of something else; None where the motion does not say.
        friction: with the floor.
    """

    name: str
    played: PlayedBody
    color: tuple[float, float, float]
    young: float | np.ndarray | None = None
    poisson: float | np.ndarray | None = None
    density: float | np.ndarray | None = None
    friction: float = 0.5


@dataclass(frozen=True, eq=False)
class Exported:
    """A motion at even moments.

    Attributes:
        bodies: in the scene's order. fps: frames a second. frames: how many. gravity: [m/s2] or None.
    """

    motion: Motion
    bodies: tuple[ExportedBody, ...]
    fps: float
    frames: int
    gravity: tuple[float, float, float] | None

    def positions(self) -> Iterator[list[np.ndarray]]:
        """Each frame's vertex positions [m], float64 (V, 3), one array a body."""
        for frame in range(self.frames):
            self.motion.show(frame / self.fps)
            yield [body.played.exact_positions().numpy() for body in self.bodies]

    @property
    def vertices(self) -> int:
        """Of all bodies together."""
        return sum(len(body.played.shape.vertices) for body in self.bodies)


def exported(motion: Motion, *, seconds: float, fps: float) -> Exported:
    """What will be written of a motion from time 0 to `seconds`, both ends included.

    Raises:
        StudioError: a rate or length that cannot be. MaterialError: of the scene.
    """
    if not (0 < fps <= 1000 and 0 <= seconds <= 36_000):
        raise StudioError(
            f"Export up to 36000 s at up to 1000 frames a second, not {seconds:g} s at {fps:g}."
        )
    scene = motion.scene
    floor = scene.floor if scene is not None else None
    bodies = tuple(
        _body(played, scene.bodies[number] if scene is not None else None, floor.friction if floor else 0.5)
        for number, played in enumerate(motion.bodies)
    )
    frames = int(seconds * fps + 1e-6) + 1
    return Exported(motion, bodies, fps, frames, scene.gravity if scene is not None else None)


def export_format(path: Path, wanted: str | None) -> str:
    """The key of `FORMATS` for a file's name and a person's wish.

    Raises:
        StudioError: they contradict each other, or mean nothing here.
    """
    suffix = path.suffix.lower()
    by_name = _SUFFIXES.get(suffix)
    if wanted is not None and wanted not in FORMATS:
        raise StudioError(f"There is no format {wanted!r}. " + _formats())
    if by_name is None and suffix and not path.is_dir():
        hint = (
            f"Give a folder for a sequence: -o {path.stem} --format {suffix[1:]}. "
            if suffix[1:] in FORMATS
            else ""
        )
        raise StudioError(f"{path.name}: a single {suffix} file cannot hold a motion. {hint}" + _formats())
    if by_name is None and wanted in ("usd", "npz"):
        ending = "usdc" if wanted == "usd" else wanted
        raise StudioError(f"{wanted} is one file: name it {path.name}.{ending}.")
    if by_name is not None and wanted not in (None, by_name):
        raise StudioError(f"{path.name} is a {by_name} file, which contradicts the format {wanted}.")
    return wanted or by_name or "obj"


def export(
    motion: Motion,
    path: str | os.PathLike,
    *,
    seconds: float,
    fps: float,
    format: str | None = None,
    on_frame: OnFrame = lambda frame: None,
) -> Path:
    """Write a motion for other tools; whole or not at all.

    Args:
        path: .usdc, .usda, .usd, .npz, or a folder for a sequence. seconds: from time 0. fps: frames a second.
        format: a key of `FORMATS`; from the name when None (a folder: obj). on_frame: told each frame's number.

    Returns:
        Where it is.

    Raises:
        StudioError: what cannot be, with what would be right; no room; a missing package, with how to get it.
    """
    path = Path(path)
    chosen = export_format(path, format)
    what = exported(motion, seconds=seconds, fps=fps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudioError(f"The folder {path.parent} cannot be made: {error.strerror or error}") from error
    size = {"usd": 12, "npz": 12, "obj": 30, "ply": 12}[chosen]
    check_space(path, needed=what.frames * what.vertices * size)
    if chosen == "usd":
        from app.export_usd import write_usd

        return write_usd(what, path, on_frame)
    if chosen == "npz":
        from app.export_arrays import write_npz

        return write_npz(what, path, on_frame)
    from app.export_meshes import write_meshes

    return write_meshes(what, path, chosen, on_frame)


def file_names(bodies: tuple[ExportedBody, ...]) -> list[str]:
    """A name for each body that any file system and USD take, all different."""
    names: list[str] = []
    for body in bodies:
        plain = (
            "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in body.name)[:60] or "body"
        )
        plain = plain if not plain[0].isdigit() else f"_{plain}"
        number, name = 2, plain
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _body(played: PlayedBody, part: BodyPart | None, friction: float) -> ExportedBody:
    if part is None:
        return ExportedBody(played.name, played, _COLOR)
    material = material_of(part.material)
    values = {name: getattr(material, name) for name in ("young", "poisson", "density")}
    regions = [region for region in part.regions if region.material is not None]
    if regions:
        vertices = played.shape.vertices
        values = {name: np.full(len(vertices), float(value)) for name, value in values.items()}
        for region in regions:
            other, inside = material_of(region.material), contains(region.where, vertices)
            for name, value in values.items():
                value[np.asarray(inside)] = float(getattr(other, name))
    return ExportedBody(played.name, played, part.color or _COLOR, **values, friction=friction)


def _formats() -> str:
    return "Formats: " + "; ".join(f"{name}: {text}" for name, text in FORMATS.items()) + "."


def handle_weights(body: ExportedBody) -> np.ndarray:
    """Weights at the vertices, float32, shape (V, H)."""
    return body.played.weights.to(torch.float32).numpy()
