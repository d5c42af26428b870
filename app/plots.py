"""A plot in the window's style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polyscope.implot as implot

from app.theme import with_alpha
from app.ui import Ui

_FLAGS = (
    implot.ImPlotFlags_NoTitle
    | implot.ImPlotFlags_NoMenus
    | implot.ImPlotFlags_NoBoxSelect
    | implot.ImPlotFlags_NoMouseText
)


@contextmanager
def plot(ui: Ui, name: str, height: float) -> Iterator[bool]:
    """As wide as the panel and `height` high at UI scale 1 [px]; gives whether it is visible."""
    theme = ui.theme
    colors = {
        implot.ImPlotCol_FrameBg: (0.0, 0.0, 0.0, 0.0),
        implot.ImPlotCol_PlotBg: with_alpha(theme.field, 0.6),
        implot.ImPlotCol_PlotBorder: with_alpha(theme.line),
        implot.ImPlotCol_AxisText: with_alpha(theme.faint),
        implot.ImPlotCol_AxisGrid: with_alpha(theme.faint, 0.35),
        implot.ImPlotCol_AxisBgHovered: with_alpha(theme.field_hover),
        implot.ImPlotCol_LegendBg: with_alpha(theme.panel, 0.7),
        implot.ImPlotCol_LegendBorder: (0.0, 0.0, 0.0, 0.0),
        implot.ImPlotCol_LegendText: with_alpha(theme.text),
    }
    paddings = {
        implot.ImPlotStyleVar_PlotMinSize: (ui.px(60), ui.px(40)),
        implot.ImPlotStyleVar_PlotPadding: (ui.px(2), ui.px(4)),
        implot.ImPlotStyleVar_LabelPadding: (ui.px(3), ui.px(3)),
        implot.ImPlotStyleVar_LegendPadding: (ui.px(4), ui.px(4)),
        implot.ImPlotStyleVar_LegendInnerPadding: (ui.px(3), ui.px(2)),
    }
    for key, color in colors.items():
        implot.PushStyleColor(key, color)
    for key, size in paddings.items():
        implot.PushStyleVar(key, size)
    shown = implot.BeginPlot(name, (-1.0, ui.px(height)), _FLAGS)
    try:
        yield shown
    finally:
        if shown:
            implot.EndPlot()
        implot.PopStyleVar(len(paddings))
        implot.PopStyleColor(len(colors))
