"""Jobs: long work in one worker thread, whose results and failures come back as values.

A job is any callable that takes a `JobContext`. It reports through `context.report`, looks at
`context.cancel`, returns its result or raises. The main thread calls `Worker.poll` once a frame.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from sim.errors import Cancelled, StudioError

_SWITCHING = 5e-4  # [s] after which the threads take turns while a job runs: at the usual 5 ms both wait more


@dataclass(frozen=True)
class Report:
    """Something a job tells while it works: whatever value it handed to `context.report`."""

    value: Any


@dataclass(frozen=True)
class Finished:
    """A job returned `result`."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """A job raised `error`; `error` is a `Cancelled` when it was told to stop."""

    error: BaseException

    @property
    def cancelled(self) -> bool:
        """Whether it ended because it was told to."""
        return isinstance(self.error, Cancelled)


Message = Report | Finished | Failed


class JobContext:
    """A job's way to talk with the main thread; made by the worker.

    Attributes:
        cancel: set when the work is no longer wanted; the job returns or raises `Cancelled` soon after.
    """

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._news = threading.Event()

    def report(self, value: Any) -> None:
        """Hand a value to the main thread; never blocks."""
        self._put(Report(value))

    def check(self) -> None:
        """Raise `Cancelled` when the work is no longer wanted."""
        if self.cancel.is_set():
            raise Cancelled("Stopped.")

    def _put(self, message: Message) -> None:
        self._messages.put(message)
        self._news.set()


Job = Callable[[JobContext], Any]


class Worker:
    """Runs one job at a time in a thread of its own."""

    def __init__(self) -> None:
        self._context: JobContext | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs, or has ended without its end having been polled."""
        return self._thread is not None

    def start(self, job: Job, *, name: str) -> JobContext:
        """Begin a job; `name` is its thread's.

        Raises:
            StudioError: another job is still running.
        """
        if self.busy:
            raise StudioError("Another job is still running; stop it first.")
        context = JobContext()
        self._context = context
        self._usual_switching = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCHING)
        # A daemon: a library call that cannot be interrupted must not keep the program from ending.
        self._thread = threading.Thread(target=_run, args=(job, context), name=name, daemon=True)
        self._thread.start()
        return context

    def poll(self) -> list[Message]:
        """What the job has said since the last call, in order; its end comes last."""
        if self._context is None:
            return []
        self._context._news.clear()  # before looking: what comes meanwhile is news again
        messages: list[Message] = []
        while True:
            try:
                message = self._context._messages.get_nowait()
            except queue.Empty:
                return messages
            messages.append(message)
            if isinstance(message, Finished | Failed):
                self._context, self._thread = None, None
                sys.setswitchinterval(self._usual_switching)
                return messages

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to poll; whether there is. For those who have no frames to draw."""
        return self._context is None or self._context._news.wait(seconds)

    def cancel(self) -> None:
        """Tell the job, if any, to stop; its end is still to be polled."""
        if self._context is not None:
            self._context.cancel.set()

    def close(self, seconds: float) -> bool:
        """Tell the job to stop and wait for it, but no longer than this.

        Returns:
            Whether no job is running any more.
        """
        self.cancel()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
            sys.setswitchinterval(self._usual_switching)
        return thread is None or not thread.is_alive()


def leave(status: int) -> NoReturn:
    """End the process now, with threads that a library keeps busy.

    A library that comes back into an interpreter that is being taken down aborts the process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(job: Job, context: JobContext) -> None:
    try:
        end: Message = Finished(job(context))
    except BaseException as error:  # the border: whatever a job does, it comes back as a value
        end = Failed(error)
    context._put(end)
