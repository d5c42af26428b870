"""One place that starts Warp quietly: banner and compile notes are not for the person at the window."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import warp as wp


@contextmanager
def _native_stderr_to(path: str) -> Iterator[None]:
    """Send what native code writes to stderr elsewhere; Python's own exceptions still come through."""
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(path, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


if hasattr(wp.config, "log_level"):
    wp.config.log_level = wp.LOG_ERROR
else:  # older releases
    wp.config.quiet = True

# Without a GPU, Warp's native library prints a warning that no setting turns off; which device is
# used is said by sim.device.
with _native_stderr_to(os.devnull):
    wp.init()


def compile_kernels() -> None:
    """Compile all kernels for the CPU now and cache them, so that the first body does not wait for it."""
    from sim import kernels, sampling

    for module in (kernels, sampling):
        wp.load_module(module, device="cpu")
