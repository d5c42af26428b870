"""What this machine has of all the program needs, and the line that mends what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.display import has_display

_PATIENCE = 60.0  # seconds a probe in another process may take: a first start of software OpenGL is slow
_OLDEST_PYTHON = (3, 10)
_INSTALL = f"{sys.executable} -m pip install"

REQUIRED = {
    "torch": (2, 9),
    "numpy": (1, 26),
    "scipy": (1, 11),
    "warp-lang": (1, 8),
    "polyscope": (2, 6),
    "trimesh": (4, 4),
    "msgspec": (0, 18),
    "PyYAML": (6, 0),
    "safetensors": (0, 4),
    "av": (14, 0),
}
"""Packages without which some command does not work, and the oldest version of each."""

_DRAW = """
import polyscope as ps
ps.set_allow_headless_backends(True)
ps.set_use_prefs_file(False)
ps.set_verbosity(0)
ps.init("openGL3_egl")
ps.set_window_size(64, 64)
ps.screenshot_to_buffer()
print("drawn")
"""


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: what. found: what there is, in words. works: whether that will do. essential: whether the program is of
            no use without. mend: the line or the step that mends it; empty where it works.
    """

    name: str
    found: str
    works: bool = True
    essential: bool = True
    mend: str = ""


def examine(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything, in the order of a person's worries. Never raises; takes some seconds."""
    return [
        python_finding(),
        *(package_finding(name, oldest) for name, oldest in REQUIRED.items()),
        device_finding(),
        drawing_finding(),
        display_finding(environment),
        folder_finding("settings folder", _settings_folder()),
        folder_finding("folder for compiled kernels", _kernel_folder()),
        usd_finding(),
        kaolin_finding(),
    ]


def python_finding(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter."""
    text = ".".join(map(str, version))
    if version[:2] < _OLDEST_PYTHON:
        return Finding("python", text, False, mend="install Python 3.10 or newer, then run: make run")
    return Finding("python", f"{text} on {platform.system()} {platform.machine()}")


def package_finding(name: str, oldest: tuple[int, ...]) -> Finding:
    """A package that is needed, by its installed version."""
    wanted = ".".join(map(str, oldest))
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", False, mend=f'{_INSTALL} "{name}>={wanted}"')
    if release(version) < oldest:
        return Finding(name, version, False, mend=f'{_INSTALL} --upgrade "{name}>={wanted}"')
    return Finding(name, version)


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.13.0+cpu` is (2, 13, 0)."""
    numbers: list[int] = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def device_finding() -> Finding:
    """Where numbers are computed when the device is "auto"."""
    try:
        import torch

        from sim.device import resolve_device

        device = resolve_device("auto")
        if device.type == "cuda":
            card = torch.cuda.get_device_properties(0)
            return Finding(
                "device", f"{card.name}, {card.total_memory / 2**30:.0f} GiB (CUDA {torch.version.cuda})"
            )
        build = "a CUDA build that sees no GPU" if torch.version.cuda else "a CPU build of torch"
        return Finding("device", f"CPU, {os.cpu_count()} cores ({build}); everything works on it")
    except Exception as error:  # a broken torch must be told, not shown as a crash of the doctor
        return Finding(
            "device", f"torch does not start: {error}", False, mend=f"{_INSTALL} --force-reinstall torch"
        )


def drawing_finding() -> Finding:
    """Whether pictures can be drawn without a window; tried in another process, because drivers may crash."""
    mend = "sudo apt-get install -y libegl1 libgl1 libgl1-mesa-dri libx11-6"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _DRAW], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("OpenGL", f"gives no picture: {error}", False, mend=mend)
    if "drawn" in tried.stdout:
        return Finding("OpenGL", "draws without a window (EGL): record works")
    last = (tried.stderr.strip() or "no reason given").splitlines()[-1]
    return Finding("OpenGL", f"gives no picture: {last}", False, mend=mend)


def display_finding(environment: Mapping[str, str] = os.environ) -> Finding:
    """Whether there is a screen for the window."""
    if has_display(environment):
        return Finding("display", environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or "there")
    return Finding(
        "display",
        "none, so no window; record, train and export work without one",
        False,
        essential=False,
        mend="simplicits-studio record gummy_bear -o out/gummy_bear.mp4",
    )


def folder_finding(name: str, folder: Path) -> Finding:
    """Whether a folder can be written to, or made."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(name, f"{folder}: {error.strerror}", False, essential=False, mend=f"chmod u+w {there}")
    return Finding(name, str(folder))


def usd_finding() -> Finding:
    """For USD export."""
    try:
        from pxr import Usd
    except ImportError:
        return Finding(
            "usd-core", "missing: no USD export", False, essential=False, mend=f"{_INSTALL} usd-core"
        )
    return Finding("usd-core", ".".join(map(str, Usd.GetVersion())))


def kaolin_finding() -> Finding:
    """For exchange with Kaolin's own Simplicits."""
    from sim.kaolin_bridge import MISSING, kaolin_version

    version = kaolin_version()
    if version is None:
        return Finding("kaolin", "missing: no exchange with Kaolin", False, essential=False, mend=MISSING)
    return Finding("kaolin", version)


def report(findings: list[Finding]) -> str:
    """A table to read, with the mending lines below each thing that is missing."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok     " if finding.works else "MISSING" if finding.essential else "without"
        lines.append(f"{mark} {finding.name:<{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"{'':7} {'':<{width}}  -> {finding.mend}")
    broken = [finding.name for finding in findings if finding.essential and not finding.works]
    lines.append("")
    lines.append(f"Not ready: {', '.join(broken)}." if broken else "Ready: all that is essential works.")
    return "\n".join(lines)


def _settings_folder() -> Path:
    from app.settings import settings_path

    return settings_path().parent


def _kernel_folder() -> Path:
    try:
        import warp as wp

        import sim.warp_setup  # noqa: F401  (importing warp says nothing; starting it would)

        return Path(wp.config.kernel_cache_dir)
    except Exception:  # a broken warp has a finding of its own
        return Path(tempfile.gettempdir())
