"""Methods side by side on one body: the same seeds, learning rates tuned by the same small budget, one clock.

The clock is the process's own CPU time, one thread, spent learning and finishing; judging is not counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from optim.config import TrainConfig
from optim.methods import Method
from optim.train import Progress
from optim.yardstick import Measures, Yardstick
from sim.basis import HandleBasis
from sim.errors import StudioError
from sim.threads import single_torch_thread

RATES = (0.2, 1.0, 5.0, 25.0)
"""Learning rates tried, in multiples of a method's own."""

_TUNING_SEED = 1000  # none that is compared: no method shall be tuned to the very run it is judged by
_LOOKS = 12  # at a run, on the way
_MOTIONS = 2  # of these with the motion too, which takes seconds; a divisor of the former


@dataclass(frozen=True)
class Point:
    """Handles on the way: after `step` steps and `seconds` of CPU time, had training been finished there."""

    step: int
    seconds: float
    measures: Measures


@dataclass
class Run:
    """One seed of a method. `note` says why it ended early; empty when it did not."""

    seed: int
    points: list[Point] = field(default_factory=list)
    note: str = ""


@dataclass
class Comparison:
    """What came out for one method.

    Attributes:
        learning_rate: the one chosen; None where nothing is learned. tried: of each rate the energy over the
            reference, None where handles were lost or the run failed.
    """

    name: str
    what: str
    learning_rate: float | None = None
    tried: dict[float, float | None] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def as_dict(self) -> dict:
        """JSON-able."""
        return asdict(self)


def compare_method(
    method: Method,
    yardstick: Yardstick,
    config: TrainConfig,
    seeds: list[int],
    *,
    tune_steps: int,
    cancel: threading.Event | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Comparison:
    """Tune a method's learning rate, then run it with each seed.

    Args:
        config: handles, steps and device; optimizer, seed and learning rate are set here.
        tune_steps: of each of the RATES tried; 0 takes the method's own rate.
        cancel: when set, what is done is returned; the run it stops is judged and marked.
        on_stage: told what is done now, in a few words.

    A run that fails is kept with its message: that, too, is a result.
    """
    result = Comparison(method.name, method.what)
    if method.learning_rate is not None:
        result.learning_rate = method.learning_rate
        if tune_steps > 0:
            _tune(method, yardstick, replace(config, steps=tune_steps), result, cancel, on_stage)
    for seed in seeds:
        if _is_set(cancel):
            break
        on_stage(f"{method.name}, seed {seed}")
        chosen = replace(config, seed=seed, learning_rate=result.learning_rate)
        result.runs.append(_run(method, yardstick, chosen, cancel))
    return result


def _tune(method, yardstick, config, result, cancel, on_stage) -> None:
    for factor in RATES:
        if _is_set(cancel):
            break
        rate = method.learning_rate * factor
        on_stage(f"{method.name}, trying the learning rate {rate:.2g}")
        config = replace(config, seed=_TUNING_SEED, learning_rate=rate)
        run = _run(method, yardstick, config, cancel, looks=False)
        result.tried[rate] = run.points[-1].measures.above if run.points and not run.note else None
    usable = {rate: above for rate, above in result.tried.items() if above is not None}
    if usable:
        result.learning_rate = min(usable, key=usable.__getitem__)


def _run(method: Method, yardstick: Yardstick, config: TrainConfig, cancel, *, looks: bool = True) -> Run:
    run = Run(config.seed)
    clock, reached = _Clock(), 0
    due = _look_steps(config.total_steps, _LOOKS) if looks else set()
    moving = _look_steps(config.total_steps, _MOTIONS)

    def look(progress: Progress) -> None:
        nonlocal reached
        seconds, reached = clock.stop(), progress.step
        if progress.step in due:
            due.discard(progress.step)
            motion = progress.step in moving
            finish = _Clock()
            finish.go()
            basis = progress.finished()
            seconds += finish.stop()
            run.points.append(_judge(yardstick, progress.step, seconds, basis, motion=motion))
        clock.go()

    try:
        with single_torch_thread():
            clock.go()
            basis = method.learn(yardstick.shape, yardstick.material, config, look, cancel)
            seconds = clock.stop()
        run.points.append(_judge(yardstick, reached, seconds, basis, motion=looks))
        if _is_set(cancel):
            run.note = "stopped by hand"
    except StudioError as error:
        run.note = str(error)
    return run


def _judge(yardstick: Yardstick, step: int, seconds: float, basis: HandleBasis, *, motion: bool) -> Point:
    return Point(step, seconds, yardstick.measure(basis, motion=motion))


def _look_steps(total: int, count: int) -> set[int]:
    """Steps at which a run is looked at, evenly spread on a logarithmic scale; the end is looked at anyway."""
    return {round(total ** (i / count)) for i in range(count)} | {0}


def _is_set(cancel: threading.Event | None) -> bool:
    return cancel is not None and cancel.is_set()


class _Clock:
    """CPU time of this process, with pauses."""

    def __init__(self) -> None:
        self._spent, self._since = 0.0, None

    def go(self) -> None:
        self._since = time.process_time()

    def stop(self) -> float:
        if self._since is not None:
            self._spent += time.process_time() - self._since
            self._since = None
        return self._spent
