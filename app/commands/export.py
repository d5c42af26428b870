"""`simplicits-studio export`: moving geometry for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm


def run(
    source: Annotated[str, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    format: Literal["usd", "npz", "obj", "ply"] | None = None,
    seconds: float | None = None,
    fps: float | None = None,
    device: str = "auto",
) -> int:
    """Write the motion of a scene, or a recorded one, for Blender, usdview, NumPy and others. Metres, y up.

    Args:
        source: scene file, name of a shipped scene, or a recorded motion (.safetensors).
        output: .usdc, .usda, .usd (one file, needs usd-core), .npz (NumPy), or a folder for a sequence of meshes.
        format: of a sequence: obj (default) or ply.
        seconds: how long; what the scene says, or all of the recorded motion, when left out.
        fps: frames a second; what the scene says when left out.
        device: where the simulation computes: auto, cpu, cuda.
    """
    from app.export import export, export_format, exported
    from app.motion import RecordedMotion, open_motion
    from scenes.schema import Record

    chosen = export_format(output, format)
    if chosen == "usd":
        from app.export_usd import require_usd

        require_usd()  # before a minute of simulation, not after
    motion = open_motion(source, device=device)
    film = motion.scene.record if motion.scene is not None else Record()
    if seconds is None:
        seconds = motion.seconds if isinstance(motion, RecordedMotion) else film.seconds
    fps = film.fps if fps is None else fps
    frames = exported(motion, seconds=seconds, fps=fps).frames
    with tqdm(total=frames, desc=output.name, unit="frame") as bar:
        path = export(
            motion, output, seconds=seconds, fps=fps, format=format, on_frame=lambda frame: bar.update()
        )
    print(f"{path}: {seconds:.4g} s at {fps:g} frames a second, metres, y up")
    return 0
