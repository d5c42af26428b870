"""Ui: the widgets panels are made of, in the window's style. A button is a command of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polyscope.imgui as psim

from app.file_browser import FileBrowser
from app.live_recording import LiveRecording
from app.session import Session
from app.theme import COLUMN, Color, Theme, mixed, packed, with_alpha
from app.view import View

LABELS = 104.0
"""Width of the labels left of what can be changed, at UI scale 1 [px]."""
VALUES = 78.0
"""Width of the values right of sliders, at UI scale 1 [px]."""


def fitting_scale(wanted: float, width: float) -> float:
    """The UI scale that is wanted, or as much as leaves half of a window's width [px] to the scene; never below 1."""
    return min(wanted, max(1.0, 0.5 * width / COLUMN))


class Ui:
    """What panels draw with.

    Attributes:
        view: what the person chose to see. theme, scale: colours, and size of everything (1 is normal).
        size: of the window [px]. browser: asks for files. hint: what the mouse does now.
        recording: films of the window; the viewer puts it there.
        places: middle of each button and slider of the last frame [px], by its label: what presses them by itself
            (tests, pictures) presses them there.
    """

    def __init__(self, view: View, theme: Theme, scale: float = 1.0) -> None:
        self.view = view
        self.theme = theme
        self.scale = scale
        self.size = (1280.0, 720.0)
        self.browser = FileBrowser()
        self.recording: LiveRecording | None = None
        self.hint = ""
        self.places: dict[str, tuple[float, float]] = {}
        self._typed = ""
        self._let_go = False

    # -- measures -------------------------------------------------------------------------------------------

    def px(self, pixels: float) -> float:
        """Pixels at UI scale 1 to pixels of the screen."""
        return pixels * self.scale

    @property
    def column(self) -> float:
        """Width the left column takes [px]: half the window at the most; 0 while it is hidden."""
        return min(self.px(COLUMN), 0.5 * self.size[0]) if self.view.panels else 0.0

    @property
    def free_width(self) -> float:
        """Width left [px] of the current line."""
        return psim.GetContentRegionAvail()[0]

    def share(self, count: int) -> float:
        """Width [px] of each of `count` widgets side by side."""
        spacing = psim.GetStyle().ItemSpacing[0]
        return (self.free_width - (count - 1) * spacing) / count

    # -- text -----------------------------------------------------------------------------------------------

    def text(self, text: str, color: Color | None = None) -> None:
        """A line, or several: wrapped at the panel's edge."""
        psim.PushTextWrapPos(0.0)
        psim.PushStyleColor(psim.ImGuiCol_Text, with_alpha(color or self.theme.text))
        psim.TextUnformatted(text)
        psim.PopStyleColor(1)
        psim.PopTextWrapPos()

    def title(self, text: str, factor: float = 1.3) -> None:
        """Larger text."""
        style = psim.GetStyle()
        # Polyscope's binding of PushFont ignores the size it is given, but looks at the scale.
        style.FontScaleMain = self.scale * factor
        psim.PushFont(psim.GetFont(), 0.0)
        style.FontScaleMain = self.scale
        psim.TextUnformatted(self.fitted(text, self.free_width))
        psim.PopFont()

    def faint(self, text: str) -> None:
        """Text that matters less."""
        self.text(text, self.theme.faint)

    def fitted(self, text: str, width: float) -> str:
        """The text, cut in the middle to a width [px]: the end of a path tells more than its middle."""
        if width <= 0:
            return ""
        if psim.CalcTextSize(text)[0] <= width:
            return text
        for kept in range(len(text) - 1, 3, -1):
            cut = f"{text[: kept // 3]}…{text[len(text) - (kept - kept // 3) :]}"
            if psim.CalcTextSize(cut)[0] <= width:
                return cut
        return "…"

    def tooltip(self, text: str) -> None:
        """For the widget before, once the mouse rests on it; also when it is grey."""
        if text and psim.IsItemHovered(psim.ImGuiHoveredFlags_ForTooltip):
            psim.BeginTooltip()
            psim.PushTextWrapPos(self.px(320))
            psim.TextUnformatted(text)
            psim.PopTextWrapPos()
            psim.EndTooltip()

    def label(self, text: str, hint: str = "") -> None:
        """A label at the left; the next widget takes the rest of the line."""
        start = psim.GetCursorPosX()
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(text)
        self.tooltip(hint)
        psim.SameLine(start + self.px(LABELS))
        psim.SetNextItemWidth(-1.0)

    def cut(self, text: str, width: float) -> str:
        """The text, cut at its end to a width [px]."""
        if psim.CalcTextSize(text)[0] <= width:
            return text
        while text and psim.CalcTextSize(f"{text}…")[0] > width:
            text = text[:-1]
        return f"{text.rstrip()}…"

    def pair(self, text: str, value: str, hint: str = "") -> None:
        """A name and a value that is only read, at the right."""
        self.faint_inline(text)
        self.tooltip(hint)
        width = psim.CalcTextSize(value)[0]
        psim.SameLine(psim.GetCursorPosX() + max(0.0, self.free_width - width))
        psim.TextUnformatted(value)
        self.tooltip(hint)

    def faint_inline(self, text: str) -> None:
        """Faint text in the current line."""
        psim.PushStyleColor(psim.ImGuiCol_Text, with_alpha(self.theme.faint))
        psim.TextUnformatted(text)
        psim.PopStyleColor(1)

    def heading(self, text: str) -> None:
        """A small title inside a panel."""
        psim.Dummy((0.0, self.px(1)))
        self.faint_inline(text)

    # -- buttons --------------------------------------------------------------------------------------------

    def button(
        self,
        label: str,
        *,
        width: float = 0.0,
        primary: bool = False,
        on: bool = False,
        why_not: str | None = None,
        hint: str = "",
    ) -> bool:
        """A button; grey with the sentence `why_not` as its tooltip. `on` looks pressed, `primary` invites."""
        colors = self._button_colors(primary and why_not is None, on)
        for key, color in colors:
            psim.PushStyleColor(key, with_alpha(color))
        psim.BeginDisabled(why_not is not None)
        pressed = psim.Button(label, (width, 0.0))
        psim.EndDisabled()
        self._keep_place(label)
        psim.PopStyleColor(len(colors))
        self.tooltip(why_not or hint)
        return pressed and why_not is None

    def _keep_place(self, label: str) -> None:
        """Of the widget before."""
        (left, top), (right, bottom) = psim.GetItemRectMin(), psim.GetItemRectMax()
        self.places[label.partition("###")[2] or label] = ((left + right) / 2, (top + bottom) / 2)

    def command(
        self,
        session: Session,
        name: str,
        label: str,
        *args: Any,
        width: float = 0.0,
        primary: bool = False,
        hint: str = "",
        **kwargs: Any,
    ) -> bool:
        """A button that gives a command of the session."""
        pressed = self.button(label, width=width, primary=primary, why_not=session.can(name), hint=hint)
        if pressed:
            session.attempt(getattr(session, name), *args, **kwargs)
        return pressed

    def _button_colors(self, primary: bool, on: bool) -> list[tuple[int, Color]]:
        theme = self.theme
        if primary:
            lighter = mixed(theme.accent, theme.on_accent, 0.14)
            return [
                (psim.ImGuiCol_Button, theme.accent),
                (psim.ImGuiCol_ButtonHovered, lighter),
                (psim.ImGuiCol_ButtonActive, mixed(theme.accent, theme.text, 0.15)),
                (psim.ImGuiCol_Text, theme.on_accent),
            ]
        if on:
            shade = mixed(theme.panel, theme.accent, 0.3)
            return [(psim.ImGuiCol_Button, shade), (psim.ImGuiCol_ButtonHovered, shade)]
        return []

    # -- values ---------------------------------------------------------------------------------------------

    def choice(
        self, key: str, current: Any, options: dict[Any, str], hints: dict[Any, str] | None = None
    ) -> Any:
        """Buttons side by side of which one is on; returns the one chosen."""
        width = self.share(len(options))
        # Little text may stand closer, so that five words fit.
        psim.PushStyleVar(psim.ImGuiStyleVar_FramePadding, (self.px(3), self.px(4)))
        for number, (value, label) in enumerate(options.items()):
            if number:
                psim.SameLine()
            hint = (hints or {}).get(value, "")
            if self.button(f"{label}##{key}", width=width, on=value == current, hint=hint):
                current = value
        psim.PopStyleVar(1)
        return current

    def slider(
        self,
        text: str,
        value: float,
        low: float,
        high: float,
        form: str,
        *,
        log: bool = False,
        hint: str = "",
        then: Callable[[], None] | None = None,
    ) -> float | None:
        """A labelled slider; returns a new value or None. `then` is called once it is let go."""
        self.label(text, hint)
        flags = psim.ImGuiSliderFlags_AlwaysClamp | (psim.ImGuiSliderFlags_Logarithmic if log else 0)
        shown = form % value if "%" in form else form
        new = self.knob(f"##{text}", float(value), low, high, form, shown, flags=flags, hint=hint)
        if then is not None and self._let_go:
            then()
        return new

    def knob(
        self,
        name: str,
        value: float,
        low: float,
        high: float,
        form: str,
        shown: str,
        *,
        room: float = VALUES,
        width: float | None = None,
        flags: int = psim.ImGuiSliderFlags_AlwaysClamp,
        hint: str = "",
    ) -> float | int | None:
        """A slider over the rest of the line, with `shown` at its right, where the knob does not cover it.

        Args:
            value: whole numbers make a slider of whole numbers. form: ImGui's, for rounding and typing. room: width
                of what is shown, at UI scale 1. width: of slider and value together [px].

        Returns:
            A new value, or None.
        """
        gap, start = self.px(6), psim.GetCursorPosX()
        width = self.free_width if width is None else width
        psim.SetNextItemWidth(max(self.px(24), width - self.px(room) - gap))
        # ImGui writes the value under the knob: unseen, but while a number is typed.
        alpha = 1.0 if self._typed == name else 0.0
        psim.PushStyleColor(psim.ImGuiCol_Text, with_alpha(self.theme.text, alpha))
        slide = psim.SliderInt if isinstance(value, int) else psim.SliderFloat
        changed, new = slide(name, value, low, high, form, flags)
        psim.PopStyleColor(1)
        self._keep_place(name)
        self._let_go = psim.IsItemDeactivatedAfterEdit()
        if psim.IsItemActive() and psim.GetIO().WantTextInput:
            self._typed = name
        elif self._typed == name:
            self._typed = ""
        self.tooltip(hint)
        psim.SameLine(0.0, gap)
        left = start + width - psim.CalcTextSize(shown)[0]
        psim.SetCursorPosX(max(psim.GetCursorPosX(), left))
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(shown)
        return new if changed else None

    @contextmanager
    def section(self, title: str, *, opened: bool = True) -> Iterator[bool]:
        """A part of the column that folds away."""
        if opened:
            psim.SetNextItemOpen(True, psim.ImGuiCond_Once)
        shown = psim.CollapsingHeader(title)
        psim.PushID(title)
        try:
            yield shown
        finally:
            psim.PopID()
        if shown:
            psim.Dummy((0.0, self.px(2)))

    # -- windows --------------------------------------------------------------------------------------------

    @contextmanager
    def floating(
        self,
        name: str,
        place: tuple[float, float],
        *,
        pivot: tuple[float, float] = (0.0, 0.0),
        width: float | None = None,
        size: tuple[float, float] | None = None,
        behind: bool = False,
    ) -> Iterator[bool]:
        """A window over the scene as large as what is in it, or of a width (at UI scale 1) or size [px].

        `behind`: it stays behind the others when it is clicked, as what is no dialog should.
        """
        flags = (
            psim.ImGuiWindowFlags_NoTitleBar
            | psim.ImGuiWindowFlags_NoResize
            | psim.ImGuiWindowFlags_NoMove
            | psim.ImGuiWindowFlags_NoSavedSettings
        )
        if behind:
            flags |= psim.ImGuiWindowFlags_NoBringToFrontOnFocus
        psim.SetNextWindowPos(place, psim.ImGuiCond_Always, pivot)
        if size is not None:
            psim.SetNextWindowSize(size)
        elif width is not None:
            psim.SetNextWindowSize((self.px(width), 0.0))
        else:
            flags |= psim.ImGuiWindowFlags_AlwaysAutoResize
        shown = psim.Begin(name, flags)
        try:
            yield shown
        finally:
            psim.End()

    @contextmanager
    def bar(
        self, name: str, place: tuple[float, float], size: tuple[float, float], *, scrolls: bool = False
    ) -> Iterator[bool]:
        """A window at an edge, without corners."""
        flags = (
            psim.ImGuiWindowFlags_NoTitleBar
            | psim.ImGuiWindowFlags_NoResize
            | psim.ImGuiWindowFlags_NoMove
            | psim.ImGuiWindowFlags_NoSavedSettings
            | psim.ImGuiWindowFlags_NoBringToFrontOnFocus
        )
        if not scrolls:
            flags |= psim.ImGuiWindowFlags_NoScrollbar | psim.ImGuiWindowFlags_NoScrollWithMouse
        psim.SetNextWindowPos(place)
        psim.SetNextWindowSize(size)
        psim.PushStyleVar(psim.ImGuiStyleVar_WindowRounding, 0.0)
        if not scrolls:
            psim.PushStyleVar(psim.ImGuiStyleVar_WindowPadding, (self.px(10), self.px(3)))
        shown = psim.Begin(name, flags)
        psim.PopStyleVar(1 if scrolls else 2)
        try:
            yield shown
        finally:
            psim.End()

    def swatch(self, color: Color, size: float = 12.0) -> None:
        """A small disc of a colour in the current line."""
        x, y = psim.GetCursorScreenPos()
        radius = self.px(size) / 2
        height = psim.GetFrameHeight()
        psim.GetWindowDrawList().AddCircleFilled((x + radius, y + height / 2), radius, packed(color))
        psim.Dummy((2 * radius, height))
