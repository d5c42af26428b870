"""Two processes started by torchrun train one body from the command line (section 3.2 of the NS design note)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenes.shipped import LIBRARY
from sim import HandleBasis

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.timeout(180)
def test_two_processes_train_a_mesh_and_one_of_them_writes_it(tmp_path):
    output = tmp_path / "cube.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "app.cli", "train", str(LIBRARY.parent / "meshes" / "cube.obj"), "-o", str(output)]
    command += ["--handles", "8", "--steps", "3", "--device", "cpu", "--no-cubature"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    basis = HandleBasis.load(output)
    assert basis.handles == 8
    assert basis.diagnostics["steps"] == 3
    assert basis.diagnostics["orthonormality"] < 1e-6
    assert [path.name for path in tmp_path.iterdir()] == ["cube.safetensors"]
    # Process 0 alone speaks of what was written.
    assert done.stdout.count("cube.safetensors: 8 handles") == 1
