"""Memory over long use of the window's logic: `python tests/bench/session_memory.py --minutes 30`.

Loads, trains, pulls, scrubs and reloads in turn, a scene and a bare mesh, and prints the resident memory after each
round. Flat means: the last rounds are within 50 MB of the second one (the first fills caches).
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path

import numpy as np
from figures import emit, single_thread

from app.session import Session
from app.settings import Settings


def resident_mb() -> float:
    """Memory of this process that is in RAM [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def wait(session: Session, until) -> None:
    """Tick at 60 Hz until a condition holds."""
    while not until():
        session.tick(1 / 60)
        time.sleep(1 / 60)


def round_of_use(session: Session, path: str, rng: np.random.Generator) -> None:
    """What a person does in a minute."""
    session.open(path)
    wait(session, lambda: session.loading is None)
    session.train("draft")
    wait(session, lambda: not session.training.active)
    body = session.selected_body
    for _ in range(3):
        grab = session.grab(body, session.positions(body)[rng.integers(len(body.shape.vertices))])
        session.play()
        for _ in range(60):
            grab.move_to(grab.point + rng.normal(size=3) * 0.05 * body.size)
            session.tick(1 / 60)
            session.positions(body)
        grab.release()
        session.pin(body, body.shape.vertices[0].numpy())
        session.undo()
        for frame in range(0, session.timeline.last, 10):
            session.seek(frame)
            session.positions(body)
    session.reset()
    if session.notices:
        assert not [n for n in session.notices if n.kind == "error"], session.notices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--files", nargs="+", default=["gummy_bear", "scenes/meshes/bunny.obj"])
    options = parser.parse_args()
    single_thread()
    session = Session(device="cpu", settings=Settings(None))
    rng = np.random.default_rng(0)
    used: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < 60 * options.minutes or len(used) < 3:
        for file in options.files:
            round_of_use(session, file, rng)
        gc.collect()
        used.append(resident_mb())
        print(f"round {len(used)}: {used[-1]:.0f} MB after {time.perf_counter() - began:.0f} s", flush=True)
    session.close()
    emit(
        "session_memory",
        rounds=len(used),
        minutes=(time.perf_counter() - began) / 60,
        second_mb=used[1],
        last_mb=used[-1],
        growth_mb=max(used[2:]) - used[1],
    )


if __name__ == "__main__":
    main()
