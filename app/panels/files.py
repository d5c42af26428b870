"""The file browser: opening and saving inside the window."""

from __future__ import annotations

import os
from pathlib import Path

import polyscope.imgui as psim

from app.file_browser import FILTERS, FileBrowser, readable_size
from app.mesh_units import METRES_PER_UNIT
from app.panels.closing import open_file
from app.session import Session
from app.ui import Ui
from scenes.shipped import LIBRARY
from sim.mesh_files import FORMATS

_TITLES = {
    "open": "Open",
    "save scene": "Save the scene as",
    "save weights": "Save the weights as",
    "save motion": "Save the motion as",
}
_SIZE = (680.0, 500.0)
_PLACES = 150.0  # width of the list of places


def draw(session: Session, ui: Ui) -> None:
    browser = ui.browser
    _open_when_asked(session, ui, browser)
    if browser.purpose is None:
        return
    if psim.IsKeyPressed(psim.ImGuiKey_Escape, False):
        browser.close()
        return
    size = (min(ui.px(_SIZE[0]), ui.size[0] - ui.px(20)), min(ui.px(_SIZE[1]), ui.size[1] - ui.px(20)))
    center = (ui.size[0] / 2, ui.size[1] / 2)
    with ui.floating("files", center, pivot=(0.5, 0.5), size=size) as shown:
        if not shown:
            return
        moved = _path(ui, browser)
        below = psim.GetFrameHeightWithSpacing() * (2 if _asks_for_units(browser) else 1) + ui.px(4)
        _places(session, ui, browser, below)
        psim.SameLine()
        chosen = _listing(ui, browser, below)
        if _asks_for_units(browser):
            _units(ui, browser)
        if not moved and not psim.IsAnyItemActive() and _enter():
            chosen = True
        _buttons(session, ui, browser, chosen)


def _open_when_asked(session: Session, ui: Ui, browser: FileBrowser) -> None:
    here = session.scene_path.parent if session.scene_path is not None else None
    name = session.scene.name.replace(" ", "_") if session.scene is not None else "scene"
    if ui.view.take("open"):
        browser.ask("open", folder=here)
    if ui.view.take("save"):
        shipped = here is not None and here == LIBRARY
        browser.ask("save scene", name, folder=None if shipped else here)
    if ui.view.take("save weights") and session.selected_body is not None:
        browser.ask("save weights", session.selected_body.name.replace(" ", "_"))
    if ui.view.take("save motion"):
        browser.ask("save motion", f"{name}-motion")


def _enter() -> bool:
    return psim.IsKeyPressed(psim.ImGuiKey_Enter, False) or psim.IsKeyPressed(
        psim.ImGuiKey_KeypadEnter, False
    )


def _path(ui: Ui, browser: FileBrowser) -> bool:
    """Returns whether a folder was typed, so that Enter is used up."""
    title = _TITLES[browser.purpose]
    psim.AlignTextToFramePadding()
    psim.TextUnformatted(title)
    psim.SameLine()
    if ui.button("↑", hint="The folder above"):
        browser.go_to(browser.folder.parent)
    psim.SameLine()
    width = ui.free_width - (ui.px(150) if not browser.saving else 0)
    psim.SetNextItemWidth(width)
    entered, text = psim.InputText("##folder", str(browser.folder), psim.ImGuiInputTextFlags_EnterReturnsTrue)
    if entered:
        path = Path(os.path.expanduser(text))
        if path.is_file() and not browser.saving:
            browser.go_to(path.parent)
            browser.selected = path
        else:
            browser.go_to(path)
    if not browser.saving:
        psim.SameLine()
        psim.SetNextItemWidth(-1.0)
        names = list(FILTERS)
        changed, number = psim.Combo("##filter", names.index(browser.filter), names)
        if changed:
            browser.set_filter(names[number])
    return entered


def _places(session: Session, ui: Ui, browser: FileBrowser, below: float) -> None:
    psim.BeginChild("places", (ui.px(_PLACES), -below))
    try:
        ui.heading("Places")
        for name, folder in (("Home", Path.home()), ("Here", Path.cwd()), ("Shipped scenes", LIBRARY)):
            if psim.Selectable(name, browser.folder == folder):
                browser.go_to(folder)
        if not browser.saving and session.settings.recent:
            ui.heading("Recent")
            for number, path in enumerate(session.settings.recent):
                if psim.Selectable(f"{ui.fitted(os.path.basename(path), ui.px(_PLACES - 8))}##{number}"):
                    browser.go_to(Path(path).parent)
                    browser.selected = Path(path)
                ui.tooltip(path)
    finally:
        psim.EndChild()


