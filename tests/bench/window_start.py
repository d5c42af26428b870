"""From the command to a bear one can pull, in a window on a virtual screen: `python tests/bench/window_start.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import emit

sys.path.insert(0, str(Path(__file__).parents[1] / "gui"))

from test_real_window import ROOT, Screen, bear

_PATIENCE = 120.0  # [s]


def cpu_seconds(process: int) -> float:
    """What a process has used of the processors so far [s]; Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        screen = Screen(folder)
        environment = {**os.environ, "DISPLAY": screen.display, "XDG_CONFIG_HOME": name}
        began = time.perf_counter()
        program = subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env=environment)
        seen: dict[str, float] = {}
        try:
            while "pull_s" not in seen and time.perf_counter() - began < _PATIENCE:
                picture = screen.picture()
                if "window_s" not in seen and picture.mean() > 20:  # the screen is black without it
                    seen["window_s"] = time.perf_counter() - began
                if bear(picture) is not None:
                    seen["pull_s"] = time.perf_counter() - began
                    seen["pull_cpu_s"] = cpu_seconds(program.pid)
                time.sleep(0.1)
        finally:
            program.kill()
            program.wait()
            screen.close()
    emit("window_start", load=os.getloadavg()[0], **seen)


if __name__ == "__main__":
    main()
