"""Long use of the window: does memory stay flat? `python tests/bench/soak.py --minutes 30`. One JSON line.

Rounds of what a person does, on every shipped scene in turn, in a window without a display: open, let it play, pull
with the mouse, pin and unpin, look at weights, train and take the weights live, scrub and continue, save, and open
what was saved. `grown_mb` compares the memory in use at the end of rounds: the last lap through all scenes against
the first one after the warm-up lap.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import polyscope.imgui as psim
from figures import emit, single_thread

from app.session import Session
from app.settings import Settings
from app.viewer import Viewer
from app.window import open_window
from scenes.shipped import shipped_scenes

SIZE = (1280, 720)  # px
FRAME = 1 / 60  # s a frame, whatever the machine takes for it: every run does the same
PATIENCE = 3000  # frames to wait for a job


def resident_mb() -> float:
    """Memory of this process [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Person:
    """Somebody at the window, with a mouse."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.session = viewer.session
        self.doing = "look on"
        self.longest_ms: dict[str, float] = {}  # of every act

    def frames(self, count: int) -> None:
        """Look on."""
        for _ in range(count):
            self.viewer.frame(FRAME)
            self.longest_ms[self.doing] = max(self.longest_ms.get(self.doing, 0.0), self.viewer.frame_ms)

    def wait(self, done) -> None:
        """Look on until something is so.

        Raises:
            TimeoutError: it never came to be.
        """
        for _ in range(PATIENCE):
            if done():
                return
            self.frames(1)
            # The loop of a real window rests as long as a frame took, so that the job gets on.
            time.sleep(max(0.002, 1e-3 * self.viewer.frame_ms))
        raise TimeoutError(f"Waited {PATIENCE} frames: {self.session.loading} {self.session.training}")

    def open(self, path: str) -> None:
        self.doing = "open"
        self.session.open(path)
        self.wait(lambda: self.session.loading is None)
        if self.session.status != "ready":
            raise RuntimeError([notice.text for notice in self.session.notices])
        self.doing = "play"
        self.session.play()
        self.frames(30)

    def pull(self) -> None:
        """Press on the body's middle vertex as the camera sees it, drag, let go."""
        self.doing = "pull"
        place = self.viewer.pose().project(self.session.bodies[0].positions().numpy().mean(0)[None])[0][0]
        io = psim.GetIO()
        io.AddMousePosEvent(*map(float, place))
        self.frames(2)
        io.AddMouseButtonEvent(psim.ImGuiMouseButton_Left, True)
        self.frames(2)
        for step in range(20):
            io.AddMousePosEvent(float(place[0]) + 5 * step, float(place[1]) - 3 * step)
            self.frames(1)
        io.AddMouseButtonEvent(psim.ImGuiMouseButton_Left, False)
        self.frames(20)

    def round(self, scene: str, folder: Path) -> None:
        """All there is to do with one scene."""
        session = self.session
        self.open(scene)
        self.pull()
        self.doing = "pin"
        body = session.bodies[0]
        session.pin(body, body.shape.vertices[0].numpy())
        self.frames(10)
        session.undo()
        for mode in ("one", "all", "dominant", "grid", "off"):
            self.doing = f"weights {mode}"
            self.viewer.view.weights = mode
            self.frames(3)
        self.doing = "train"
        session.train("draft")
        self.wait(lambda: session.training.step >= 10 or not session.training.active)
        self.doing = "use weights"
        session.use_weights_now()
        self.wait(lambda: not session.training.active)
        self.pull()
        self.doing = "scrub"
        session.seek(session.timeline.first)
        self.frames(3)
        session.continue_from(session.timeline.last)
        self.frames(10)
        self.doing = "save"
        saved = session.save_scene(folder / "saved.yaml")
        self.open(str(saved))
        self.frames(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--scenes", nargs="+", default=list(shipped_scenes()))
    options = parser.parse_args()
    single_thread()
    session = Session(device="cpu", settings=Settings(None))
    open_window("openGL3_egl", SIZE)
    person = Person(Viewer(session))
    laps: list[list[float]] = []
    problems: list[str] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        while time.perf_counter() - began < 60 * options.minutes or len(laps) < 3:
            laps.append([])
            for scene in options.scenes:
                person.round(scene, Path(folder))
                problems += [n.text for n in session.notices if n.kind == "error" and n.text not in problems]
                gc.collect()
                laps[-1].append(round(resident_mb(), 1))
    person.viewer.close()
    emit(
        "soak",
        minutes=(time.perf_counter() - began) / 60,
        laps=len(laps),
        rounds=sum(map(len, laps)),
        grown_mb=float(np.mean(laps[-1]) - np.mean(laps[1])),
        peak_grown_mb=max(laps[-1]) - max(laps[1]),
        lap_mean_mb=[round(float(np.mean(lap)), 1) for lap in laps],
        longest_frame_ms=max(person.longest_ms.values()),
        longest_frame_of_ms={act: round(longest, 1) for act, longest in person.longest_ms.items()},
        errors=problems,
    )


if __name__ == "__main__":
    main()
