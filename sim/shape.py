"""Shape: what a body fills. A surface to look at, and samples of the inside to compute with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from sim.errors import ShapeError
from sim.mesh_files import read_mesh
from sim.sampling import (
    CellsFirst,
    InsideTest,
    edge_pairs,
    outward,
    sample_inside,
    sample_shell,
    signed_volume,
)

_SHELL = 0.01  # thickness given to a surface that encloses nothing, as a share of its size
_FEWEST = 16  # interior samples under which a surface counts as enclosing nothing


@dataclass(frozen=True)
class ShapeReport:
    """What was found in a file, and what was done about it.

    Attributes:
        vertices, faces, components: counts. watertight: every edge has two faces. consistent: neighbours are
            wound alike. degenerate, duplicate: faces without area, and faces that stand twice.
        size: side lengths of the bounding box [m]. volume: [m3]. volume_source: how it was found.
        samples: how many. notes: what was done, in words.
    """

    vertices: int
    faces: int
    components: int
    watertight: bool
    consistent: bool
    degenerate: int
    duplicate: int
    size: tuple[float, float, float]
    volume: float
    volume_source: str
    samples: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        size = " x ".join(f"{side:.4g}" for side in self.size)
        closed = "watertight" if self.watertight else "not watertight"
        lines = [
            f"{self.vertices} vertices, {self.faces} faces, {self.components} piece(s), {closed}",
            f"size {size} m, volume {self.volume:.4g} m3 ({self.volume_source}), {self.samples} samples",
        ]
        if not self.consistent:
            lines.append("neighbouring faces are wound differently; the inside was found all the same")
        if self.degenerate or self.duplicate:
            lines.append(
                f"{self.degenerate} faces without area, {self.duplicate} duplicate faces: left as they are"
            )
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class Shape:
    """A solid at rest. Everything is on the CPU, float64 and in metres; see `load_shape` and `from_samples`.

    Attributes:
        vertices: [m], shape (V, 3), in the order of the file. faces: triangles, int64, shape (F, 3).
        samples: points inside [m], shape (N, 3). sample_volumes: [m3], shape (N,), summing to `volume`.
        volume: [m3]. report: what was found and done. name: of the file.
    """

    vertices: torch.Tensor
    faces: torch.Tensor
    samples: torch.Tensor
    sample_volumes: torch.Tensor
    volume: float
    report: ShapeReport
    name: str = "shape"
    _inside: InsideTest | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> float:
        """Longest side of the bounding box [m]."""
        return max(self.report.size)

    @property
    def centre(self) -> torch.Tensor:
        """Centre of volume [m], shape (3,)."""
        return self.sample_volumes @ self.samples / self.sample_volumes.sum()

    @property
    def solid(self) -> bool:
        """Whether a surface tells what is inside; else only the samples do."""
        return self._inside is not None

    def inside(self, points: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Which points [m], shape (n, 3), are inside the surface, shape (n,).

        Raises:
            ShapeError: this shape has no surface that encloses anything.
        """
        if self._inside is None:
            raise ShapeError(f"{self.name} has no closed surface to be inside of.")
        return torch.from_numpy(self._inside(torch.as_tensor(points).cpu().double().numpy()))

    def with_samples(self, count: int, *, seed: int = 0) -> Shape:
        """The same surface with other interior samples.

        Raises:
            ShapeError: this shape has no surface.
        """
        if not len(self.faces):
            raise ShapeError(f"{self.name} has no surface to sample again.")
        return _solid(self.vertices.numpy(), self.faces.numpy(), count, seed, self.name, self.report.notes)

    @staticmethod
    def from_samples(
        points: torch.Tensor | np.ndarray,
        volume: float,
        *,
        vertices: torch.Tensor | np.ndarray | None = None,
        faces: torch.Tensor | np.ndarray | None = None,
        name: str = "samples",
    ) -> Shape:
        """A solid of which only interior points are known.

        Args:
            points: evenly spread through the inside [m], shape (N, 3). volume: [m3].
            vertices, faces: a surface to look at, if there is one; the points themselves otherwise.

        Raises:
            ShapeError: no points, a wrong shape, values that are not finite, points in one plane, a volume that is
                not positive.
        """
        samples = _points(points, "samples")
        if not (isinstance(volume, int | float | np.number) and np.isfinite(volume) and volume > 0):
            raise ShapeError(f"The volume must be a positive number of cubic metres, got {volume!r}.")
        spread = np.linalg.svd(samples - samples.mean(0), compute_uv=False)
        if len(samples) > 3 and spread[-1] <= 1e-9 * spread[0]:
            raise ShapeError("The samples all lie in one plane: a solid needs some on both sides of it.")
        surface = samples if vertices is None else _points(vertices, "vertices")
        triangles = np.zeros((0, 3), dtype=np.int64)
        if faces is not None:
            triangles = torch.as_tensor(faces).cpu().long().numpy().copy().reshape(-1, 3)
            if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(surface)):
                raise ShapeError("A face refers to a vertex that is not there.")
        report = _describe(surface, triangles, float(volume), "as given", len(samples), ())
        return _assemble(surface, triangles, samples, float(volume), report, name, None)


