"""Milliseconds of one optimizer step on the usual network; one JSON line.

    python tests/bench/ns_step.py

Network: 6 hidden layers of 64 units and 31 outputs (7 matrices). One thread. `calibration_ms` is the median time of a
1000 x 1000 float64 product in the same process: divide by it to compare machines.
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable

import torch

from optim.baselines import build_optimizer


def network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    sizes = [3] + [64] * 6 + [31]
    net = torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)))
    generator = torch.Generator().manual_seed(1)
    for p in net.parameters():
        p.grad = 0.01 * torch.randn(p.shape, generator=generator)
    return net


def median_ms(functions: dict[str, Callable[[], object]], *, rounds: int, calls: int) -> dict[str, float]:
    """Medians, taken in turns: a busy moment of the machine then falls on all of them alike."""
    times: dict[str, list[float]] = {label: [] for label in functions}
    for number in range(rounds + 1):
        for label, function in functions.items():
            for _ in range(calls):
                began = time.perf_counter()
                function()
                if number:  # the first round warms up
                    times[label].append(1e3 * (time.perf_counter() - began))
    return {f"{label}_ms": round(statistics.median(values), 4) for label, values in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    optimizers = {
        "ns_float32": ("ns", {}),
        "ns_bfloat16_masters": ("ns", {"dtype": torch.bfloat16}),
        "ns_bfloat16_note": ("ns", {"dtype": torch.bfloat16, "masters": False}),
        "ns_polar": ("ns", {"retraction": "polar"}),
        "adam_part_of_ns": ("ns", {"orthogonalize": False}),
        "adam": ("adam", {}),
        "muon": ("muon", {}),
        "curvature": ("curvature", {}),
    }
    A = torch.randn(1000, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    result = {"bench": "ns_step", "network": "3-64x6-31"} | median_ms(
        {"calibration": lambda: A @ A}, rounds=1, calls=11
    )
    steps = {
        label: build_optimizer(name, network(), **settings).step
        for label, (name, settings) in optimizers.items()
    }
    print(json.dumps(result | median_ms(steps, rounds=20, calls=8)))


if __name__ == "__main__":
    main()
