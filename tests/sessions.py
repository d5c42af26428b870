"""Driving a session without a window: ticks when the worker has something to tell, no sleeps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.session import Session


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces.tolist()]
    path.write_text("\n".join(lines))
    return path


def settle(session: Session, until: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Tick, without letting time pass, whenever the worker has something to tell, until a condition holds."""
    session.tick(0.0)
    while not until():
        assert session.wait(seconds), f"the worker has told nothing for {seconds} s"
        session.tick(0.0)


def opened(session: Session, path: Path, **options) -> Session:
    """The session with a file open, its time holding still."""
    session.open(path, **options)
    settle(session, lambda: session.loading is None)
    assert session.status == "ready", session.notices
    session.pause()
    return session


def run(session: Session, steps: int) -> None:
    """Simulate some steps."""
    for _ in range(steps):
        session.step()
