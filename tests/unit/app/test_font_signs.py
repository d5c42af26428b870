"""Signs added to a font, read back by FontTools."""

import io

import pytest
from fontTools.ttLib import TTFont

from app.font_signs import POLYSCOPE_SIGNS, with_signs
from app.theme import font_file


def characters(font: bytes) -> dict[int, str]:
    return TTFont(io.BytesIO(font), lazy=True).getBestCmap()


@pytest.fixture(scope="module")
def font() -> bytes:
    return font_file("DejaVuSans.ttf").read_bytes()


def test_new_characters_look_like_those_asked_for_and_the_others_stay(font):
    before, after = characters(font), characters(with_signs(font, POLYSCOPE_SIGNS))
    assert not set(POLYSCOPE_SIGNS) & set(before)
    for new, old in POLYSCOPE_SIGNS.items():
        assert after.pop(new) == before[ord(old)]
    assert after == before


def test_glyphs_stay_readable(font):
    changed = TTFont(io.BytesIO(with_signs(font, POLYSCOPE_SIGNS)))
    name = changed.getBestCmap()[0xE0F5]
    assert changed["glyf"][name].numberOfContours > 0


def test_a_character_the_font_lacks_is_refused(font):
    with pytest.raises(ValueError, match="no character"):
        with_signs(font, {0xE000: "\ue001"})
