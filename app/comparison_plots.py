"""The plots of a comparison: one measure a picture, against CPU seconds and against steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Okabe and Ito 2008 and a grey: told apart by people who see colours differently."""

_STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vPX*"
_TEXT = 9.0  # [pt]


@dataclass(frozen=True)
class Plot:
    """One picture: `measure` times `factor`; "symlog" is linear within 1, for what can be under zero."""

    file: str
    measure: str
    title: str
    label: str
    factor: float = 1.0
    scale: str = "log"


PLOTS = (
    Plot("energy.png", "above", "Energy over the reference", "energy over the reference, %", 100.0, "symlog"),
    Plot("motion.png", "motion", "Motion error", "RMS distance of the hanging body, %", 100.0),
    Plot("rank.png", "rank", "Effective rank", "effective rank", scale="linear"),
    Plot("orthonormality.png", "defect", "Orthonormality defect", "largest entry of |WᵀMW − I|"),
)


def draw(plot: Plot, report: dict, path: Path) -> None:
    """Write one plot as a PNG file.

    Args:
        report: as `Report.as_dict` gives it.
    """
    with matplotlib.rc_context({"font.size": _TEXT, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10, 4.2), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(f"{plot.title}: {report['body']}, {report['settings']['handles']} handles")
        for axes, against in zip(figure.subplots(1, 2, sharey=True), ("seconds", "steps"), strict=True):
            _panel(axes, plot, report, against)
        figure.savefig(path, format="png")


def _panel(axes: Axes, plot: Plot, report: dict, against: str) -> None:
    if against == "seconds":
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(-0.1, 1.3 * max(1, report["settings"]["steps"]))
    axes.set_yscale(plot.scale, **({"linthresh": 1} if plot.scale == "symlog" else {}))
    axes.set_xlabel("CPU seconds, one thread" if against == "seconds" else "steps")
    axes.grid(True, alpha=0.25)
    if plot.measure == "rank":
        axes.axhline(report["settings"]["handles"] - 1, color="0.6", linewidth=0.8)
        axes.set_ylim(0, 1.06 * (report["settings"]["handles"] - 1))
    ends = []
    for number, method in enumerate(report["methods"]):
        look = {
            "color": COLORS[number % len(COLORS)],
            "linestyle": _STYLES[number % len(_STYLES)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 3.5,
            "linewidth": 1.4,
        }
        for seed, run in enumerate(method["runs"]):
            line = _line(plot, run["points"], against)
            if not line:
                continue
            learned = method["learning_rate"] is not None
            if learned or against == "seconds":
                axes.plot(*zip(*line, strict=True), **look, alpha=1 if seed == 0 else 0.4)
            elif seed == 0:  # nothing was learned: the same after any number of steps
                axes.axhline(line[-1][1], color=look["color"], linestyle=":", linewidth=1.2)
                line = [(report["settings"]["steps"], line[-1][1])]
            if seed == 0:
                ends.append((line[-1], method["name"], look["color"]))
    if against == "seconds":
        axes.set_ylabel(plot.label)
    _name_lines(axes, ends)


def _line(plot: Plot, points: list[dict], against: str) -> list[tuple[float, float]]:
    key = "seconds" if against == "seconds" else "step"
    line = []
    for point in points:
        value = point["measures"][plot.measure]
        if value is None or not math.isfinite(value) or (plot.scale == "log" and value <= 0):
            continue
        x = max(point[key], 1e-3) if against == "seconds" else point[key]
        line.append((x, value * plot.factor))
    return line


def _name_lines(axes: Axes, ends: list[tuple[tuple[float, float], str, str]]) -> None:
    """The names at the right edge, at the height of the lines' ends, moved apart where they would overlap."""
    axes.figure.draw_without_rendering()
    to_axes = axes.transData + axes.transAxes.inverted()
    height = 1.35 * _TEXT / 72 * axes.figure.dpi / axes.bbox.height
    placed = -math.inf
    heights = []
    for (x, y), name, color in sorted(ends, key=lambda end: end[0][1]):
        at = min(1.0, max(0.0, float(to_axes.transform((x, y))[1])))
        placed = max(at, placed + height)
        heights.append([placed, (x, y), name, color])
    top = 1.0
    for item in reversed(heights):
        item[0] = min(item[0], top)
        top = item[0] - height
    for place, end, name, color in heights:
        axes.annotate(
            name,
            end,
            xycoords="data",
            xytext=(1.03, place),
            textcoords="axes fraction",
            color=color,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "alpha": 0.35, "linewidth": 0.7},
        )
