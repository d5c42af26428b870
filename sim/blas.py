"""One BLAS thread for the solver: on its tiny products, threads only wait for each other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes milliseconds; limiting them once found takes microseconds.
    return ThreadpoolController().select(user_api="blas")


def single_thread() -> AbstractContextManager:
    """Limit BLAS to one thread inside the `with` block, and restore it after."""
    return _controller().limit(limits=1)
