"""The window's logic beside its worker: `python tests/bench/session_ticks.py [--mesh FILE]`.

Two things in one run: the training rate alone and with the main thread ticking at up to 60 Hz while it simulates,
with the window's rests (a job gets at least as long as the frame took); and the longest tick (logic only, no drawing)
while a file is opened, while handles are trained, and while new ones are put in, in wall time and in time that the
main thread itself computed (the rest is waiting for the worker or the machine).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from figures import emit, single_thread

from app.session import Session
from app.settings import Settings
from optim import TrainConfig, train


def drive(session: Session, until: Callable[[], bool], *, limit: float = 300.0) -> dict[str, list[float]]:
    """Tick as the window does until a condition holds; wall and own time of each tick [ms]."""
    ticks: dict[str, list[float]] = {"wall": [], "own": [], "swap_wall": [], "swap_own": []}
    began = time.perf_counter()
    while not until() and time.perf_counter() - began < limit:
        version = session.weights_version
        wall, own = time.perf_counter(), time.thread_time()
        session.tick(1 / 60)
        if session.selected_body is not None:
            session.positions(session.selected_body)
        spent, computed = time.perf_counter() - wall, time.thread_time() - own
        swapped = "swap_" if session.weights_version != version else ""
        ticks[f"{swapped}wall"].append(1e3 * spent)
        ticks[f"{swapped}own"].append(1e3 * computed)
        time.sleep(max(0.001, 1 / 60 - spent, 1.1 * spent if session.busy else 0.0))
    return ticks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mesh", default="scenes/meshes/bunny.obj")
    parser.add_argument("--preset", default="draft")
    options = parser.parse_args()
    single_thread()
    session = Session(device="cpu", settings=Settings(None))
    session.open(options.mesh)
    opening = drive(session, lambda: session.loading is None)
    body = session.selected_body
    config = TrainConfig(preset=options.preset, device="cpu")
    rates: list[float] = []
    began = time.process_time()
    train(body.shape, body.material, config, lambda progress: rates.append(progress.rate))
    alone = time.process_time() - began
    session.train(options.preset)
    ticked: list[float] = []

    def done() -> bool:
        if session.training.state == "running" and session.training.rate:
            ticked.append(session.training.rate)
        return not session.training.active

    training = drive(session, done)
    session.close()
    emit(
        "session_ticks",
        mesh=options.mesh.rsplit("/", 1)[-1],
        vertices=len(body.shape.vertices),
        handles=body.basis.handles,
        opening_longest_ms=max(opening["wall"] + opening["swap_wall"]),
        opening_longest_own_ms=max(opening["own"] + opening["swap_own"]),
        training_longest_ms=max(training["wall"]),
        training_longest_own_ms=max(training["own"]),
        swap_longest_ms=max(training["swap_wall"]),
        swap_longest_own_ms=max(training["swap_own"]),
        swaps=len(training["swap_wall"]),
        rate_alone=rates[-1],
        rate_ticking=ticked[-1],
        rate_share=ticked[-1] / rates[-1],
        train_alone_cpu_s=alone,
    )


if __name__ == "__main__":
    main()
