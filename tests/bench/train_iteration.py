"""Milliseconds of one training iteration: ours, and the recipe of finite differences, in one run.

One JSON line. `ours` is `train` with its defaults but handles, samples and layers. `finite_differences` is Kaolin's
recipe (optim/recipes.py) with a network of the same depth and width, points moved handle by handle as Kaolin does;
`one_product` is that with the handles blended in one matrix product, `exact_derivative` that without differences.
Turns are taken, so that a busy moment of the machine falls on all; times are the process's own CPU time with one
thread, medians over single iterations, optimizer and gradients included, looks at progress not.

    python tests/bench/train_iteration.py [--rounds 3] [--optimizer ns]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from figures import emit, single_thread

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from optim import TrainConfig, train  # noqa: E402
from optim.recipe_training import train_by_recipe  # noqa: E402
from optim.recipes import RECIPES  # noqa: E402
from sim import Material, Shape  # noqa: E402

SETTINGS = ((32, 1000, 6, 10), (40, 2048, 10, 16))  # handles, samples, hidden layers, transforms
GOALS = (12, 20)  # times faster


class Stopwatch:
    """An `on_progress` that notes the CPU time between calls and cancels after some."""

    def __init__(self, iterations: int) -> None:
        self.cancel = threading.Event()
        self.times: list[float] = []
        self._iterations = iterations
        self._last: float | None = None

    def __call__(self, progress) -> None:
        now = time.process_time()
        if self._last is not None:
            self.times.append(1e3 * (now - self._last))
        if len(self.times) >= self._iterations:
            self.cancel.set()
        self._last = time.process_time()


def body() -> tuple[Shape, Material]:
    """A beam 1 x 0.25 x 0.25 m of 8192 samples; what is in it makes no difference to the time."""
    points = np.random.default_rng(0).uniform(size=(8192, 3)) * [1, 0.25, 0.25]
    return Shape.from_samples(points, volume=0.0625), Material(young=1e5, poisson=0.45, density=500.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--optimizer", default="ns")
    options = parser.parse_args()
    single_thread()
    shape, material = body()
    figures: dict = {}
    for (handles, samples, layers, motions), goal in zip(SETTINGS, GOALS, strict=True):
        config = TrainConfig(handles=handles, device="cpu", steps=1000)
        same = {"samples": samples, "layers": layers, "motions": motions}
        ours = replace(config, batch=samples, layers=layers, optimizer=options.optimizer)
        runs: dict[str, tuple[int, Callable]] = {
            "ours": (30, lambda *told, ours=ours: train(shape, material, ours, *told)),
            "finite_differences": (3, _recipe("kaolin", shape, material, config, same)),
            "one_product": (8, _recipe("kaolin", shape, material, config, {**same, "blend": "matrix"})),
            "exact_derivative": (8, _recipe("adam-penalty", shape, material, config, same)),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, (iterations, run) in runs.items():
                watch = Stopwatch(iterations + 1)
                run(watch, watch.cancel)
                times[name] += watch.times[1:]  # the first warms up
        found = {f"{name}_ms": round(statistics.median(values), 2) for name, values in times.items()}
        found["times_faster"] = round(found["finite_differences_ms"] / found["ours_ms"], 1)
        figures[f"{handles}_{samples}_{layers}_{motions}"] = {**found, "goal": goal}
    emit("train_iteration", unit="ms CPU, one thread", optimizer=options.optimizer, **figures)


def _recipe(name: str, shape: Shape, material: Material, config: TrainConfig, same: dict) -> Callable:
    recipe = replace(RECIPES[name], **same)
    return lambda *told: train_by_recipe(recipe, shape, material, config, *told)


if __name__ == "__main__":
    main()
