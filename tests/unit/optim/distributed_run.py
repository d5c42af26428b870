"""What the processes of a distributed run do, for test_distributed.py.

python distributed_run.py train OUT INIT SIZE      trains, writes each process's parameters to OUT + rank
python distributed_run.py lose WHO HOW INIT SIZE   process WHO "dies" or stays "silent" in the third step

With SIZE over 0 this starts the processes itself (by fork: importing torch once is enough); with 0 it is one of
those that torchrun started.
"""

import os
import signal
import sys

import numpy as np
import torch

from optim.distributed import Workers, connect
from optim.ns import NS
from sim.errors import TrainingError

STEPS, SAMPLES = 4, 50


def network(dtype: torch.dtype) -> torch.nn.Sequential:
    layers = [torch.nn.Linear(a, b) for a, b in ((3, 16), (16, 16), (16, 16), (16, 5))]
    generator = torch.Generator().manual_seed(0)
    for layer in layers:
        for p in layer.parameters():
            p.data = torch.randn(p.shape, generator=generator) / 4
    parts = [part for layer in layers for part in (layer, torch.nn.ELU())][:-1]
    return torch.nn.Sequential(*parts).to(dtype)


def train(
    workers: Workers, dtype: torch.dtype, *, data_parallel: bool, steps: int = STEPS, before_step=None
) -> list:
    """Parameters after a few NS steps; with `data_parallel` each process sees its part of the batch only."""
    net = network(dtype)
    if workers.rank > 0:  # what the first process has counts
        for p in net.parameters():
            p.data += 1.0
    workers.broadcast(net.parameters())
    optimizer = NS(net.parameters(), lr=0.01, dtype=dtype, workers=workers)
    for step in range(steps):
        if before_step is not None:
            before_step(step)
        points = torch.randn(
            SAMPLES, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64
        ).to(dtype)
        if data_parallel:
            points = points[workers.rank :: workers.size]  # 50 samples in 3 parts: 17, 17, 16
        optimizer.zero_grad()
        (net(points) - points.norm(dim=1, keepdim=True)).square().mean().backward()
        if data_parallel:
            workers.average_gradients(net.parameters(), weight=len(points))
        optimizer.step()
    return [p.detach().double().numpy() for p in net.parameters()]


def run_training(out: str, init: str) -> None:
    with connect(timeout=60, init_method=init) as workers:
        results = {}
        for dtype in ("float32", "float64"):
            for kind in ("same", "data"):
                parameters = train(workers, getattr(torch, dtype), data_parallel=kind == "data")
                results |= {f"{kind} {dtype} {i}": p for i, p in enumerate(parameters)}
        results["draw"] = torch.rand(1, generator=workers.generator(7)).numpy()
        results["any"] = np.array([workers.any(workers.rank == 0), workers.any(False)])
        workers.barrier()
        np.savez(f"{out}{workers.rank}.npz", **results)


def run_loss(who: int, how: str, init: str) -> None:
    with connect(timeout=3 if how == "silent" else 60, init_method=init) as workers:

        def before_step(step: int) -> None:
            if step == 2 and workers.rank == who:
                if how == "silent":
                    signal.pause()
                os._exit(9)

        try:
            train(workers, torch.float32, data_parallel=True, steps=100_000, before_step=before_step)
        except TrainingError as error:
            print(f"TrainingError: {error}", flush=True)
            os._exit(3)


def one_process(job: str, *arguments: str) -> None:
    torch.set_num_threads(1)
    if job == "train":
        run_training(*arguments)
    else:
        run_loss(int(arguments[0]), *arguments[1:])


def fork(rank: int, size: int, arguments: list[str]) -> int:
    child = os.fork()
    if child == 0:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size)}
        code = 1
        try:
            one_process(*arguments)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def run_forked(size: int, arguments: list[str]) -> None:
    """Start the processes, wait, and print how each that ended by itself ended."""
    children = {fork(rank, size, arguments): rank for rank in range(size)}
    # One that stays silent is ended once nobody waits for it any more.
    silent = int(arguments[1]) if arguments[0] == "lose" and arguments[2] == "silent" else None
    waiting = {pid for pid, rank in children.items() if rank != silent}
    for _ in range(len(waiting)):
        pid, status = os.wait()
        print(f"process {children[pid]} ended with {os.waitstatus_to_exitcode(status)}", flush=True)
        waiting.discard(pid)
    for pid, rank in children.items():
        if rank == silent:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    *job, how_many = sys.argv[1:]
    if int(how_many) > 0:
        run_forked(int(how_many), job)
    else:
        one_process(*job)
