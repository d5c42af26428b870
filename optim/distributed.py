"""Training by several processes (NS design note, section 3.2): shared projections, averaged gradients, no hangs.

Start with `torchrun --nproc-per-node N`; gloo carries CPU tensors, NCCL CUDA ones. Each process computes gradients of
its own part of the batch; one flat all-reduce averages them. Each then orthogonalizes its share of the matrices, and
a second flat all-reduce hands the results round. All processes hold equal parameters at all times.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist

from sim.errors import TrainingError

Tensor = torch.Tensor


@dataclass(frozen=True)
class Workers:
    """The processes that train together, seen from one of them. Without arguments: this one alone.

    Every method is a collective one: all processes call it, in the same order, with tensors of the same shapes.
    They raise TrainingError when another process has ended or does not answer within `timeout`.
    """

    rank: int = 0
    """Which process this is, from 0."""
    size: int = 1
    """How many there are."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where this process computes."""
    timeout: float = 60.0
    """How long to wait for the others [s]."""

    def generator(self, seed: int) -> torch.Generator:
        """For this process's own batches: seeded by `seed` and the rank, so that no two draw the same."""
        return torch.Generator(device=self.device).manual_seed(seed * 1_000_003 + self.rank)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Copy the first process's values into everyone's tensors."""
        if self.size == 1:
            return
        for flat, parts in _flat_by_type([t.detach() for t in tensors]):
            with self._plain_errors("parameters were handed out"):
                dist.broadcast(flat, src=0)
            _copy_back(flat, parts)

    def average_gradients(self, parameters: Iterable[Tensor], *, weight: float = 1.0) -> None:
        """Replace each gradient by the mean over the processes; one all-reduce a dtype.

        Args:
            parameters: a missing gradient counts as zero, and is there afterwards.
            weight: of this process's gradient: the number of samples it is the mean over.
        """
        if self.size == 1:
            return
        parameters = [p for p in parameters if p.requires_grad]
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        for flat, parts in _flat_by_type([p.grad for p in parameters]):
            # The weights travel behind the gradients, so that one all-reduce is enough.
            flat = torch.cat([flat * weight, flat.new_tensor([weight])])
            with self._plain_errors("gradients were averaged"):
                dist.all_reduce(flat)
            _copy_back(flat[:-1] / flat[-1], parts)

    def share(
        self,
        matrices: Sequence[Tensor],
        project: Callable[[list[int]], list[Tensor]],
        costs: Sequence[float],
    ) -> list[Tensor]:
        """Compute something for each matrix in one of the processes, and give all results to all.

        Args:
            matrices: give shape and dtype of the results, in the order they are returned.
            project: maps positions in `matrices` to results; called with this process's share.
            costs: relative work of each, equal in all processes; see `partition`.
        """
        mine = [i for i, owner in enumerate(partition(costs, self.size)) if owner == self.rank]
        if self.size == 1:
            return project(mine)
        results = [torch.zeros_like(matrix) for matrix in matrices]
        for i, result in zip(mine, project(mine), strict=True):
            results[i] = result
        for flat, parts in _flat_by_type(results):
            with self._plain_errors("orthogonal matrices were exchanged"):
                dist.all_reduce(flat)  # each entry is one process's result plus zeros: exact
            _copy_back(flat, parts)
        return results

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process: all must stop, or go back, together."""
        if self.size == 1:
            return flag
        value = torch.tensor([float(flag)], device=self.device)
        with self._plain_errors("processes asked whether to go on"):
            dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            with self._plain_errors("processes waited for each other"):
                dist.all_reduce(torch.zeros(1, device=self.device))
                if self.device.type == "cuda":
                    torch.cuda.synchronize(self.device)

    def close(self) -> None:
        """Leave the group. Needed at the end of a run; harmless when repeated or alone."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()
            # Gloo's threads end with the last reference to the group. While Python ends it is too late: now and then
            # one of them still lets go of a tensor then, and aborts the process (seen in one run of six, under load).
            gc.collect()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _plain_errors(self, when: str) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"process {self.rank} of {self.size} lost the others while {when}: one of them ended, or did not"
                f" answer within {self.timeout:g} s. Its own message says why; start all {self.size} again"
                " (resume from the last saved file)."
            ) from error


def connect(
    *,
    device: str | torch.device = "cpu",
    backend: str | None = None,
    timeout: float = 60.0,
    init_method: str = "env://",
) -> Workers:
    """Join the processes that torchrun started; alone, when it did not.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as torchrun sets them.

    Args:
        device: "cpu" or "cuda"; with "cuda" process i of a machine takes its GPU i.
        backend: "gloo" or "nccl"; by default the one for the device.
        timeout: for joining and for every exchange after it [s].
        init_method: where the processes meet, if not at MASTER_ADDR:MASTER_PORT.

    Raises:
        TrainingError: when the environment is incomplete or the others do not come.
    """
    device = torch.device(device)
    size = _environment_number("WORLD_SIZE", default=1)
    if size == 1:
        return Workers(device=device, timeout=timeout)
    rank = _environment_number("RANK")
    if not 0 <= rank < size:
        raise TrainingError(f"RANK is {rank}, but with WORLD_SIZE={size} it must be 0 to {size - 1}")
    if device.type == "cuda":
        device = torch.device("cuda", _environment_number("LOCAL_RANK", default=rank))
        torch.cuda.set_device(device)
    backend = backend or ("nccl" if device.type == "cuda" else "gloo")
    if backend == "nccl":
        # A lost process becomes an exception where we wait for it, not an abort from a watchdog thread.
        os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")
    try:
        dist.init_process_group(
            backend, init_method=init_method, rank=rank, world_size=size, timeout=timedelta(seconds=timeout)
        )
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"process {rank} of {size} could not meet the others within {timeout:g} s over {backend} ({error});"
            f" start all of them with: torchrun --nproc-per-node {size} ..."
        ) from error
    return Workers(rank, size, device, timeout)


def partition(costs: Sequence[float], size: int) -> list[int]:
    """Owner (0 to size - 1) of each item, so that the owners' total costs are nearly equal.

    The costliest item first, each to whoever has least so far (LPT: at most 4/3 of the best possible maximum).
    The same costs give the same owners in every process.
    """
    owners, loads = [0] * len(costs), [0.0] * size
    for i in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        owners[i] = min(range(size), key=lambda rank: (loads[rank], rank))
        loads[owners[i]] += costs[i]
    return owners


def _environment_number(name: str, *, default: int | None = None) -> int:
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError:
        raise TrainingError(
            f"the environment variable {name} is {text!r}, not a whole number; torchrun sets it:"
            " torchrun --nproc-per-node N ..."
        ) from None


def _flat_by_type(tensors: list[Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """One flat copy for all tensors of a dtype (most often just one), with the tensors it came from."""
    by_type = defaultdict(list)
    for tensor in tensors:
        by_type[tensor.dtype].append(tensor)
    for parts in by_type.values():
        yield torch.cat([part.reshape(-1) for part in parts]), parts


def _copy_back(flat: Tensor, parts: list[Tensor]) -> None:
    pieces = flat.split([part.numel() for part in parts])
    torch._foreach_copy_(parts, [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)])
