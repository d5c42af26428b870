"""Training in the worker: told to pause, to stop and to hand over weights; it reports and never waits for anyone."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from app.jobs import JobContext
from app.loading_job import Stage
from optim.config import TrainConfig
from optim.train import Progress, train
from sim.basis import HandleBasis
from sim.body import Body, PreparedBasis
from sim.errors import Cancelled

_LIVE_SECONDS = 3.0  # between weights put in by themselves, at the least
_LIVE_COST = 8.0  # and this many times what making them took: training keeps eight ninths of its rate


@dataclass(frozen=True)
class TrainingProgress:
    """`optim.train.Progress` as a value that can cross threads; NaN where unknown."""

    step: int
    steps: int
    loss: float
    energy: float
    bound_estimate: float
    effective_rank: float
    orthonormality: float
    rate: float
    remaining_seconds: float


@dataclass(frozen=True)
class NewWeights:
    """Weights for the moving body.

    Attributes:
        prepared: all that was heavy to compute. kept: the handles with their cubature, to be saved.
        final: whether training is over. energy: at the last look (`Progress.energy`).
    """

    prepared: PreparedBasis
    kept: HandleBasis
    final: bool
    energy: float


class TrainingControl:
    """The main thread's hold on a training job. Every method returns at once."""

    def __init__(self, *, live: bool) -> None:
        self.stop = threading.Event()
        """When set, training ends within a step, and what was learned is used."""
        self._wake = threading.Condition()
        self._paused = False
        self._wanted = False
        self._live = live

    def pause(self) -> None:
        """Rest after this step."""
        with self._wake:
            self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._wake:
            self._paused = False
            self._wake.notify_all()

    def finish(self) -> None:
        """End after this step, paused or not."""
        self.stop.set()
        self.resume()

    def want_weights(self) -> None:
        """Hand over the weights as they are, paused or not."""
        with self._wake:
            self._wanted = True
            self._wake.notify_all()

    def set_live(self, live: bool) -> None:
        """Whether to hand over weights at intervals."""
        with self._wake:
            self._live = live

    @property
    def live(self) -> bool:
        with self._wake:
            return self._live

    def wish_granted(self) -> None:
        """Weights are about to be handed over."""
        with self._wake:
            self._wanted = False

    def rest(self, cancel: threading.Event) -> bool:
        """In the worker: wait while paused. Returns whether weights are wanted, paused or not."""
        with self._wake:
            while self._paused and not self._wanted and not cancel.is_set():
                # A cancelled job is not notified here, so look again now and then.
                self._wake.wait(timeout=0.05)
            return self._wanted


def train_body(context: JobContext, body: Body, config: TrainConfig, control: TrainingControl) -> NewWeights:
    """Train a body's handles; reports `TrainingProgress`, `NewWeights` and `Stage`s, and returns the last weights.

    `context.cancel` gives everything up within a step; `control.stop` ends training and keeps what was learned, and
    a second time skips the optimised cubature.

    Raises:
        TrainingError: training cannot go on. Cancelled: the job was.
    """
    best = _energy_of(body.basis, config.handles)
    last = time.monotonic()
    cost = 0.0
    energy = math.nan

    def on_progress(progress: Progress) -> None:
        nonlocal last, cost, energy, best
        context.check()
        energy = progress.energy
        context.report(_value(progress))
        while control.rest(context.cancel):
            hand_over(progress)
        context.check()
        pause = max(_LIVE_SECONDS, _LIVE_COST * cost)
        if control.live and progress.energy < best and progress.step > 0 and time.monotonic() - last > pause:
            hand_over(progress)
        if progress.step == 0:
            best = min(best, progress.energy)  # the untrained handles are in the body already

    def hand_over(progress: Progress) -> None:
        nonlocal last, cost, best
        control.wish_granted()
        began = time.monotonic()
        basis = progress.snapshot()
        prepared = body.prepare(basis, cubature="clusters")
        context.report(NewWeights(prepared, basis, False, progress.energy))
        last = time.monotonic()
        cost = last - began
        best = min(best, progress.energy)

    basis = train(body.shape, body.material, config, on_progress, control.stop)
    context.check()
    stopped = control.stop.is_set()
    prepared = None
    if not stopped:
        prepared = _with_optimized_cubature(context, body, basis, control)
    if prepared is None:
        context.report(Stage("Putting the new weights in", 0.95))
        prepared = body.prepare(basis, cubature="clusters")
        kept = basis
    else:
        kept = basis.with_cubature(prepared.model.cubature.keepable())
    context.check()
    return NewWeights(prepared, kept, True, energy)


def _with_optimized_cubature(
    context: JobContext, body: Body, basis: HandleBasis, control: TrainingControl
) -> PreparedBasis | None:
    """None when it was stopped: weights with a quicker cubature are better than none."""

    def tell(share: float) -> None:
        context.report(Stage("Choosing where elastic energy is measured", share))
        if context.cancel.is_set():
            raise Cancelled("Stopped.")

    try:
        return body.prepare(basis, cubature="optimized", on_progress=tell, cancel=control.stop)
    except Cancelled:
        context.check()
        return None


def _energy_of(basis: HandleBasis, handles: int) -> float:
    """The energy that weights must get under to be better than trained ones that are there already."""
    looks = [entry["energy"] for entry in basis.history if isinstance(entry.get("energy"), float)]
    return looks[-1] if looks and basis.handles == handles else math.inf


def _value(progress: Progress) -> TrainingProgress:
    return TrainingProgress(
        progress.step,
        progress.steps,
        progress.loss,
        progress.energy,
        progress.bound_estimate,
        progress.effective_rank,
        progress.orthonormality,
        progress.rate,
        progress.remaining_seconds,
    )
