"""Films in one file, through PyAV: H.264 in mp4, ProRes 4444 in mov, VP9 in webm, GIF."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from app.film_files import film_kind, keep_interrupted, partial_path, space_is_short, stopped
from app.fragments import cut_to_whole_fragments
from sim.errors import StudioError

# A fragmented file plays wherever it is cut; at the end it becomes an ordinary one, which any editor reads.
_MOV_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe"}
_CONTAINERS = {
    ".mp4": ("mp4", _MOV_OPTIONS),
    ".mov": ("mov", _MOV_OPTIONS),
    ".webm": ("webm", {"cluster_time_limit": "1000"}),
    ".gif": ("gif", {"loop": "0"}),
}


class VideoFile:
    """A film in one file (`app.film_files.FilmFile`).

    Args:
        path: .mp4, .mov, .webm or .gif. size: [px]. fps: frames a second. transparent: keep alpha.
        live: prefer speed to a small file.

    Raises:
        StudioError: the place cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        *,
        transparent: bool = False,
        live: bool = False,
    ) -> None:
        self.path = path
        self._kind = film_kind(path)
        self._size, self._transparent = size, transparent
        self._partial = partial_path(path)
        self._frames = 0
        self._closed = False
        rate = Fraction(fps).limit_denominator(1001)
        container, options = _CONTAINERS[self._kind]
        try:
            keep_interrupted(path)
            self._container = av.open(
                str(self._partial), "w", format=container, options={**options, "flush_packets": "1"}
            )
        except OSError as error:
            raise StudioError(f"A film cannot be written to {path}: {error.strerror or error}") from error
        codec, pixels, settings = _encoder(self._kind, rate, transparent, live)
        self._stream = self._container.add_stream(codec, rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = pixels
        self._stream.options = settings
        if self._kind != ".gif":
            context = self._stream.codec_context
            context.color_primaries = context.color_trc = context.colorspace = (
                1  # BT.709, what screens assume
            )
            context.color_range = ColorRange.MPEG
        self._palette = _palette_graph(size, rate, transparent) if self._kind == ".gif" else None
        self._rate = rate

    @property
    def bytes(self) -> int:
        """Written so far."""
        for file in (self._partial, self.path) if not self._closed else (self.path,):
            with contextlib.suppress(OSError):
                return file.stat().st_size
        return 0

    def write(self, image: np.ndarray) -> None:
        """Append a picture, uint8, shape (height, width, 3 or 4).

        Raises:
            StudioError: the disk is full, or another reason not to go on; the film is closed and kept.
        """
        if space_is_short(self.path.parent):
            self._close()
            raise stopped(self.path, self._frames, "the disk is full")
        frame = fitted(image, self._size, self._stream.pix_fmt, alpha=self._transparent)
        frame.pts, frame.time_base = self._frames, 1 / self._rate
        try:
            self._encode(frame)
        except OSError as error:
            self._rescue()
            raise stopped(self.path, self._frames, _reason(error)) from error
        self._frames += 1

    def finish(self) -> Path:
        """Close and name the film.

        Raises:
            StudioError: nothing was written, or the end could not be; the film is kept up to there.
        """
        if self._frames == 0:
            with contextlib.suppress(OSError):
                self._container.close()
            self._closed = True
            self._partial.unlink(missing_ok=True)
            raise StudioError(f"Nothing was recorded for {self.path.name}: no picture came.")
        self._close()
        return self.path

    # -- inside ---------------------------------------------------------------------------------------------

    def _encode(self, frame: av.VideoFrame | None) -> None:
        if self._palette is None:
            self._container.mux(self._stream.encode(frame))
            return
        self._palette.push(frame)
        while True:
            try:
                picture = self._palette.pull()
            except (BlockingIOError, av.EOFError):
                break
            self._container.mux(self._stream.encode(picture))
        if frame is None:
            self._container.mux(self._stream.encode(None))

    def _close(self) -> None:
        try:
            self._encode(None)
            self._container.close()
        except OSError as error:
            self._rescue()
            raise stopped(self.path, self._frames, _reason(error)) from error
        self._closed = True
        os.replace(self._partial, self.path)

    def _rescue(self) -> None:
        """Keep a file whose end could not be written: what is whole of it."""
        with contextlib.suppress(OSError, av.error.FFmpegError):
            self._container.close()
        self._closed = True
        if self._kind in (".mp4", ".mov"):
            cut_to_whole_fragments(self._partial)
        self._frames = _packets(self._partial)  # some may have been on their way through the encoder
        if self._frames:
            os.replace(self._partial, self.path)
        else:
            self._partial.unlink(missing_ok=True)


def fitted(image: np.ndarray, size: tuple[int, int], pixels: str, *, alpha: bool) -> av.VideoFrame:
    """A picture as an encoder wants it: its middle cut to the film's shape, scaled, in the film's colours.

    Args:
        image: uint8, shape (height, width, 3 or 4). size: of the film [px]. pixels: FFmpeg's pixel format.
        alpha: keep the fourth channel.
    """
    height, width = image.shape[:2]
    if width * size[1] > height * size[0]:
        wanted = max(1, round(height * size[0] / size[1]))
        left = (width - wanted) // 2
        image = image[:, left : left + wanted]
    elif width * size[1] < height * size[0]:
        wanted = max(1, round(width * size[1] / size[0]))
        top = (height - wanted) // 2
        image = image[top : top + wanted]
    alpha = alpha and image.shape[2] == 4
    image = np.ascontiguousarray(image if alpha else image[..., :3])
    frame = av.VideoFrame.from_ndarray(image, format="rgba" if alpha else "rgb24")
    target = pixels
    if pixels == "pal8":
        target = "rgba" if alpha else "rgb24"
    yuv = target.startswith("yuv")
    return frame.reformat(
        width=size[0],
        height=size[1],
        format=target,
        interpolation=Interpolation.AREA if image.shape[1] > size[0] else Interpolation.BICUBIC,
        dst_colorspace=Colorspace.ITU709 if yuv else None,
        dst_color_range=ColorRange.MPEG if yuv else None,
    )


def _encoder(kind: str, rate: Fraction, transparent: bool, live: bool) -> tuple[str, str, dict[str, str]]:
    """FFmpeg's encoder, pixel format and settings for a kind of film."""
    second = str(max(1, round(rate)))  # a key frame a second: that much is lost at the most in a crash
    if kind == ".mp4":
        preset = "ultrafast" if live else "veryfast"
        return "libx264", "yuv420p", {"preset": preset, "crf": "18", "g": second, "bf": "0"}
    if kind == ".mov":
        return "prores_ks", "yuva444p10le" if transparent else "yuv444p10le", {"profile": "4444"}
    if kind == ".webm":
        speed = {"deadline": "realtime", "cpu-used": "8"} if live else {"deadline": "good", "cpu-used": "5"}
        settings = {"crf": "24", "b": "0", "g": second, "row-mt": "1", **speed}
        # The encoder keeps no alpha with frames it never shows.
        return "libvpx-vp9", "yuva420p" if transparent else "yuv420p", {**settings, "auto-alt-ref": "0"}
    return "gif", "pal8", {}


def _palette_graph(size: tuple[int, int], rate: Fraction, transparent: bool) -> av.filter.Graph:
    """Gives every picture of a GIF its own 256 colours: no need to see the whole film first."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=size[0], height=size[1], format="rgba" if transparent else "rgb24", time_base=1 / rate
    )
    split = graph.add("split")
    colours = graph.add("palettegen", f"stats_mode=single:reserve_transparent={int(transparent)}")
    use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(colours, 1, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _packets(path: Path) -> int:
    """Frames that a file holds; 0 when it cannot be read."""
    try:
        with av.open(str(path)) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except (OSError, av.error.FFmpegError):
        return 0


def _reason(error: OSError) -> str:
    text = (error.strerror or str(error)).strip()
    return "the disk is full" if "space" in text.lower() else text[:1].lower() + text[1:]
