"""Level 4: a real window on a virtual screen, a real mouse. Start, pull, train, close."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SIZE = (1400, 800)  # the window is 1280 x 720, somewhere near the upper left
_PATIENCE = 90.0  # [s] for anything on a busy machine without a graphics card

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool: sh .ci/system-libraries",
)


class Screen:
    """A virtual screen: what is on it, and a mouse."""

    def __init__(self, folder: Path) -> None:
        read, write = os.pipe()
        self._server = subprocess.Popen(
            [
                "Xvfb",
                "-displayfd",
                str(write),
                "-screen",
                "0",
                f"{SIZE[0]}x{SIZE[1]}x24",
                "-fbdir",
                str(folder),
            ],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as stream:
            self.display = f":{stream.readline().strip()}"
        self._file = folder / "Xvfb_screen0"

    def picture(self) -> np.ndarray:
        """RGB, int, (height, width, 3)."""
        data = self._file.read_bytes()  # an XWD file: a header, a colour map of 12 bytes an entry, pixels
        header = np.frombuffer(data[:100], ">u4")
        start = int(header[0]) + 12 * int(header[19])
        rows = np.frombuffer(data, np.uint8, count=int(header[12]) * SIZE[1], offset=start)
        return rows.reshape(SIZE[1], -1, 4)[:, : SIZE[0], 2::-1].astype(int)

    def mouse(self, *words: object) -> None:
        subprocess.run(
            ["xdotool", *map(str, words)], env={**os.environ, "DISPLAY": self.display}, check=True, timeout=60
        )

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)


@pytest.fixture
def screen(tmp_path) -> Iterator[Screen]:
    folder = tmp_path / "screen"
    folder.mkdir()
    screen = Screen(folder)
    yield screen
    screen.close()


def until(condition: Callable[[], object], what: str) -> object:
    end = time.monotonic() + _PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {_PATIENCE} s: {what}"
        time.sleep(0.1)
    return found


def middle_of(mask: np.ndarray, least: int) -> tuple[int, int] | None:
    """x and y of the middle of what is marked, if there is enough of it."""
    y, x = np.nonzero(mask)
    return (int(np.median(x)), int(np.median(y))) if len(x) > least else None


def bear(picture: np.ndarray) -> tuple[int, int] | None:
    red = (picture[..., 0] > 140) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    return middle_of(red, 5000)


def inviting(picture: np.ndarray) -> np.ndarray:
    """Where the colour of the button to press is."""
    return (np.abs(picture - np.array([38, 107, 204])) < 12).all(2)


class _ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, as long as its XEvent."""

    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 17),
    ]


def press_close_button(display: str, window: int) -> None:
    """What a window manager does for its close button: there is none on this screen."""
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    x.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x.XOpenDisplay(display.encode())
    message = _ClientMessage(type=33, window=window, format=32)
    message.message_type = x.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    message.data[0] = x.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    x.XSendEvent(connection, window, 0, 0, ctypes.byref(message))
    x.XCloseDisplay(connection)  # sends what waits


def test_start_pull_train_close(screen, tmp_path):
    environment = {**os.environ, "DISPLAY": screen.display, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    environment.pop("WAYLAND_DISPLAY", None)
    log = (tmp_path / "log").open("w+")
    program = subprocess.Popen(
        [sys.executable, "-m", "app"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        x, y = until(lambda: bear(screen.picture()), "the bear is on the screen")
        still = screen.picture()
        # Pull it, and look while it is held.
        screen.mouse("mousemove", x, y, "sleep", 0.5, "mousedown", 1, "sleep", 0.5)
        for step in range(1, 6):
            screen.mouse("mousemove", x + 24 * step, y - 24 * step, "sleep", 0.2)

        def moved() -> bool:
            place = bear(screen.picture())
            return place is not None and place[0] > x + 25

        until(moved, "the bear follows the mouse")
        screen.mouse("mouseup", 1)
        assert (np.abs(screen.picture() - still).max(2) > 40).sum() > 5000

        # Train: the inviting button of the column.
        column = np.zeros((SIZE[1], SIZE[0]), bool)
        column[:, :370] = True
        button = until(lambda: middle_of(inviting(screen.picture()) & column, 400), "the Train button")
        screen.mouse("mousemove", *button, "sleep", 0.5, "mousedown", 1, "sleep", 0.5, "mouseup", 1)
        # Its place is taken by the progress bar and the buttons to pause and stop.
        until(
            lambda: not inviting(screen.picture())[button[1] - 3 : button[1] + 4, button[0]].any(),
            "training runs",
        )

        # Close: asks, because training runs.
        window = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "Simplicits Studio"],
            env={**os.environ, "DISPLAY": screen.display},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.split()[0]
        press_close_button(screen.display, int(window))
        center = np.zeros((SIZE[1], SIZE[0]), bool)
        center[280:460, 440:900] = True

        def asked() -> tuple[int, int] | None:
            assert program.poll() is None, "it closed without asking"
            return middle_of(inviting(screen.picture()) & center, 400)

        go_on = until(asked, "it asks whether to close")
        screen.mouse(
            "mousemove", go_on[0] - 196, go_on[1], "sleep", 0.5, "mousedown", 1, "sleep", 0.5, "mouseup", 1
        )
        assert program.wait(30) == 0
    finally:
        program.kill()
        log.seek(0)
        print(log.read())
        log.close()
