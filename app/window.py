"""Opening the window: Polyscope as this program wants it, on screen before the heavy libraries are read."""

from __future__ import annotations

import polyscope as ps
import polyscope.imgui as psim

from app import theme

SIZE = (1280, 720)
"""Of the window when it opens [px]."""


def open_window(
    backend: str = "openGL3_glfw",
    size: tuple[int, int] = SIZE,
    *,
    colors: theme.Theme = theme.LIGHT,
    scale: float = 1.0,
) -> None:
    """Start Polyscope; one window a process.

    Args:
        backend: "openGL3_glfw" opens a window, "openGL3_egl" draws without a display, "openGL_mock" draws nothing.
        size: [px]. colors, scale: of the first frames.

    Raises:
        StudioError: it does not start here.
    """
    ps.set_program_name("Simplicits Studio")
    ps.set_use_prefs_file(False)
    ps.set_verbosity(0)
    ps.set_allow_headless_backends(True)
    ps.set_errors_throw_exceptions(True)
    ps.set_display_message_popups(False)
    ps.set_prepare_imgui_fonts_callback(theme.add_fonts)
    ps.set_window_size(*size)
    try:
        ps.init(backend)
    except RuntimeError as error:
        from sim.errors import StudioError

        raise StudioError(
            f"The window does not open here ({error}). `simplicits-studio record` needs no display."
        ) from error
    ps.set_window_size(*size)
    ps.set_enable_vsync(False)
    ps.set_frame_tick_limit_fps_mode("ignore_limits")
    ps.set_always_redraw(True)
    ps.set_build_default_gui_panels(False)
    ps.set_open_imgui_window_for_user_callback(False)
    ps.set_up_dir("y_up")
    ps.set_navigation_style("turntable")
    ps.set_view_projection_mode("perspective")
    ps.set_automatically_compute_scene_extents(False)
    ps.set_warn_for_invalid_values(False)
    ps.set_ground_plane_mode("none")
    use_theme(colors, scale)


def use_theme(colors: theme.Theme, scale: float) -> None:
    """Take on a theme, in the scene and in every ImGui context that is made from now on."""
    # Polyscope makes a new context for each screenshot, and calls this for it.
    ps.set_configure_imgui_style_callback(lambda: theme.style_interface(colors, scale))
    theme.style_scene(colors)


def show_splash(colors: theme.Theme, scale: float) -> None:
    """A first frame that says that more is coming."""

    def draw() -> None:
        theme.style_interface(colors, scale)
        width, height = ps.get_window_size()
        text = "Simplicits Studio is starting…"
        length, _ = psim.CalcTextSize(text)
        psim.GetBackgroundDrawList().AddText(
            ((width - length) / 2, height / 2), theme.packed(colors.text), text
        )

    ps.set_user_callback(draw)
    for _ in range(2):  # the first one measures text with the old style
        ps.frame_tick()
    ps.clear_user_callback()
