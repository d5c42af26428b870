"""How near handles move to full-space FEM on every shipped shape, whatever made them. One JSON line.

Each body is held by a slab of a tenth of its length, at either end of its longest side in turn, hard, and hangs under
gravity across that side: `--steps` steps of 0.5 s of implicit Euler, in which it comes to rest. Its Young's modulus
is such that it moves by about a seventh of its length (RMS). For each kind of handles the figure is the RMS distance
from the FEM over the RMS of its own displacement at the samples, in percent, both ends together. FEM: triquadratic
bricks cut by the surface (tests/oracle/fem.py), about `--bricks` a body; half an hour for all shapes.

    python tests/bench/motion.py [octopus ...] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import emit, single_thread

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from oracle import fem  # noqa: E402
from oracle import laws as oracle_laws  # noqa: E402
from oracle.meshes import voxel_hexes  # noqa: E402

from optim import TrainConfig, train  # noqa: E402
from optim.untrained import cosine_basis, rkpm_basis  # noqa: E402
from sim import Body, HandleBasis, Material, Shape, World, load_shape  # noqa: E402

SHAPES = ("beam", "cube", "starfish", "octopus", "gummy_bear", "bunny")
HANDLES = 32
DT, HELD, GRAVITY = 0.5, 0.1, 9.81
MOVED = 0.15  # RMS displacement over the length that the stiffness is chosen for
POISSON, DENSITY = 0.45, 1000.0


class Hanging:
    """One shape, its two loads, and where the FEM says its samples go."""

    def __init__(self, name: str, bricks: int, steps: int) -> None:
        self.shape = load_shape(ROOT / "scenes" / "meshes" / f"{name}.obj", size=1.0)
        self.steps = steps
        low, high = self.shape.vertices.amin(0).numpy(), self.shape.vertices.amax(0).numpy()
        bounds = np.stack((low - 1e-3, high + 1e-3))
        along = round((bricks / self.shape.volume) ** (1 / 3))
        mesh = voxel_hexes(lambda X: self.shape.inside(X).numpy(), bounds, along, order=2)
        self.samples = self.shape.samples.numpy()
        axis = int(np.argmax(high - low))
        across = [np.eye(3)[a] for a in range(3) if a != axis]
        planes = np.unique(mesh.nodes[:, axis].round(12))[::2]  # between bricks
        ends = [planes[np.abs(planes - end).argmin()] for end in (low[axis] + HELD, high[axis] - HELD)]
        self.loads = [
            (lambda X: X[:, axis] <= ends[0] + 1e-9, -GRAVITY * across[0]),
            (lambda X: X[:, axis] >= ends[1] - 1e-9, -GRAVITY * across[1]),
        ]
        # Held are the samples and the FEM's nodes: the same slab up to the same plane. Nodes outside the body, which
        # cut bricks have, are nothing that handles are made for.
        inside = self.shape.inside(mesh.nodes).numpy()
        self.held = Shape.from_samples(np.vstack((mesh.nodes[inside], self.samples)), self.shape.volume)
        judge = rkpm_basis(self.shape, Material(), HANDLES, nodes=64)
        self.young = 1e5
        for _ in range(4):  # softer or stiffer, until it moves as far as it shall
            moved = [np.sqrt(((self._hang(judge, k) - self.samples) ** 2).sum(1).mean()) for k in (0, 1)]
            self.young *= float(np.mean(moved)) / MOVED
        self.references = [self._fem(mesh, where, gravity) for where, gravity in self.loads]

    @property
    def material(self) -> Material:
        return Material(self.young, POISSON, DENSITY)

    def distance(self, basis: HandleBasis) -> float:
        """In percent of the displacement."""
        away = size = 0.0
        for k, reference in enumerate(self.references):
            away += float(((self._hang(basis, k) - reference) ** 2).sum())
            size += float(((self.samples - reference) ** 2).sum())
        return 100 * (away / size) ** 0.5

    def _fem(self, mesh, where, gravity) -> np.ndarray:
        material = oracle_laws.Material(self.young, POISSON, DENSITY)
        path = fem.simulate(
            mesh, material, dt=DT, steps=self.steps, gravity=gravity, clamps=[fem.Clamp(where)]
        )
        return path.evaluate(self.samples)

    def _hang(self, basis: HandleBasis, load: int) -> np.ndarray:
        where, gravity = self.loads[load]
        everything = self.samples, self.shape.sample_volumes.numpy()
        body = Body(self.held, self.material, basis, cubature=everything)
        world = World(gravity=tuple(gravity), timestep=DT, device="cpu")
        world.add(body)
        world.pin(body, where=where)
        for _ in range(self.steps):
            world.step()
        return body.deform(self.samples).numpy()


def kinds(seeds: list[int]) -> list[tuple[str, Callable[[Shape, Material], HandleBasis]]]:
    """What is compared: names, and how the handles are made."""
    found: list = [("cosines", lambda shape, material: cosine_basis(shape, material, HANDLES))]
    for nodes in (64, 256):
        found.append(
            (f"rkpm {nodes}", lambda shape, material, n=nodes: rkpm_basis(shape, material, HANDLES, nodes=n))
        )
    for seed in seeds:
        for bending in (TrainConfig.bending, 0.0):
            config = TrainConfig(handles=HANDLES, seed=seed, bending=bending, device="cpu")
            name = f"ns, bending {bending:g}, seed {seed}"
            found.append((name, lambda shape, material, c=config: train(shape, material, c)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", default=SHAPES)
    parser.add_argument("--bricks", type=int, default=300)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    single_thread()
    figures: dict = {}
    for name in options.shapes:
        hanging = Hanging(name, options.bricks, options.steps)
        row = figures[name] = {"young": round(hanging.young)}
        for kind, make in kinds(options.seeds):
            row[kind] = round(hanging.distance(make(hanging.shape, hanging.material)), 2)
            print(name, kind, row[kind], file=sys.stderr, flush=True)
    emit("motion", unit="% of the displacement", bricks=options.bricks, **figures)


if __name__ == "__main__":
    main()
