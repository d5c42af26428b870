"""Ctrl-C as a wish to come to an end with what there is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets the first time; a second time it interrupts as usual."""
    event = threading.Event()

    def interrupt(number, frame) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        event.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
