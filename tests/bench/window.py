"""The window's figures, drawn by EGL at 1280 x 720: `python tests/bench/window.py [--seconds 8]`.

Frames while loading, training and saving; how much of its rate training keeps beside the window; and what the
simulation takes of a frame with 30,000 vertices and 32 handles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import polyscope as ps
import trimesh
from figures import emit, single_thread

sys.path.insert(0, str(Path(__file__).parents[1] / "gui"))

from driver import Driver

from app.window import open_window
from optim.config import TrainConfig
from optim.train import train

_PATIENCE = 300.0  # [s]


def frames(driver: Driver, goes_on) -> dict[str, float]:
    """Turns the loop while something goes on; the longest and the usual frame [ms], without the resting.

    Also the longest by the main thread's own clock, which other programs on the machine do not make longer (but
    which leaves out what OpenGL in software does in threads of its own).
    """
    times, own, end = [], [0.0], time.monotonic() + _PATIENCE
    while goes_on() and time.monotonic() < end:
        began = time.thread_time()
        driver.viewer.turn()
        own.append(1e3 * (time.thread_time() - began))
        times.append(driver.viewer.frame_ms)
    return {
        "longest_ms": max(times, default=0.0),
        "usual_ms": median(times) if times else 0.0,
        "longest_cpu_ms": max(own),
    }


def training_rate_alone(driver: Driver, seconds: float) -> float:
    """Steps a second of the same training with nothing beside it."""
    body, handles = driver.session.bodies[0], driver.session.bodies[0].basis.handles
    marks: list[float] = []

    class Enough:
        """Stops the training once it has run for long enough."""

        def is_set(self) -> bool:
            return bool(marks) and marks[-1] - marks[0] > seconds

    train(
        body.shape,
        body.material,
        TrainConfig(handles=handles, preset="best", device="cpu"),
        on_progress=lambda progress: marks.append(time.perf_counter()),
        cancel=Enough(),
    )
    return (len(marks) - 1) / (marks[-1] - marks[0])


def training_rate_beside(driver: Driver, seconds: float) -> tuple[float, dict[str, float]]:
    """Steps a second while the window plays, and its frames."""
    session = driver.session
    session.set_live_weights(False)
    session.train("best")
    driver.until(lambda: session.training.step >= 1, "the first step")
    first, began = session.training.step, time.perf_counter()
    shown = frames(driver, lambda: time.perf_counter() - began < seconds)
    rate = (session.training.step - first) / (time.perf_counter() - began)
    session.stop_training()
    end = frames(driver, lambda: session.training.active)
    return rate, {name: max(value, end[name]) for name, value in shown.items()}


def simulation_of_a_frame(driver: Driver, folder: Path) -> tuple[int, dict[str, float]]:
    """Median CPU time of step, deform and upload [ms] with some 30,000 vertices and 32 handles."""
    mesh = trimesh.creation.icosphere(subdivisions=6, radius=0.15)
    extra = trimesh.remesh.subdivide_to_size(mesh.vertices, mesh.faces, max_edge=0.0042)
    vertices = extra[0] if len(extra[0]) < 60_000 else mesh.vertices
    faces = extra[1] if len(extra[0]) < 60_000 else mesh.faces
    trimesh.Trimesh(vertices, faces, process=False).export(folder / "ball.obj")
    (folder / "ball.yaml").write_text(
        "floor: {height: 0}\nbodies:\n  - {name: ball, mesh: ball.obj, material: gummy, handles: 32,\n"
        "     transform: {translate: [0, 0.2, 0]}}\n"
    )
    driver.open(folder / "ball.yaml")
    session = driver.session
    session.pause()
    body = session.bodies[0]
    structure = driver.viewer.scenery._drawn[0].structure
    parts: dict[str, list[float]] = {"step": [], "deform": [], "upload": []}
    hand = session.world.grab(body, body.positions()[0].numpy(), 0.03)
    for number in range(90):
        hand.move_to(np.array([0.05 * np.sin(0.1 * number), 0.45, 0.0]))
        marks = [time.process_time()]
        session.world.step()
        marks.append(time.process_time())
        points = body.positions().cpu().numpy()
        marks.append(time.process_time())
        structure.update_vertex_positions(points)
        marks.append(time.process_time())
        for name, spent in zip(parts, np.diff(marks), strict=True):
            parts[name].append(1e3 * spent)
    return len(body.shape.vertices), {name: median(times) for name, times in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each training")
    options = parser.parse_args()
    single_thread()
    open_window("openGL3_egl", (1280, 720))
    driver = Driver()
    session = driver.session
    driver.open("gummy_bear")
    playing = frames(driver, lambda: driver.viewer.frames < 80)
    session.open("octopus")
    loading = frames(driver, lambda: session.loading is not None)
    driver.open("gummy_bear")
    beside, training = training_rate_beside(driver, options.seconds)
    session.pause()
    alone = training_rate_alone(driver, options.seconds)
    session.play()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session.save_scene(folder / "saved.yaml")  # the first of a process reads its libraries
        longest = 0.0
        for _ in range(5):
            began = time.perf_counter()
            session.save_scene(folder / "saved.yaml")
            driver.viewer.frame(1 / 60)
            longest = max(longest, 1e3 * (time.perf_counter() - began))
        count, simulation = simulation_of_a_frame(driver, folder)
    driver.close()
    ps.shutdown()
    emit(
        "window",
        playing_frame_ms=playing["usual_ms"],
        playing_longest_ms=playing["longest_ms"],
        loading_longest_ms=loading["longest_ms"],
        training_longest_ms=training["longest_ms"],
        saving_longest_ms=longest,
        playing_longest_cpu_ms=playing["longest_cpu_ms"],
        loading_longest_cpu_ms=loading["longest_cpu_ms"],
        training_longest_cpu_ms=training["longest_cpu_ms"],
        training_steps_a_second=alone,
        training_steps_a_second_beside_the_window=beside,
        training_share_kept=beside / alone,
        vertices=count,
        handles=32,
        step_cpu_ms=simulation["step"],
        deform_cpu_ms=simulation["deform"],
        upload_cpu_ms=simulation["upload"],
        simulation_cpu_ms=sum(simulation.values()),
    )


if __name__ == "__main__":
    main()