def _listing(ui: Ui, browser: FileBrowser, below: float) -> bool:
    """Returns whether a file was double-clicked."""
    psim.BeginChild("listing", (0.0, -below), psim.ImGuiChildFlags_Borders)
    chosen = False
    try:
        if browser.problem:
            ui.text(browser.problem, ui.theme.bad)
        elif not browser.entries:
            ui.faint(
                "Nothing here that can be opened." if not browser.saving else "Nothing of that kind here."
            )
        for number, entry in enumerate(browser.entries):
            psim.PushID(number)
            label = f"▸ {entry.name}" if entry.is_folder else f"   {entry.name}"
            flags = psim.ImGuiSelectableFlags_AllowDoubleClick
            pressed = psim.Selectable(
                ui.fitted(label, ui.free_width - ui.px(80)), browser.selected == entry.path, flags
            )
            if entry.size is not None:
                psim.SameLine(psim.GetWindowWidth() - ui.px(76))
                ui.faint_inline(readable_size(entry.size))
            psim.PopID()
            if pressed and entry.is_folder:
                browser.go_to(entry.path)
                break
            if pressed:
                browser.selected, browser.name = entry.path, entry.name
                chosen = chosen or psim.IsMouseDoubleClicked(psim.ImGuiMouseButton_Left)
    finally:
        psim.EndChild()
    return chosen


def _asks_for_units(browser: FileBrowser) -> bool:
    selected = browser.selected
    return not browser.saving and selected is not None and selected.suffix.lower() in FORMATS


def _units(ui: Ui, browser: FileBrowser) -> None:
    psim.AlignTextToFramePadding()
    psim.TextUnformatted("One unit is")
    psim.SameLine()
    names = ["guess", *METRES_PER_UNIT]
    psim.SetNextItemWidth(ui.px(110))
    changed, number = psim.Combo("##unit", names.index(browser.unit), names)
    if changed:
        browser.unit = names[number]
    psim.SameLine(0.0, ui.px(20))
    psim.TextUnformatted("Up is")
    psim.SameLine()
    psim.SetNextItemWidth(ui.px(70))
    changed, number = psim.Combo("##up", ("y", "z").index(browser.up), ["y", "z"])
    if changed:
        browser.up = ("y", "z")[number]


def _buttons(session: Session, ui: Ui, browser: FileBrowser, chosen: bool) -> None:
    width = ui.px(110)
    spacing = psim.GetStyle().ItemSpacing[0]
    if browser.saving:
        psim.SetNextItemWidth(ui.free_width - 2 * width - 2 * spacing)
        if browser.fresh:
            psim.SetKeyboardFocusHere()
            browser.fresh = False
        _, browser.name = psim.InputText("##name", browser.name, psim.ImGuiInputTextFlags_AutoSelectAll)
        chosen = chosen or (psim.IsItemDeactivated() and _enter())
    else:
        name = browser.selected.name if browser.selected is not None else "Choose a file."
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(ui.fitted(name, ui.free_width - 2 * width - 3 * spacing))
    psim.SameLine(psim.GetWindowWidth() - 2 * width - spacing - psim.GetStyle().WindowPadding[0])
    if ui.button("Cancel", width=width):
        browser.close()
        return
    psim.SameLine()
    path = browser.result
    reason = None if path is not None else "Type a name." if browser.saving else "Choose a file."
    label = "Open" if not browser.saving else "Replace" if path is not None and path.exists() else "Save"
    if browser.saving and path is not None and path.exists():
        chosen = False  # a file is replaced by the button that says so alone
    if (ui.button(label, width=width, primary=True, why_not=reason) or chosen) and path is not None:
        purpose = browser.purpose
        browser.close()
        _do(session, ui, purpose, path)


def _do(session: Session, ui: Ui, purpose: str, path: Path) -> None:
    browser = ui.browser
    if purpose == "open":
        open_file(session, ui, path, scale=METRES_PER_UNIT.get(browser.unit), up=browser.up)
        return
    command = {
        "save scene": session.save_scene,
        "save weights": session.save_weights,
        "save motion": session.save_motion,
    }[purpose]
    written = session.attempt(command, path)
    if written is not None:
        session.notify("info", f"Saved {written.name}.")
