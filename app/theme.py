"""Theme: the colours and measures of the window, light and dark, and how ImGui and the scene take them on."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polyscope as ps
import polyscope.imgui as psim
import polyscope.implot as implot

from app.font_signs import write_with_signs

Color = tuple[float, float, float]

TEXT_SIZE = 14.5
"""Height of text at UI scale 1 [px]."""
COLUMN = 332.0
"""Width of the left column at UI scale 1 [px]."""


@dataclass(frozen=True)
class Theme:
    """Colours as RGB from 0 to 1.

    Attributes:
        backdrop: behind the scene. panel, field, line: of the column, of what can be changed in it, of edges.
        text, faint: writing, and writing that matters less. accent: the one button to press; on_accent: its text.
        good, warning, bad: of messages. hand, pin: of the pull line and of what is held.
    """

    name: str
    backdrop: Color
    panel: Color
    field: Color
    field_hover: Color
    line: Color
    text: Color
    faint: Color
    accent: Color
    on_accent: Color
    good: Color
    warning: Color
    bad: Color
    hand: Color
    pin: Color
    shadow: float


LIGHT = Theme(
    name="light",
    backdrop=(0.905, 0.915, 0.93),
    panel=(0.972, 0.975, 0.98),
    field=(0.895, 0.905, 0.922),
    field_hover=(0.845, 0.865, 0.9),
    line=(0.82, 0.835, 0.86),
    text=(0.11, 0.13, 0.17),
    faint=(0.39, 0.42, 0.48),
    accent=(0.15, 0.42, 0.80),
    on_accent=(1.0, 1.0, 1.0),
    good=(0.10, 0.52, 0.30),
    warning=(0.72, 0.44, 0.02),
    bad=(0.78, 0.16, 0.16),
    hand=(0.05, 0.38, 0.85),
    pin=(0.10, 0.60, 0.62),
    shadow=0.28,
)
DARK = Theme(
    name="dark",
    backdrop=(0.165, 0.175, 0.195),
    panel=(0.108, 0.115, 0.132),
    field=(0.185, 0.197, 0.225),
    field_hover=(0.245, 0.262, 0.3),
    line=(0.24, 0.255, 0.29),
    text=(0.905, 0.915, 0.935),
    faint=(0.60, 0.63, 0.68),
    accent=(0.25, 0.50, 0.88),
    on_accent=(1.0, 1.0, 1.0),
    good=(0.38, 0.78, 0.52),
    warning=(0.95, 0.70, 0.28),
    bad=(0.96, 0.42, 0.40),
    hand=(0.38, 0.70, 1.0),
    pin=(0.22, 0.80, 0.80),
    shadow=0.55,
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}

BODY_COLORS: tuple[Color, ...] = (
    (0.86, 0.16, 0.14),
    (0.98, 0.62, 0.12),
    (0.22, 0.58, 0.84),
    (0.36, 0.68, 0.32),
    (0.62, 0.42, 0.78),
)
"""For bodies whose scene names no colour."""


def add_fonts(atlas: psim.ImFontAtlas) -> tuple[psim.ImFont, psim.ImFont]:
    """A font that has the signs buttons use (play, step, squares), from matplotlib's files: everybody has those.

    Returns:
        What Polyscope asks for: the regular font and a fixed-width one.
    """
    regular = _add_with_signs(atlas, font_file("DejaVuSans.ttf"))  # ImGui takes the first one for itself
    fixed = atlas.AddFontFromFileTTF(str(font_file("DejaVuSansMono.ttf")), TEXT_SIZE)
    return regular, fixed


def _add_with_signs(atlas: psim.ImFontAtlas, file: Path) -> psim.ImFont:
    with contextlib.suppress(OSError, ValueError), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / file.name  # ImGui reads it at once
        write_with_signs(file, copy)
        return atlas.AddFontFromFileTTF(str(copy), TEXT_SIZE)
    return atlas.AddFontFromFileTTF(str(file), TEXT_SIZE)


def font_file(name: str) -> Path:
    """A file of matplotlib's fonts."""
    package = importlib.util.find_spec("matplotlib")
    return Path(package.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / name


def with_alpha(color: Color, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """RGBA."""
    return (*color, alpha)


def packed(color: Color, alpha: float = 1.0) -> int:
    """As ImGui's draw lists want it."""
    return psim.ColorConvertFloat4ToU32(with_alpha(color, alpha))


def mixed(a: Color, b: Color, share: float) -> Color:
    """`share` of b, the rest of a."""
    return tuple((1 - share) * x + share * y for x, y in zip(a, b, strict=True))


def style_interface(theme: Theme, scale: float) -> None:
    """Give ImGui and ImPlot this theme at this UI scale. Needs a current ImGui context."""
    style = psim.GetStyle()
    style.FontSizeBase = TEXT_SIZE
    style.FontScaleMain = scale
    sizes = {
        "WindowPadding": (12, 10),
        "FramePadding": (8, 4),
        "ItemSpacing": (8, 6),
        "ItemInnerSpacing": (6, 4),
        "CellPadding": (4, 2),
        "WindowRounding": 6,
        "ChildRounding": 6,
        "PopupRounding": 6,
        "FrameRounding": 4,
        "GrabRounding": 4,
        "TabRounding": 4,
        "ScrollbarRounding": 6,
        "ScrollbarSize": 11,
        "GrabMinSize": 12,
        "IndentSpacing": 14,
        "WindowMinSize": (20, 20),
    }
    for name, size in sizes.items():
        scaled = tuple(scale * s for s in size) if isinstance(size, tuple) else scale * size
        setattr(style, name, scaled)
    style.WindowBorderSize = style.PopupBorderSize = 1.0
    style.FrameBorderSize = style.ChildBorderSize = 0.0
    style.DisabledAlpha = 0.42
    for key, color in _interface_colors(theme).items():
        style.Colors[getattr(psim, f"ImGuiCol_{key}")] = color
    (implot.StyleColorsLight if theme.name == "light" else implot.StyleColorsDark)()


def _interface_colors(theme: Theme) -> dict[str, tuple[float, float, float, float]]:
    accent_light = mixed(theme.field, theme.accent, 0.25)
    opaque = {
        "Text": theme.text,
        "TextDisabled": theme.faint,
        "WindowBg": theme.panel,
        "PopupBg": theme.panel,
        "Border": theme.line,
        "FrameBg": theme.field,
        "FrameBgHovered": theme.field_hover,
        "FrameBgActive": accent_light,
        "TitleBg": theme.panel,
        "TitleBgActive": theme.field,
        "TitleBgCollapsed": theme.panel,
        "MenuBarBg": theme.panel,
        "ScrollbarGrab": mixed(theme.field_hover, theme.faint, 0.25),
        "ScrollbarGrabHovered": theme.faint,
        "ScrollbarGrabActive": theme.faint,
        "CheckMark": theme.accent,
        "SliderGrab": mixed(theme.field, theme.accent, 0.45),
        "SliderGrabActive": mixed(theme.accent, theme.text, 0.25),
        "Button": theme.field,
        "ButtonHovered": theme.field_hover,
        "ButtonActive": accent_light,
        "Header": theme.field,
        "HeaderHovered": theme.field_hover,
        "HeaderActive": accent_light,
        "Separator": theme.line,
        "SeparatorHovered": theme.accent,
        "SeparatorActive": theme.accent,
        "Tab": theme.field,
        "TabHovered": theme.field_hover,
        "TabSelected": accent_light,
        "PlotLines": theme.accent,
        "PlotHistogram": mixed(theme.field, theme.accent, 0.45),  # of progress bars: text is read on it
        "TableBorderStrong": theme.line,
        "TableBorderLight": theme.line,
        "NavCursor": theme.accent,
        "InputTextCursor": theme.text,
        "TextLink": theme.accent,
    }
    colors = {key: with_alpha(color) for key, color in opaque.items()}
    colors["ChildBg"] = colors["BorderShadow"] = colors["ScrollbarBg"] = (0.0, 0.0, 0.0, 0.0)
    colors["ResizeGrip"] = (0.0, 0.0, 0.0, 0.0)
    colors["TextSelectedBg"] = with_alpha(theme.accent, 0.35)
    colors["ModalWindowDimBg"] = (0.0, 0.0, 0.0, 0.35)
    return colors


def scene_color(color: Color) -> Color:
    """A colour as Polyscope's scene wants it: it brightens what it draws as screens do (sRGB), ImGui does not."""
    return tuple(channel**2.2 for channel in color)


def style_scene(theme: Theme) -> None:
    """Give Polyscope's scene this theme's backdrop and shadow."""
    ps.set_background_color(scene_color(theme.backdrop))
    ps.set_shadow_darkness(theme.shadow)
