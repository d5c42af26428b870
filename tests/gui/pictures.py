"""Pictures of the window for the documents: `python tests/gui/pictures.py [FOLDER]`, docs/pictures by default.

Drawn twice as large and scaled down, so that edges are smooth. Takes a minute or two without a graphics card.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from driver import Driver
from PIL import Image

from app.window import open_window

SIZE = (1280, 720)


def main(folder: Path) -> None:
    open_window("openGL3_egl", (2 * SIZE[0], 2 * SIZE[1]))
    driver = Driver()
    session, view = driver.session, driver.viewer.view
    session.settings.set_ui_scale(2.0)

    def save(name: str) -> None:
        driver.frames(2)
        picture = Image.fromarray(driver.picture()).resize(SIZE, Image.Resampling.LANCZOS)
        picture.save(folder / f"window-{name}.png", optimize=True)
        print(folder / f"window-{name}.png")

    def play(steps: int) -> None:
        for _ in range(steps):
            session.step()

    save("empty")
    driver.open("gummy_bear")
    driver.until(lambda: session.slow_motion > 0, "a frame")
    play(60)
    pull(driver, play)
    save("pull")
    driver.key("Escape")
    driver.release()

    session.reset()
    play(50)
    view.weights, view.handle_points = "all", True
    session.selected_handle = 11
    driver.to(2 * 900, 2 * 80)
    save("weights")
    view.weights = "grid"
    driver.frames(10)
    save("grid")

    view.handle_points = False
    view.weights, session.selected_handle = "one", 9
    save("one-handle")
    view.weights = "off"
    driver.open("starfish")
    session.pause()
    play(40)
    view.weights = "all"
    session.train("good")
    driver.until(lambda: session.training.step >= 90 or not session.training.active, "training", seconds=400)
    save("training")
    session.stop_training()
    driver.until(lambda: not session.training.active, "stopped", seconds=400)

    driver.open("octopus")
    session.settings.set_theme("dark")
    view.weights = "off"
    session.tool = "handle"
    session.pause()
    play(60)
    save("dark")
    driver.close()


def pull(driver: Driver, play) -> None:
    """By the left ear, up and aside; time goes on by steps, which is quicker than by frames."""
    session = driver.session
    session.pause()
    driver.frames(2)
    body = session.bodies[0]
    vertices = session.positions(body)
    ear = vertices[np.argmax(vertices[:, 1] + 0.8 * vertices[:, 0])]
    x, y = driver.pixel(ear)
    driver.to(x - 14, y + 22)
    driver.press()
    start = np.array(driver.mouse)
    for share in np.linspace(0, 1, 8):
        driver.to(*(start + share * np.array([380, -150])))
        play(3)
    play(6)
    # The hand runs ahead: its line is seen.
    driver.to(driver.mouse[0] + 150, driver.mouse[1] - 40)
    play(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs" / "pictures")
