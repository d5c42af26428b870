"""Trained handles against full-space FEM, beside cosine modes and reproducing kernels, on a beam and a cube.

One JSON line; RMS distances [m] over a grid of points at step 100 of 0.05 s (`rms`) and at the worst step
(`worst`), implicit Euler in all. E 1e5 Pa unless said, nu 0.45, 500 kg/m3, g = 10 m/s2; 32 handles counting the
constant one. Two kinds of NS handles: with the default energy, and with the paper's, without strain gradients.

beam: 1 x 0.25 x 0.25 m, held at x >= 0.98 by hard pins and, as `springs`, by 1e7 N/m. One plane of its samples
lies there, at 0.98 itself, where the FEM is clamped; handles are made for the shipped mesh of it. cube: 1 m, dropped
0.2 m onto a frictionless floor, which in both pushes on the FEM's surface nodes with their lumped areas: other points
sink in otherwise, by as much as handles differ. E 1.5e4 Pa and, as `stiff`, 1e5 Pa, at which it hardly deforms and
nearly all are within a tenth of a millimetre of one another. Both bodies are summed over Gauss points of many cells.
`rkpm` is given with as many nodes as handles, twice as many, and the default of optim/untrained.py. `kaolin-rkpm` is
Kaolin's recipe with the nodes and the number of points that its own test of this beam and this cube has.
Run it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from fem_agreement import CLAMP, DT, LOW, ROOT, SIDES, STEPS, fem_path, grid
from figures import box_gauss, emit, single_thread
from oracle import fem
from oracle import laws as oracle_laws
from oracle.meshes import hex_box

from optim import TrainConfig, train
from optim.untrained import KAOLIN_NODES, RKPM_NODES, cosine_basis, kaolin_rkpm_basis, rkpm_basis
from sim import Body, Material, Shape, World, load_shape
from sim.contact_points import ContactPoints
from sim.stepper import _SURFACE_STIFFNESS

MATERIAL = Material(young=1e5, poisson=0.45, density=500.0)
HANDLES = 32
DROP = 0.2  # m
KAOLIN_POINTS = 100_000  # of the body in Kaolin's test


class Beam:
    """The clamped beam."""

    name, file, stiffnesses = "beam", ROOT / "scenes" / "meshes" / "beam.obj", {"rms": "hard", "springs": 1e7}
    bricks = (16, 4, 4)  # (12, 3, 3) is 2 mm from it, (8, 2, 2) 9 mm: stiffer, and as far off as good handles

    def __init__(self) -> None:
        self.training = load_shape(self.file, size=1.0)
        self.shape = Shape.from_samples(grid((25, 12, 12), ends=False), volume=float(SIDES.prod()))
        self.points = grid((21, 7, 7), ends=True)
        self.cubature = box_gauss((3, 3, 3), SIDES, LOW, cells=(12, 3, 3))
        self.reference = fem_path(self.bricks, self.points)[0]

    def distances(self, basis) -> dict:
        result = {}
        for name, stiffness in self.stiffnesses.items():
            body = Body(self.shape, MATERIAL, basis, cubature=self.cubature)
            world = World(gravity=(0, -10, 0), timestep=DT, device="cpu")
            world.add(body)
            world.pin(body, where=lambda X: X[:, 0] >= CLAMP - 1e-9, stiffness=stiffness)
            rms = follow(world, body, self.points, self.reference)
            result[name] = round(float(rms[-1]), 5)
        return result


class Cube:
    """The dropped cube: its surface, hence its contact points, from the shipped mesh."""

    name, file, youngs = "cube", ROOT / "scenes" / "meshes" / "cube.obj", {"": 1.5e4, "stiff ": 1e5}

    def __init__(self) -> None:
        self.training = self.shape = load_shape(self.file, size=1.0, samples=8000)
        low, high = (end(self.shape.vertices.numpy(), axis=0) for end in (np.min, np.max))
        fractions = np.linspace(0, 1, 9)
        unit = np.stack(np.meshgrid(fractions, fractions, fractions, indexing="ij"), -1).reshape(-1, 3)
        self.points = low + unit * (high - low)
        self.cubature = box_gauss((3, 3, 3), high - low, low, cells=(6, 6, 6))
        self.mesh = hex_box(low, high, (4, 4, 4), order=2)
        areas = self.mesh.boundary_areas()
        surface = self.mesh.nodes[areas > 0]
        normals = surface - (low + high) / 2
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        self.contact = ContactPoints(surface, areas[areas > 0], normals, float((high - low).max()) / 8)
        self.floor = float(low[1] - DROP)
        self.references = {name: self._fem(young) for name, young in self.youngs.items()}

    def _fem(self, young: float) -> np.ndarray:
        pressure = _SURFACE_STIFFNESS * young / float(np.ptp(self.shape.samples.numpy(), axis=0).max())
        result = fem.simulate(
            self.mesh,
            oracle_laws.Material(young, 0.45, 500.0),
            dt=DT,
            steps=STEPS,
            floor=fem.Floor(self.floor, pressure),
        )
        interpolation = result.mesh.interpolation(self.points)
        moved = result.positions[1:] - result.mesh.nodes
        return self.points + np.stack([interpolation @ displacement for displacement in moved])

    def distances(self, basis) -> dict:
        result = {}
        for name, young in self.youngs.items():
            material = MATERIAL.with_values(young=young)
            body = Body(self.shape, material, basis, cubature=self.cubature, contact=self.contact)
            world = World(gravity=(0, -10, 0), timestep=DT, device="cpu")
            world.add(body)
            world.floor(height=self.floor, friction=0.0)
            rms = follow(world, body, self.points, self.references[name])
            result |= {f"{name}rms": round(float(rms[-1]), 6), f"{name}worst": round(float(rms.max()), 6)}
        return result


def follow(world, body, points, reference) -> np.ndarray:
    """RMS distance [m] from the reference after each step."""
    distances = []
    for target in reference:
        world.step()
        distances.append(np.sqrt(((body.deform(points).numpy() - target) ** 2).sum(1).mean()))
    return np.array(distances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--optimizer", default="ns")
    parser.add_argument("--preset", default="good")
    options = parser.parse_args()
    single_thread()
    figures: dict[str, list[dict]] = {}
    for yardstick in (Beam(), Cube()):
        rows = figures[yardstick.name] = []

        def note(rows=rows, yardstick=yardstick, *, basis, **what) -> None:
            rows.append({**what, **yardstick.distances(basis)})
            print(yardstick.name, rows[-1], file=sys.stderr)

        shape = yardstick.training
        note(basis=cosine_basis(shape, MATERIAL, HANDLES), handles="cosine")
        cloud = load_shape(yardstick.file, size=1.0, samples=KAOLIN_POINTS)
        for seed in options.seeds:
            basis = kaolin_rkpm_basis(cloud, MATERIAL, HANDLES, seed=seed)
            note(basis=basis, handles="kaolin-rkpm", nodes=KAOLIN_NODES, seed=seed)
            for nodes in (HANDLES + 1, 2 * HANDLES, RKPM_NODES):
                basis = rkpm_basis(shape, MATERIAL, HANDLES, nodes=nodes, seed=seed)
                note(basis=basis, handles="rkpm", nodes=nodes, seed=seed)
            for bending in (TrainConfig.bending, 0.0):
                config = TrainConfig(
                    handles=HANDLES,
                    optimizer=options.optimizer,
                    preset=options.preset,
                    seed=seed,
                    bending=bending,
                    device="cpu",
                )
                basis = train(shape, MATERIAL, config)
                note(basis=basis, handles=options.optimizer, bending=bending, seed=seed)
    emit("yardsticks", preset=options.preset, **figures)


if __name__ == "__main__":
    main()
