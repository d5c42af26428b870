"""Reading mesh and point files into plain arrays, whatever is in them.

Files come from anywhere, so every way a library can fail on one becomes a ShapeError that names the file.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.errors import ShapeError

SURFACE_FORMATS = (".obj", ".ply", ".stl", ".off", ".glb", ".gltf")
VOLUME_FORMATS = (".msh", ".mesh")
USD_FORMATS = (".usd", ".usda", ".usdc", ".usdz")
POINT_FORMATS = (".xyz",)
FORMATS = SURFACE_FORMATS + VOLUME_FORMATS + USD_FORMATS + POINT_FORMATS


@dataclass(frozen=True)
class RawMesh:
    """What a file holds: vertices (V, 3), triangles (F, 3), and remarks on what was done to read it."""

    vertices: np.ndarray
    faces: np.ndarray
    notes: tuple[str, ...] = ()


def read_mesh(path: Path) -> RawMesh:
    """Read a file by its extension.

    Vertices keep the order of the file. STL, which repeats each corner, is welded at identical positions.
    Scenes are merged with their parts' transforms, polygons are cut into triangles, and of tetrahedra the
    boundary is taken.

    Raises:
        ShapeError: missing, empty, unreadable or unknown file, wrong indices, values that are not finite.
    """
    if not path.exists():
        raise ShapeError(f"There is no file {path}.")
    if not path.is_file():
        raise ShapeError(f"{path} is not a file.")
    if path.stat().st_size == 0:
        raise ShapeError(f"The file {path} is empty.")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ShapeError(f"{path.name}: unknown kind of file {suffix!r}. Readable: {', '.join(FORMATS)}.")
    read = {**dict.fromkeys(VOLUME_FORMATS, _read_volume), **dict.fromkeys(USD_FORMATS, _read_usd)}
    read = {**read, ".xyz": _read_points}.get(suffix, _read_surface)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            raw = read(path)
    except ShapeError:
        raise
    except (Exception, SystemExit) as error:  # a library's own failure on a file that is not what it says
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ShapeError(f"{path.name} is not a readable {suffix} file: {reason[0][:200]}") from error
    return _checked(path, raw)


def _checked(path: Path, raw: RawMesh) -> RawMesh:
    vertices = np.array(raw.vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.array(raw.faces, dtype=np.int64).reshape(-1, 3)
    if not len(vertices):
        raise ShapeError(f"{path.name} holds no vertices.")
    bad = np.flatnonzero(~np.isfinite(vertices).all(1))
    if len(bad):
        raise ShapeError(
            f"{path.name}: {len(bad)} of {len(vertices)} vertices are not finite numbers; "
            f"the first is number {bad[0]}: {vertices[bad[0]]}."
        )
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        wrong = np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(1))[0]
        raise ShapeError(
            f"{path.name}: face {wrong} refers to vertices {faces[wrong].tolist()}, but there are only "
            f"{len(vertices)} vertices."
        )
    return RawMesh(vertices, faces, raw.notes)


def _read_surface(path: Path) -> RawMesh:
    import trimesh

    options = {"process": False, "file_type": path.suffix.lower()[1:]}
    if path.suffix.lower() == ".obj":
        options |= {"maintain_order": True, "skip_materials": True, "group_material": False}
    loaded = trimesh.load_scene(
        _as_text(path) if path.suffix.lower() in (".obj", ".off") else path, **options
    )
    parts = loaded.dump(concatenate=False)
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    clouds = [part for part in parts if isinstance(part, trimesh.PointCloud)]
    if not meshes and not clouds:
        clouds = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.vertices)]
    if not meshes:
        if not clouds:
            raise ShapeError(f"{path.name} holds neither triangles nor points.")
        return RawMesh(np.concatenate([np.asarray(c.vertices) for c in clouds]), np.zeros((0, 3)))
    notes = [f"{len(meshes)} parts were merged"] if len(meshes) > 1 else []
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    vertices = np.concatenate([np.asarray(mesh.vertices) for mesh in meshes])
    faces = np.concatenate([np.asarray(m.faces) + at for m, at in zip(meshes, offsets, strict=True)])
    if path.suffix.lower() == ".stl":
        vertices, faces, merged = weld(vertices, faces)
        notes.append(f"{merged} repeated corners were welded")
    return RawMesh(vertices, faces, tuple(notes))


def _as_text(path: Path) -> Path | io.BytesIO:
    """The file, or where it is not UTF-8 (names and remarks in an older encoding) its content made so."""
    content = path.read_bytes()
    try:
        content.decode("utf-8")
        return path
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise ShapeError(f"{path.name} is not a {path.suffix} file: it holds no text.") from error
    return io.BytesIO(content.decode("latin-1").encode())


def weld(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Make vertices at identical positions one; the first of each stays, in order."""
    _, first, inverse = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    order = np.argsort(first)
    rank[order] = np.arange(len(first))
    return vertices[first[order]], rank[inverse.reshape(-1)][faces], len(vertices) - len(first)


