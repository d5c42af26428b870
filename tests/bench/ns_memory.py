"""Memory of the NS optimizer relative to its parameters (NS design note, section 3.3); one JSON line.

    python tests/bench/ns_memory.py

`state`: bytes of state over bytes of parameters (the note: two moments, so 2; a float32 master adds 1).
`newton_schulz_peak`: most bytes alive at once inside Algorithm 1 beyond its input, over its input (the note: about 3).
`step_peak`: the same for a whole step beyond parameters, gradients and state. Counted from torch's own record of
every allocation on the CPU, so the same on every machine.
"""

import json
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from optim.newton_schulz import modified_newton_schulz
from optim.ns import NS


def peak_bytes(function: Callable[[], object]) -> int:
    """Most bytes that were allocated and not yet freed at any moment of a call."""
    function()  # what is made once, on the first call, is not counted
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        function()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    alive = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak


def optimizer_memory(count: int, shape: tuple[int, int], **settings) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(shape, generator=generator).requires_grad_() for _ in range(count)]
    for p in parameters:
        p.grad = torch.randn(shape, generator=generator)
    optimizer = NS(parameters, **settings)
    peak = peak_bytes(optimizer.step)
    size = sum(p.nbytes for p in parameters)
    state = sum(value.nbytes for p in parameters for value in optimizer.state[p].values())
    return {"state": round(state / size, 3), "step_peak": round(peak / size, 3)}


def main() -> None:
    torch.set_num_threads(1)
    X = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    result = {"bench": "ns_memory", "note": {"state": 2, "newton_schulz_peak": 3}, "newton_schulz_peak": {}}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        peak = peak_bytes(lambda dtype=dtype: modified_newton_schulz(X, dtype=dtype))
        result["newton_schulz_peak"][name] = round(peak / X.nbytes, 3)
    result["one_matrix"] = optimizer_memory(1, (256, 256))
    result["six_equal_matrices"] = optimizer_memory(6, (64, 64))
    result["six_equal_matrices_bfloat16_masters"] = optimizer_memory(6, (64, 64), dtype=torch.bfloat16)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
