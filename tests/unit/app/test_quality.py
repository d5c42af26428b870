"""Drawing quality goes up where drawing is quick and comes down where it is slow."""

from app.quality import LEVELS, Quality


def drawn(quality: Quality, milliseconds: dict, frames: int = 400) -> list:
    """Levels used over time on a machine that needs this long for each."""
    used = [quality.level]
    for _ in range(frames):
        if quality.judge(milliseconds[quality.level]):
            used.append(quality.level)
    return used


def test_a_quick_machine_ends_at_the_richest_level():
    assert drawn(Quality(), dict.fromkeys(LEVELS, 2.0)) == list(LEVELS)


def test_a_slow_machine_stays_plain():
    assert drawn(Quality(), dict.fromkeys(LEVELS, 80.0)) == [LEVELS[0]]


def test_what_was_too_slow_is_not_tried_again():
    machine = {LEVELS[0]: 1.0, LEVELS[1]: 4.0, LEVELS[2]: 50.0}
    assert drawn(Quality(), machine) == [LEVELS[0], LEVELS[1], LEVELS[2], LEVELS[1]]


def test_a_fixed_level_stays():
    assert drawn(Quality(2, fixed=True), dict.fromkeys(LEVELS, 500.0)) == [LEVELS[2]]
