"""Sequences of mesh files: NAME_00000.obj or .ply for each body and frame."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np

from app.export import Exported, ExportedBody, OnFrame, file_names, handle_weights
from sim.errors import StudioError


def write_meshes(what: Exported, folder: Path, kind: str, on_frame: OnFrame) -> Path:
    """Fill a folder with a file for each body and frame, metres, y up.

    The folder is called NAME.partial until it is whole. Files of an earlier export are replaced.

    Args:
        kind: "obj" (text; faces in every file) or "ply" (binary; colours, and handle weights as vertex properties).

    Raises:
        StudioError: the place cannot be written, or holds other files.
    """
    if folder.exists() and not (folder.is_dir() and all(_ours(file) for file in folder.iterdir())):
        raise StudioError(f"{folder} is there already and holds other files; choose another folder.")
    partial = folder.with_name(f"{folder.name}.partial")
    names = file_names(what.bodies)
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        ends = [_obj_faces(b) if kind == "obj" else _ply_faces(b) for b in what.bodies]
        weights = [handle_weights(body) if kind == "ply" else None for body in what.bodies]
        for frame, places in enumerate(what.positions()):
            for body, name, end, w, points in zip(what.bodies, names, ends, weights, places, strict=True):
                content = _obj(points, end) if kind == "obj" else _ply(body, points, w, end)
                (partial / f"{name}_{frame:05d}.{kind}").write_bytes(content)
            on_frame(frame)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OSError as error:
        raise StudioError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            if partial.exists():
                shutil.rmtree(partial)
    return folder


def _ours(file: Path) -> bool:
    return file.suffix in (".obj", ".ply") and file.stem[-6:-5] == "_" and file.stem[-5:].isdigit()


def _obj(points: np.ndarray, faces: bytes) -> bytes:
    lines = "".join(f"v {x:.7g} {y:.7g} {z:.7g}\n" for x, y, z in points.tolist())
    return b"# metres, y up\n" + lines.encode() + faces


def _obj_faces(body: ExportedBody) -> bytes:
    faces = body.played.shape.faces.numpy() + 1
    return "".join(f"f {a} {b} {c}\n" for a, b, c in faces.tolist()).encode()


def _ply(body: ExportedBody, points: np.ndarray, weights: np.ndarray, faces: bytes) -> bytes:
    properties = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"]
    properties += [f"float handle_{h:02d}" for h in range(weights.shape[1])]
    header = ["ply", "format binary_little_endian 1.0", "comment metres, y up"]
    header += [f"element vertex {len(points)}", *(f"property {p}" for p in properties)]
    count = len(body.played.shape.faces)
    header += [f"element face {count}", "property list uchar int vertex_indices"] if count else []
    row = np.dtype([("place", "<f4", 3), ("color", "u1", 3), ("weights", "<f4", weights.shape[1])])
    rows = np.empty(len(points), row)
    rows["place"], rows["weights"] = points, weights
    rows["color"] = np.rint(255 * np.array(body.color)).astype(np.uint8)
    return "\n".join([*header, "end_header", ""]).encode() + rows.tobytes() + faces


def _ply_faces(body: ExportedBody) -> bytes:
    faces = body.played.shape.faces.numpy()
    rows = np.empty(len(faces), np.dtype([("count", "u1"), ("vertices", "<i4", 3)]))
    rows["count"], rows["vertices"] = 3, faces
    return rows.tobytes()
