"""Signs that a font lacks, drawn as others it has: a copy of a TrueType file with more entries in its table of
characters ("cmap", format 12 of the OpenType specification)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

POLYSCOPE_SIGNS = {0xE0F5: "⌂", 0xE082: "?"}
"""Characters on the buttons of Polyscope's own panels (a house, a question mark), and what shows them here."""


def with_signs(font: bytes, signs: Mapping[int, str]) -> bytes:
    """A TrueType font with more characters.

    Args:
        font: the file's content. signs: new character numbers, and the character of the font each looks like.

    Raises:
        ValueError: the font has no table of all of Unicode, or not the characters that are asked for.
    """
    entry = font.index(b"cmap", 12)  # in the directory, of 16 bytes a table: tag, checksum, offset, length
    (offset,) = struct.unpack_from(">I", font, entry + 8)
    groups = _groups(font, offset)
    added = [(new, new, _glyph(groups, ord(old))) for new, old in signs.items()]
    groups = sorted([*groups, *added])
    body = struct.pack(">HHIII", 12, 0, 16 + 12 * len(groups), 0, len(groups))
    body += b"".join(struct.pack(">III", *group) for group in groups)
    table = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + body
    font += b"\0" * (-len(font) % 4)
    changed = bytearray(font + table)
    struct.pack_into(">II", changed, entry + 8, len(font), len(table))
    return bytes(changed)


def write_with_signs(source: Path, target: Path, signs: Mapping[int, str] = POLYSCOPE_SIGNS) -> None:
    """Write a copy of a font file with more characters; see `with_signs`.

    Raises:
        OSError: a file cannot be read or written. ValueError: the font cannot be extended.
    """
    target.write_bytes(with_signs(source.read_bytes(), signs))


def _groups(font: bytes, offset: int) -> list[tuple[int, int, int]]:
    """First and last character and first glyph of each run, from the table of all of Unicode (platform 3, 10)."""
    (count,) = struct.unpack_from(">H", font, offset + 2)
    for number in range(count):
        platform, encoding, start = struct.unpack_from(">HHI", font, offset + 4 + 8 * number)
        if (platform, encoding) != (3, 10):
            continue
        kind, _, _, _, runs = struct.unpack_from(">HHIII", font, offset + start)
        if kind == 12:
            return list(
                struct.iter_unpack(">III", font[offset + start + 16 : offset + start + 16 + 12 * runs])
            )
    raise ValueError("The font has no table of all of Unicode.")


def _glyph(groups: list[tuple[int, int, int]], character: int) -> int:
    for first, last, glyph in groups:
        if first <= character <= last:
            return glyph + character - first
    raise ValueError(f"The font has no character {character:#x}.")