def load_shape(
    path: str | os.PathLike,
    *,
    samples: int = 8192,
    seed: int = 0,
    size: float | None = None,
    scale: float | None = None,
) -> Shape:
    """Read a solid from a mesh or point file (`sim.mesh_files.FORMATS`).

    Args:
        samples: interior points to draw. seed: of their pattern; the same gives the same points.
        size: make the longest side of the bounding box this many metres. scale: or multiply the file's
            numbers by this to get metres. Without either, they are metres.

    Returns:
        The shape; `report` says what was found and done. A surface that encloses nothing becomes a thin
        shell, and a file with points only a solid through those points; the report says so.

    Raises:
        ShapeError: a file that cannot be read or that holds no solid, and arguments that are not positive.
    """
    path = Path(path)
    for name, value in (("size", size), ("scale", scale), ("samples", samples)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ShapeError(f"{name} must be a positive number, got {value!r}.")
    if size is not None and scale is not None:
        raise ShapeError("Give a size or a scale, not both.")
    raw = read_mesh(path)
    vertices, notes = raw.vertices, raw.notes
    with np.errstate(over="ignore"):
        longest = float((vertices.max(0) - vertices.min(0)).max())
    if not np.isfinite(longest) or longest <= 1e-12 * max(1.0, np.abs(vertices).max()):
        raise ShapeError(
            f"{path.name} has no extent: its vertices lie in one place, or too far apart to tell."
        )
    factor = size / longest if size is not None else (scale or 1.0)
    if factor != 1.0:
        vertices = vertices * factor
        notes = (*notes, f"multiplied by {factor:.6g} to get metres")
        if not np.isfinite(vertices).all():
            raise ShapeError(f"{path.name} multiplied by {factor:g} is too large for numbers.")
    if not len(raw.faces):
        return _cloud(vertices, int(samples), path.stem, notes)
    return _solid(vertices, raw.faces, int(samples), seed, path.stem, notes)


def _solid(
    vertices: np.ndarray, faces: np.ndarray, count: int, seed: int, name: str, notes: tuple[str, ...]
) -> Shape:
    used = vertices[np.unique(faces)]
    low, high = used.min(0), used.max(0)
    diagonal = float(np.linalg.norm(high - low))
    if not np.isfinite(diagonal) or diagonal == 0:
        raise ShapeError(f"{name} has no extent: its faces lie in one place.")
    middle = (low + high) / 2
    local = vertices - middle
    # Computed around the origin: far away, the digits of the coordinates go to the offset.
    wound = outward(local, faces)
    inside = InsideTest(local, wound)
    watertight, _ = _topology(faces)
    ask = CellsFirst(inside, low - middle, high - middle) if watertight else inside
    points, share = sample_inside(ask, low - middle, high - middle, count, seed)
    if len(points) < min(count, _FEWEST):
        thickness = _SHELL * diagonal
        volume = _area(local, faces) * thickness
        if volume <= 0:
            raise ShapeError(f"{name} is neither a solid nor a surface: its faces have no area.")
        source = f"a shell {thickness:.3g} m thick, because the surface encloses nothing"
        points = sample_shell(local, faces, thickness, count, seed)
        report = _describe(vertices, faces, volume, source, count, notes)
        return _assemble(vertices, faces, points + middle, volume, report, name, None)
    volume, source = float(share * np.prod(high - low)), "by sampling"
    exact = signed_volume(local, wound)
    # Closed pieces may still overlap; then the sum of their volumes counts the overlap twice.
    if watertight and exact > 0 and abs(exact - volume) < 0.05 * volume:
        volume, source = exact, "by the divergence theorem"
    if len(points) < count:
        notes = (*notes, f"only {len(points)} samples were found in so thin a body")
    report = _describe(vertices, faces, volume, source, len(points), notes)
    offset_test = _Shifted(inside, middle)
    return _assemble(vertices, faces, points + middle, volume, report, name, offset_test)


def _cloud(points: np.ndarray, count: int, name: str, notes: tuple[str, ...]) -> Shape:
    """A solid through points that are taken to fill it evenly."""
    distinct = np.unique(points, axis=0)
    if len(distinct) < _FEWEST:
        raise ShapeError(
            f"{name} holds {len(distinct)} distinct points and no faces: too few to make a solid."
        )
    spacing = float(np.median(cKDTree(distinct).query(distinct, k=2)[0][:, 1]))
    # Evenly random points have a median nearest distance of 0.55 n^(-1/3); a cell of twice the spacing holds
    # some four to eight of them, so empty cells inside are rare and the rim adds little.
    cell = 2 * spacing
    filled = len(np.unique(np.floor((distinct - distinct.min(0)) / cell).astype(np.int64), axis=0))
    volume = filled * cell**3
    notes = (*notes, "points without faces: taken to fill the solid evenly")
    chosen = distinct
    if len(distinct) > count:
        chosen = distinct[np.sort(np.random.default_rng(0).permutation(len(distinct))[:count])]
    report = _describe(
        points, np.zeros((0, 3), dtype=np.int64), volume, "cells with points in them", len(chosen), notes
    )
    return _assemble(points, np.zeros((0, 3), dtype=np.int64), chosen, volume, report, name, None)


@dataclass(frozen=True)
class _Shifted:
    """An inside test around another origin."""

    test: InsideTest
    origin: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self.test(points - self.origin)


def _assemble(vertices, faces, samples, volume, report, name, inside) -> Shape:
    return Shape(
        vertices=torch.from_numpy(np.array(vertices, dtype=np.float64)),
        faces=torch.from_numpy(np.array(faces, dtype=np.int64)),
        samples=torch.from_numpy(np.array(samples, dtype=np.float64)),
        sample_volumes=torch.full((len(samples),), volume / len(samples), dtype=torch.float64),
        volume=volume,
        report=report,
        name=name,
        _inside=inside,
    )


def _describe(
    vertices: np.ndarray, faces: np.ndarray, volume: float, source: str, samples: int, notes: tuple[str, ...]
) -> ShapeReport:
    watertight, consistent = _topology(faces)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    longest = np.square(np.stack([b - a, c - b, a - c])).sum(2).max(0, initial=0.0)
    ordered = np.sort(faces, axis=1)
    return ShapeReport(
        vertices=len(vertices),
        faces=len(faces),
        components=_components(faces),
        watertight=watertight,
        consistent=consistent,
        degenerate=int((area <= 1e-12 * longest).sum()) if len(faces) else 0,
        duplicate=len(faces) - len(np.unique(ordered, axis=0)) if len(faces) else 0,
        size=tuple((vertices.max(0) - vertices.min(0)).tolist()),
        volume=volume,
        volume_source=source,
        samples=samples,
        notes=tuple(notes),
    )


def _topology(faces: np.ndarray) -> tuple[bool, bool]:
    """Whether every edge has two faces, and whether neighbours are wound alike."""
    first, _, alike = edge_pairs(faces)
    return len(faces) > 0 and 2 * len(first) == 3 * len(faces), bool(alike.all())


def _components(faces: np.ndarray) -> int:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(faces):
        return 0
    used, corner = np.unique(faces, return_inverse=True)
    corner = corner.reshape(faces.shape)
    rows, columns = corner[:, [0, 1]].ravel(), corner[:, [1, 2]].ravel()
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(used), len(used)))
    return int(connected_components(graph, directed=False)[0])


def _area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2


def _points(points: torch.Tensor | np.ndarray, name: str) -> np.ndarray:
    array = torch.as_tensor(points).detach().cpu().double().numpy().copy()
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise ShapeError(f"The {name} must have shape (N, 3) with N of at least 1, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ShapeError(f"Some of the {name} are not finite numbers.")
    return array
