"""Contact sheets of the shipped scenes: `python docs/pictures/contact_sheets.py [SCENE ...]`.

Each is twelve moments of the scene's own film, row by row, written beside this file as contact-SCENE.png.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from app.picture_folder import encode_png
from scenes.load import load_scene
from scenes.shipped import find_scene, shipped_scenes

COLUMNS, ROWS = 4, 3
SIZE = (480, 270)  # pixels of each picture


def main(names: list[str]) -> None:
    for name in names or shipped_scenes():
        seconds = load_scene(find_scene(name)).record.seconds
        with tempfile.TemporaryDirectory() as folder:
            pictures = film(name, Path(folder) / "film", seconds)
        grid = np.concatenate(
            [np.concatenate(pictures[row * COLUMNS :][:COLUMNS], axis=1) for row in range(ROWS)]
        )
        target = Path(__file__).with_name(f"contact-{name}.png")
        target.write_bytes(encode_png(grid))
        print(target.name)


def film(name: str, folder: Path, seconds: float) -> list[np.ndarray]:
    """Evenly spaced pictures of a scene, uint8 RGB; in a process of its own, for each draws one scene only."""
    command = [sys.executable, "-m", "app", "record", name, "-o", str(folder)]
    rate = COLUMNS * ROWS / seconds
    command += ["--fps", repr(rate), "--size", f"{SIZE[0]}x{SIZE[1]}"]
    subprocess.run(command, check=True)
    return [picture(file) for file in sorted(folder.iterdir())]


def picture(file: Path) -> np.ndarray:
    with av.open(str(file)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


if __name__ == "__main__":
    main(sys.argv[1:])
