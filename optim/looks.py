"""What the looks of a training run say of it: where its energy is heading, and whether more steps help.

A look is an entry of a run's history with `step` and `energy`, the energy over samples kept for looking.
"""

from __future__ import annotations

import math

import torch

LOOKS = 20  # over a whole run

_WINDOW = LOOKS // 5
_PLATEAU = 1e-4  # relative gain over a fifth of the run under which more steps do not help
_EXPLODED = 10.0  # times the lowest energy so far; a rate that is too high gets there within a few steps
# Of what the first step could gain; measured over 60 to 600 steps of the shipped bodies.
_LEFT_AT_THE_END = 0.01


def has_exploded(energy: float, looks: list[dict]) -> bool:
    """Whether an energy is not a number, or far above the lowest of earlier looks."""
    return not energy < _EXPLODED * min((entry["energy"] for entry in looks), default=math.inf)


def is_plateau(looks: list[dict], steps: int) -> bool:
    """Whether the last fifth of a run of so many steps brought nothing, in its second half."""
    if steps < LOOKS:
        return False  # too few steps to tell a plateau from a step that brought little
    # While the rate is high it hides what its fall will bring.
    if len(looks) <= _WINDOW or 2 * looks[-1]["step"] < steps:
        return False
    # Looks differ by chance, too; the best of several does not. Those of the first half are no measure: a high rate
    # can take the energy up before its fall brings it down.
    energies = [entry["energy"] for entry in looks[-2 * _WINDOW :]]
    return min(energies[:-_WINDOW]) - min(energies[-_WINDOW:]) < _PLATEAU * energies[-1]


def bound_estimate(looks: list[dict], steps: int) -> float:
    """The energy that a run of so many steps seems to end with; NaN while there are fewer than three looks.

    What is above it falls by about the same factor over each part of a run, however long the run: fitted to the last
    two thirds of the looks, because the first fall faster.
    """
    if len(looks) < 3:
        return math.nan
    looks = looks[max(1, len(looks) // 3) :]
    energy = torch.tensor([entry["energy"] for entry in looks], dtype=torch.float64)
    done = torch.tensor([entry["step"] / steps for entry in looks], dtype=torch.float64)
    above = _LEFT_AT_THE_END**done - _LEFT_AT_THE_END
    start, end = torch.linalg.lstsq(torch.stack([above, torch.ones_like(above)], 1), energy).solution
    heading = float(end) if start > 0 else math.inf
    return min(max(heading, 0.5 * float(energy[-1])), float(energy.min()))  # two looks can say little
