"""Pictures and films for tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

SIZE = (64, 48)


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A red picture, half transparent to the right, whose brightness of blue counts; uint8 RGBA."""
    image = np.zeros((size[1], size[0], 4), np.uint8)
    image[..., 0], image[..., 2] = 200, (number * 5) % 200
    image[..., 3] = 255
    image[:, size[0] // 2 :, 3] = 64
    return image


def noise(number: int, size: tuple[int, int]) -> np.ndarray:
    """What no encoder makes small."""
    return np.random.default_rng(number).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)


def frames_of(path: Path) -> list[av.VideoFrame]:
    """Every frame of a film; fails on any that does not decode."""
    if path.is_dir():
        return [frames_of(file)[0] for file in sorted(path.iterdir())]
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def blue_of(frame: av.VideoFrame) -> int:
    """The counting colour."""
    return int(np.median(frame.to_ndarray(format="rgb24")[..., 2]))
