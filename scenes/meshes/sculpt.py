"""Sculpt the shipped meshes and write them as OBJ files.

`python -m scenes.meshes.sculpt [NAME ...] [--to DIR]`. Everything is deterministic: the same numpy gives the
same file.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.meshes import bear, boxes, bunny, octopus, starfish
from scenes.meshes.sdf import Field
from scenes.meshes.surface import mesh_field, smallest_angles

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sculpture:
    """A solid given by a distance field, and how finely it is meshed."""

    field: Field
    """Signed distance [m] of points (N, 3)."""
    low: tuple[float, float, float]
    """Lower corner of a box around the solid [m]."""
    high: tuple[float, float, float]
    """Upper corner of that box [m]."""
    spacing: float
    """Edge length wanted [m]."""

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [m] (V, 3), lowest one at y = 0, and outward faces (F, 3)."""
        vertices, faces = mesh_field(self.field, np.array(self.low), np.array(self.high), self.spacing)
        vertices[:, 1] -= vertices[:, 1].min()
        return vertices, faces


SCULPTURES = {
    "gummy_bear": Sculpture(bear.gummy_bear, bear.LOW, bear.HIGH, bear.SPACING),
    "starfish": Sculpture(starfish.starfish, starfish.LOW, starfish.HIGH, starfish.SPACING),
    "octopus": Sculpture(octopus.octopus, octopus.LOW, octopus.HIGH, octopus.SPACING),
    "bunny": Sculpture(bunny.bunny, bunny.LOW, bunny.HIGH, bunny.SPACING),
}
"""The sculpted solids by file name."""

BOXES = {"beam": boxes.beam, "cube": boxes.cube}
"""The regular solids by file name: functions of nothing that give vertices and faces."""

NAMES = (*SCULPTURES, *BOXES)


def make(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [m] (V, 3) and outward faces (F, 3) of the shipped mesh `name`.

    Raises:
        KeyError: there is no such mesh; see `NAMES`.
    """
    return SCULPTURES[name].mesh() if name in SCULPTURES else BOXES[name]()


def obj_text(name: str, vertices: np.ndarray, faces: np.ndarray) -> str:
    """Wavefront OBJ text; coordinates in metres, rounded to a thousandth of a millimetre."""
    lines = [f"# {name}: made by scenes/meshes/sculpt.py, CC0. Metres, y up."]
    lines += ["v " + " ".join(map(_short, vertex)) for vertex in (np.round(vertices, 6) + 0.0).tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return "\n".join(lines) + "\n"


def _short(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def main(arguments: list[str] | None = None) -> int:
    """Write the meshes named on the command line (all by default) and print a line about each."""
    parser = argparse.ArgumentParser(prog="python -m scenes.meshes.sculpt", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of: {', '.join(NAMES)}; all by default"
    )
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder to write into")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no mesh named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    options.to.mkdir(parents=True, exist_ok=True)
    for name in options.names or NAMES:
        vertices, faces = make(name)
        (options.to / f"{name}.obj").write_text(
            obj_text(name, vertices, faces), encoding="ascii", newline="\n"
        )
        angles, size = smallest_angles(vertices, faces), np.ptp(vertices, axis=0)
        print(
            f"{name}: {len(vertices)} vertices, {len(faces)} faces, "
            f"{size[0]:.3f} x {size[1]:.3f} x {size[2]:.3f} m, "
            f"smallest angles: median {np.median(angles):.1f}, worst {angles.min():.1f} degrees"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
