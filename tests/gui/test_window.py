"""The window's tests, a process for each way of drawing: Polyscope can be started once in a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_SECONDS = 280


@pytest.mark.parametrize("level", ["mock", "egl", "egl_work", "recording"])
def test_level(level):
    """Runs every test of level_LEVEL.py and shows its report when one fails."""
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "-x"]
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(HERE / f"level_{level}.py")],
        cwd=HERE.parents[1],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-6000:] + process.stderr[-2000:]
