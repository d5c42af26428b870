"""A film as a folder of numbered PNG pictures."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import av
import numpy as np

from app.film_files import keep_interrupted, partial_path, space_is_short, stopped
from app.video import fitted
from sim.errors import StudioError


class PictureFolder:
    """frame_00000.png, frame_00001.png, ... in a folder (`app.film_files.FilmFile`).

    The folder is called NAME.partial until it is whole. Pictures of an earlier recording are replaced; a folder that
    holds anything else is refused.

    Args:
        path: of the folder. size: of the pictures [px]. transparent: keep alpha.

    Raises:
        StudioError: the place cannot be written, or holds other files.
    """

    def __init__(self, path: Path, size: tuple[int, int], *, transparent: bool = False) -> None:
        self.path = path
        self._size, self._transparent = size, transparent
        self._partial = partial_path(path)
        self._frames, self._bytes = 0, 0
        if path.exists() and not _only_pictures(path):
            raise StudioError(f"{path} is there already and holds other files; choose another folder.")
        try:
            keep_interrupted(path)
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise StudioError(f"Pictures cannot be written to {path}: {error.strerror or error}") from error

    @property
    def bytes(self) -> int:
        """Written so far."""
        return self._bytes

    def write(self, image: np.ndarray) -> None:
        """Append a picture, uint8, shape (height, width, 3 or 4).

        Raises:
            StudioError: the disk is full, or another reason not to go on; whole pictures are kept.
        """
        if space_is_short(self.path.parent):
            self._keep()
            raise stopped(self.path, self._frames, "the disk is full")
        file = self._partial / f"frame_{self._frames:05d}.png"
        beside = self._partial / ".part"
        content = encode_png(image, self._size, alpha=self._transparent)
        try:
            beside.write_bytes(content)
            os.replace(beside, file)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            self._keep()
            raise stopped(self.path, self._frames, (error.strerror or str(error)).lower()) from error
        self._frames += 1
        self._bytes += len(content)

    def finish(self) -> Path:
        """Give the folder its name.

        Raises:
            StudioError: nothing was written.
        """
        if not self._keep():
            raise StudioError(f"Nothing was recorded for {self.path.name}: no picture came.")
        return self.path

    def _keep(self) -> bool:
        if self._frames == 0:
            shutil.rmtree(self._partial)
            return False
        if self.path.exists():
            shutil.rmtree(self.path)
        os.replace(self._partial, self.path)
        return True


def encode_png(image: np.ndarray, size: tuple[int, int] | None = None, *, alpha: bool = False) -> bytes:
    """A picture, uint8, shape (height, width, 3 or 4), as a PNG file, at another size [px] if wished."""
    size = size or (image.shape[1], image.shape[0])
    pixels = "rgba" if alpha and image.shape[2] == 4 else "rgb24"
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = pixels
    encoder.framerate = 1
    encoder.options = {"compression_level": "3"}  # a third of the time of the default, a few percent larger
    frame = fitted(image, size, pixels, alpha=alpha)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))


def _only_pictures(folder: Path) -> bool:
    return folder.is_dir() and all(
        file.name.startswith("frame_") and file.suffix == ".png" for file in folder.iterdir()
    )
