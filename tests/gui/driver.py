"""Drives the window as a person does: mouse and keys go in as ImGui events, frames have a fixed length."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polyscope as ps
import polyscope.imgui as psim
import trimesh

from app.session import Session
from app.settings import Settings
from app.viewer import Viewer

FRAME = 1 / 60


class Driver:
    """A viewer and a hand on its mouse.

    Args:
        settings: kept in memory unless given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.session = Session("cpu", settings or Settings(None))
        self.viewer = Viewer(self.session)
        self.mouse = (5.0, 715.0)
        psim.GetIO().ClearInputKeys()
        self.to(*self.mouse)

    @property
    def ui(self):
        return self.viewer.ui

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            self.viewer.frame(FRAME)

    def until(self, condition, what: str, seconds: float = 60.0) -> None:
        """Turn the window's own loop, which lets its worker run, until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s: {what}; {self.messages()}"
            self.viewer.turn()

    def messages(self) -> list[str]:
        return [notice.text for notice in self.session.notices]

    def problems(self) -> list[str]:
        return [notice.text for notice in self.session.notices if notice.kind != "info"]

    def open(self, path) -> None:
        before = self.session.scene_version
        self.session.open(path)
        self.until(lambda: self.session.scene_version > before or self.session.status == "error", "opened")
        assert self.session.status == "ready", self.messages()
        self.frames(3)

    # -- mouse and keys -------------------------------------------------------------------------------------

    def to(self, x: float, y: float) -> None:
        """Move there; ImGui needs a frame to see it and one to react."""
        self.mouse = (float(round(x)), float(round(y)))  # ImGui cuts pixels to whole ones
        psim.GetIO().AddMousePosEvent(*self.mouse)
        self.frames(2)

    def press(self, button: int = 0) -> None:
        psim.GetIO().AddMouseButtonEvent(button, True)
        self.frames(1)

    def release(self, button: int = 0) -> None:
        psim.GetIO().AddMouseButtonEvent(button, False)
        self.frames(2)

    def click(self, x: float, y: float, button: int = 0) -> None:
        self.to(x, y)
        self.press(button)
        self.release(button)

    def drag(self, *places: tuple[float, float], steps: int = 6) -> None:
        """Press at the first place, pass the others, let go at the last."""
        self.to(*places[0])
        self.press()
        for place in places[1:]:
            start = np.array(self.mouse)
            for share in np.linspace(0, 1, steps + 1)[1:]:
                self.to(*(start + share * (np.array(place) - start)))
        self.release()

    def button(self, label: str) -> None:
        """Press a button by its label."""
        self.frames(1)
        assert label in self.ui.places, f"no button {label!r}; there are {sorted(self.ui.places)}"
        self.click(*self.ui.places[label])

    def key(self, name: str, *, control: bool = False, shift: bool = False) -> None:
        """Press and release a key, named as after `ImGuiKey_`."""
        io, key = psim.GetIO(), getattr(psim, f"ImGuiKey_{name}")
        modifiers = [
            getattr(psim, f"ImGuiMod_{word}") for word, held in (("Ctrl", control), ("Shift", shift)) if held
        ]
        for modifier in modifiers:
            io.AddKeyEvent(modifier, True)
        io.AddKeyEvent(key, True)
        self.frames(2)
        io.AddKeyEvent(key, False)
        for modifier in modifiers:
            io.AddKeyEvent(modifier, False)
        self.frames(2)

    # -- looking --------------------------------------------------------------------------------------------

    def pixel(self, point) -> tuple[float, float]:
        """Where a world point is on screen [px]."""
        (place,), _ = self.viewer.pose().project(np.asarray(point, dtype=float)[None])
        return float(place[0]), float(place[1])

    def picture(self) -> np.ndarray:
        """The window with its panels, uint8, (height, width, 3)."""
        return ps.screenshot_to_buffer(transparent_bg=False, include_UI=True)[..., :3]

    def close(self) -> None:
        """End the session; the window stays for the next."""
        psim.GetIO().AddMouseButtonEvent(0, False)
        self.viewer.close()
        ps.frame_tick()


def write_box(path: Path, size=(0.2, 0.2, 0.2), divisions: int = 2) -> Path:
    """A box mesh of some hundred vertices."""
    box = trimesh.creation.box(extents=size)
    for _ in range(divisions):
        box = box.subdivide()
    box.export(path)
    return path


def write_scene(folder: Path, *, floor: bool = True, name: str = "scene.yaml") -> Path:
    """A soft box on a floor: few samples and handles, no weights."""
    write_box(folder / "box.obj")
    (folder / name).write_text(
        "name: test box\n" + ("floor: {height: 0, friction: 0.5}\n" if floor else "") + "bodies:\n"
        "  - name: box\n    mesh: box.obj\n    material: soft rubber\n    handles: 6\n    samples: 512\n"
        "    cubature: 64\n    train: {steps: 30}\n    transform: {translate: [0, 0.1, 0]}\n"
        "camera: {position: [0.3, 0.35, 0.8], look_at: [0, 0.1, 0]}\n"
    )
    return folder / name
