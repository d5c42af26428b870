"""One thread for small products: more of them only wait for each other, and take time from everyone else.

Measured: a training of the shipped bear takes 4 s of one core; with two threads beside another busy process it takes
28 s of two cores, nearly all of them spent waiting in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes milliseconds; limiting them once found takes microseconds.
    return ThreadpoolController().select(user_api="blas")


def single_blas_thread() -> AbstractContextManager:
    """Limit NumPy's and SciPy's BLAS to one thread inside the `with` block, and restore it after."""
    return _controller().limit(limits=1)


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Limit torch's CPU operators to one thread inside the `with` block, and restore it after."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