def _read_volume(path: Path) -> RawMesh:
    import meshio

    mesh = meshio.read(path, file_format="gmsh" if path.suffix.lower() == ".msh" else "medit")
    points = np.asarray(mesh.points, dtype=np.float64)
    tets = [cells.data for cells in mesh.cells if cells.type == "tetra"]
    if tets:
        tets = np.concatenate(tets).astype(np.int64)
        if tets.min() < 0 or tets.max() >= len(points):
            raise ShapeError(f"{path.name}: a tetrahedron refers to a vertex that is not there.")
        return RawMesh(
            points, tet_boundary(points, tets), (f"the boundary of {len(tets)} tetrahedra was taken",)
        )
    triangles = [cells.data for cells in mesh.cells if cells.type == "triangle"]
    if not triangles:
        raise ShapeError(f"{path.name} holds neither tetrahedra nor triangles.")
    return RawMesh(points, np.concatenate(triangles))


def tet_boundary(points: np.ndarray, tets: np.ndarray) -> np.ndarray:
    """Outward triangles that belong to just one tetrahedron, shape (F, 3)."""
    corners = points[tets]
    volume = np.linalg.det(corners[:, 1:] - corners[:, :1])
    tets = np.where((volume < 0)[:, None], tets[:, [0, 2, 1, 3]], tets)
    triangles = np.concatenate([tets[:, list(f)] for f in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))])
    _, index, count = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True, return_counts=True)
    return triangles[np.sort(index[count == 1])]


def _read_points(path: Path) -> RawMesh:
    values = np.loadtxt(path, ndmin=2)
    if values.shape[1] < 3:
        raise ShapeError(f"{path.name}: each line of a point file needs three numbers.")
    return RawMesh(values[:, :3], np.zeros((0, 3)))


def _read_usd(path: Path) -> RawMesh:
    try:
        from pxr import Usd, UsdGeom
    except ImportError as error:
        raise ShapeError(
            f"{path.name} is a USD file; reading those needs usd-core: pip install 'simplicits-studio[usd]'."
        ) from error
    stage = Usd.Stage.Open(str(path))
    cache = UsdGeom.XformCache()
    vertices, faces, count = [], [], 0
    for prim in stage.Traverse():
        if not prim.IsA(UsdGeom.Mesh):
            continue
        mesh = UsdGeom.Mesh(prim)
        points = np.array(mesh.GetPointsAttr().Get(), dtype=np.float64).reshape(-1, 3)
        matrix = np.array(cache.GetLocalToWorldTransform(prim))  # row vectors
        vertices.append(points @ matrix[:3, :3] + matrix[3, :3])
        sizes = np.array(mesh.GetFaceVertexCountsAttr().Get(), dtype=np.int64)
        corners = np.array(mesh.GetFaceVertexIndicesAttr().Get(), dtype=np.int64)
        faces.append(_fan(sizes, corners) + count)
        count += len(points)
    if not vertices:
        raise ShapeError(f"{path.name} holds no mesh.")
    vertices = np.concatenate(vertices) * UsdGeom.GetStageMetersPerUnit(stage)
    notes = [f"metres per unit: {UsdGeom.GetStageMetersPerUnit(stage):g}"]
    if UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z:
        vertices = vertices[:, [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
        notes.append("turned from z up to y up")
    return RawMesh(vertices, np.concatenate(faces), tuple(notes))


def _fan(sizes: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Polygons, given by their sizes and their corners in a row, as fans of triangles."""
    if sizes.sum() != len(corners) or (sizes < 0).any():
        raise ShapeError("the polygons' sizes and corners do not match")
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    triangles = [
        np.stack([corners[s], corners[s + k - 1], corners[s + k]], axis=1)
        for k in range(2, int(sizes.max(initial=0)))
        for s in [start[sizes > k]]
    ]
    return np.concatenate(triangles) if triangles else np.zeros((0, 3), dtype=np.int64)
