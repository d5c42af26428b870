"""Writing an mp4 (H.264): beside its place while it grows, renamed when it is whole."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from sim.errors import StudioError


class VideoWriter:
    """`with VideoWriter(path, size, fps) as video: video.write(frame)`.

    The unfinished file is fragmented, so that what was written before a crash still plays.

    Args:
        path: of the video. size: width and height [px], even numbers. fps: frames a second.

    Raises:
        StudioError: the place cannot be written, or the disk is full; what was written is kept beside.
    """

    def __init__(self, path: str | os.PathLike, size: tuple[int, int], fps: float) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.stem}.partial{self.path.suffix}")
        if size[0] % 2 or size[1] % 2:
            raise StudioError(f"A video needs an even width and height, got {size[0]} x {size[1]}.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                str(self._partial), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}
            )
        except OSError as error:
            raise StudioError(f"Cannot write a video to {self.path}: {error}") from error
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"preset": "veryfast", "crf": "18"}

    def write(self, image: np.ndarray) -> None:
        """Append a frame, uint8, shape (height, width, 3 or 4)."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., :3]), format="rgb24")
        self._guarded(lambda: [self._container.mux(p) for p in self._stream.encode(frame)])

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        def finish() -> None:
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()

        self._guarded(finish)
        # An interrupted recording is kept too: it is whole up to there.
        os.replace(self._partial, self.path)

    def _guarded(self, work) -> None:
        try:
            work()
        except OSError as error:
            raise StudioError(
                f"Writing {self.path} failed: {error}. What is there is in {self._partial}."
            ) from error
