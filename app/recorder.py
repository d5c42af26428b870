"""Recorder: pictures go in, a film comes out; encoding happens in a thread of its own.

The queue between them is bounded by memory. When the encoder falls behind, `put` waits: frames are never dropped
silently, the one who draws slows down instead (`waited` tells by how much).
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from pathlib import Path

import numpy as np

from app.film_files import FilmFile, open_film
from sim.errors import StudioError

QUEUE_BYTES = 64 * 2**20
"""Memory for pictures that wait to be encoded; they are at least two, and at the most `QUEUE_LENGTH`."""
QUEUE_LENGTH = 120
"""Pictures waiting at the most: what a crash may lose beside the last second."""

_LONGEST_GAP = 0.5  # s of simulated time between two looks; more is a jump on the timeline, not motion


class Recorder:
    """Records pictures into a film file.

    recorder = Recorder("out.mp4", (1280, 720), 60)
    for _ in range(recorder.due(world.time)): recorder.put(image)
    path = recorder.finish()

    Main thread only, but for its own encoder thread.

    Args:
        path: .mp4 (H.264), .mov (ProRes 4444), .webm (VP9), .gif, or a name without suffix or with .png (a folder of
            numbered PNG pictures).
        size: width and height of the film [px]; pictures of another size are cut to its shape, then scaled.
        fps: frames a second of simulated time, whatever the rate of the screen.
        transparent: keep the pictures' alpha; not for .mp4.
        live: encode faster and larger, so that a simulation beside it keeps its pace.
        frames: how many will come, if known: the disk is then checked for the whole film.

    Attributes:
        frames: taken so far. waited: time `put` has waited for the encoder [s].

    Raises:
        StudioError: a kind of file, size or rate that cannot be; no room on the disk; a place that cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: tuple[int, int],
        fps: float,
        *,
        transparent: bool = False,
        live: bool = False,
        frames: int | None = None,
    ) -> None:
        self.size, self.fps = size, fps
        self.frames = 0
        self.waited = 0.0
        self._film: FilmFile = open_film(
            path, size, fps, transparent=transparent, live=live, expected_frames=frames
        )
        # None in the queue only wakes the encoder up.
        self._queue: queue.Queue[np.ndarray | None] = queue.Queue(
            min(QUEUE_LENGTH, max(2, QUEUE_BYTES // (4 * size[0] * size[1])))
        )
        self._ending = threading.Event()
        self._error: BaseException | None = None
        self._clock: float | None = None  # simulated time that frame number `_clock_frames` shows
        self._clock_frames = 0
        self._last_time = 0.0
        # A daemon: closing the program must not hang on an encoder. What is in the file by then plays.
        self._thread = threading.Thread(target=self._encode, name="encoder", daemon=True)
        self._thread.start()

    # -- what to record -------------------------------------------------------------------------------------

    def due(self, time: float) -> int:
        """How many pictures of the present are wanted to be on time, when the world's clock says `time` [s].

        0 while the screen is faster than the film; above 1 when it is slower (the same picture is then put that often).
        After a jump in time (a reset, scrubbing) the film goes on without a gap.
        """
        if self._clock is None or not 0 <= time - self._last_time <= _LONGEST_GAP:
            self._clock, self._clock_frames = time, self.frames
        self._last_time = time
        # A sum of time steps falls short of round times by rounding.
        wanted = int(np.floor((time - self._clock) * self.fps + 1e-6)) + 1
        return max(0, self._clock_frames + wanted - self.frames)

    def put(self, image: np.ndarray) -> None:
        """Append a picture, uint8, shape (height, width, 3 or 4); waits while the encoder is too far behind.

        Raises:
            StudioError: writing has failed (a full disk); says what was kept and where. The recorder has ended then.
        """
        image = np.array(image, order="C", copy=True)  # the caller may use its buffer again
        began = time.perf_counter()
        while True:
            self._raise_error()
            try:
                self._queue.put(image, timeout=0.1)
                break
            except queue.Full:
                continue  # look for an error: a thread that has ended empties no queue
        self.waited += time.perf_counter() - began
        self.frames += 1

    # -- how it goes ----------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """Where the film will be."""
        return self._film.path

    @property
    def seconds(self) -> float:
        """Length so far [s]."""
        return self.frames / self.fps

    @property
    def waiting(self) -> int:
        """Pictures that are not encoded yet."""
        return self._queue.qsize()

    @property
    def bytes(self) -> int:
        """Size of the file so far."""
        return self._film.bytes

    @property
    def error(self) -> BaseException | None:
        """What went wrong in the encoder; `put` and `finish` raise it."""
        return self._error

    # -- the end --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """No more pictures come: the encoder closes the film when it has caught up. Returns at once; see `ended`."""
        self._ending.set()
        with contextlib.suppress(queue.Full):  # it has other reasons to wake up then
            self._queue.put_nowait(None)

    def cut(self) -> None:
        """End, and leave out what waits: the film is as long as what is encoded by now. Returns at once."""
        self._ending.set()
        with contextlib.suppress(queue.Empty):
            while True:
                if self._queue.get_nowait() is not None:
                    self.frames -= 1
        self.end()

    @property
    def ended(self) -> bool:
        """Whether the film is closed (or has failed), so that `finish` does not wait."""
        return not self._thread.is_alive()

    def finish(self) -> Path:
        """Encode what waits, close the file and give it its name.

        Returns:
            Where the film is.

        Raises:
            StudioError: writing failed; says what was kept and where. Or no picture ever came.
        """
        self.end()
        self._thread.join()
        self._raise_error()
        return self._film.path

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Ends the film; what an interruption leaves is whole up to there. Another error is not covered up."""
        if kind is None:
            self.finish()
            return
        with contextlib.suppress(StudioError):
            self.finish()

    # -- the encoder's thread -------------------------------------------------------------------------------

    def _encode(self) -> None:
        try:
            while not (self._ending.is_set() and self._queue.empty()):
                image = self._queue.get()
                if image is not None:
                    self._film.write(image)
            self._film.finish()
        except BaseException as error:  # the border of the thread: comes back through `put` and `finish`
            self._error = error

    def _raise_error(self) -> None:
        if self._error is None:
            return
        if isinstance(self._error, StudioError):
            raise self._error
        raise StudioError(f"Recording {self.path} failed: {self._error}") from self._error
