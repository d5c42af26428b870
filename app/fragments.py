"""Fragmented mp4 and mov files: where the last whole fragment ends."""

from __future__ import annotations

import os
import struct
from pathlib import Path


def cut_to_whole_fragments(path: str | os.PathLike) -> int:
    """Cut a file that was left unfinished behind its last whole fragment, so that every frame in it plays.

    A file is a row of boxes: 4 bytes of length, 4 of type (ISO/IEC 14496-12, 4.2); a fragment is `moof` + `mdat`. A
    file without fragments is left alone.

    Returns:
        Its length now [bytes].
    """
    path = Path(path)
    length = path.stat().st_size
    end = None
    with path.open("r+b") as file:
        place, before = 0, b""
        while place + 8 <= length:
            file.seek(place)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                wide = file.read(8)
                if len(wide) < 8:
                    break
                (size,) = struct.unpack(">Q", wide)
                header = 16
            if size < header or place + size > length:
                break
            place += size
            if before == b"moof" and kind == b"mdat":
                end = place
            before = kind
        if end is not None and end < length:
            file.truncate(end)
            return end
    return length
