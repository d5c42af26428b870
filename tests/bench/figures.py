"""What every bench shares: one thread, a calibration figure, and one JSON line."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from threadpoolctl import threadpool_limits


def single_thread() -> None:
    """One thread for everything in this process, so that figures compare between machines."""
    torch.set_num_threads(1)
    threadpool_limits(limits=1)


def median_ms(work: Callable[[], object], runs: int = 20, warmup: int = 3) -> float:
    """Median wall time of a call [ms]."""
    for _ in range(warmup):
        work()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def calibration_ms() -> float:
    """Median time of a 1000 x 1000 float64 matrix product [ms]: how fast this machine is now."""
    matrix = np.random.default_rng(0).normal(size=(1000, 1000))
    return median_ms(lambda: matrix @ matrix, runs=7)


def box_gauss(counts, sides, low, *, cells=(1, 1, 1)) -> tuple[np.ndarray, np.ndarray]:
    """Gauss points [m] and weights [m3] of a box, so many in each direction of each of its cells.

    In one cell the rule is exact for polynomials and unfair to everything else, such as splines.
    """
    axes, shares = [], []
    for count, parts in zip(counts, cells, strict=True):
        x, w = leggauss(count)
        axes.append(((np.arange(parts)[:, None] + (x + 1) / 2) / parts).ravel())
        shares.append(np.tile(w / 2, parts) / parts)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return points * sides + low, np.einsum("i,j,k->ijk", *shares).ravel() * np.prod(sides)


def emit(bench: str, **figures) -> None:
    """Print one JSON line."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}
    print(json.dumps({"bench": bench, **rounded, "calibration_ms": round(calibration_ms(), 3), **machine}))
