"""NumPy: one .npz file with the positions of every body at every frame."""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path

import numpy as np

from app.export import Exported, OnFrame, file_names, handle_weights
from sim.errors import StudioError


def write_npz(what: Exported, path: Path, on_frame: OnFrame) -> Path:
    """Write `NAME.positions` (T, V, 3) [m], `NAME.faces` (F, 3), `NAME.weights` (V, H), `NAME.rest` (V, 3) [m] for each
    body, and `times` (T,) [s], `names`; float32 but times. Beside, then renamed. Loads without `allow_pickle`.

    Raises:
        StudioError: the place cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial.npz")
    names = file_names(what.bodies)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            _add(archive, "times", np.arange(what.frames) / what.fps)
            _add(archive, "names", np.array([body.name for body in what.bodies]))
            for name, body in zip(names, what.bodies, strict=True):
                shape = body.played.shape
                _add(archive, f"{name}.faces", shape.faces.numpy().astype(np.int32))
                _add(archive, f"{name}.rest", shape.vertices.numpy().astype(np.float32))
                _add(archive, f"{name}.weights", handle_weights(body))
            tracks = [
                np.empty((what.frames, len(body.played.shape.vertices), 3), np.float32)
                for body in what.bodies
            ]
            for frame, places in enumerate(what.positions()):
                for track, points in zip(tracks, places, strict=True):
                    track[frame] = points
                on_frame(frame)
            for name, track in zip(names, tracks, strict=True):
                _add(archive, f"{name}.positions", track)
        os.replace(partial, path)
    except OSError as error:
        raise StudioError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)
