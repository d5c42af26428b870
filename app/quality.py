"""Quality: how richly the scene is drawn, chosen by how long drawing takes on this machine."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

_LOOKS = 24  # frames a judgement rests on
_SLOW = 30.0  # [ms]: more makes pulling feel late
_QUICK = 5.0  # [ms]: less leaves room for the next level, which draws up to four times as many pixels


@dataclass(frozen=True)
class Level:
    """Attributes: samples: of a pixel, an edge length. shadow_blur: passes over the floor's shadow."""

    samples: int
    shadow_blur: int


LEVELS = (Level(1, 0), Level(1, 2), Level(2, 3))
"""From plain to rich."""


class Quality:
    """Goes up while drawing is quick, comes down when it is slow, and does not try twice what was too slow.

    Args:
        level: to begin with, a number of LEVELS. fixed: whether it stays there.
    """

    def __init__(self, level: int = 0, *, fixed: bool = False) -> None:
        self._level = level
        self._highest = len(LEVELS) - 1
        self._fixed = fixed
        self._times: deque[float] = deque(maxlen=_LOOKS)

    @property
    def level(self) -> Level:
        return LEVELS[self._level]

    def judge(self, drawing_ms: float) -> bool:
        """Take the time a frame took to draw [ms]; returns whether the level changed."""
        self._times.append(drawing_ms)
        if self._fixed or len(self._times) < _LOOKS:
            return False
        usual, before = median(self._times), self._level
        if usual > _SLOW and self._level > 0:
            self._level -= 1
            self._highest = self._level
        elif usual < _QUICK and self._level < self._highest:
            self._level += 1
        if self._level != before:
            self._times.clear()
        return self._level != before
