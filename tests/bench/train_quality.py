"""Quality of trained handles against seconds, on every shipped shape, beside the least energy there can be.

One JSON line. For each shape: CPU seconds of `train` with all its preparations and its finish; the energy of its
handles over the bound, both measured over the same dense points, which training never saw; effective rank,
orthonormality and why it ended; and `path`, pairs of CPU seconds and energy over that at the end, while it trained.

The bound is the sum of the lowest eigenvalues of the training energy, strain gradients included, over quartic splines
on a grid cut by the surface (tests/oracle/bound.py): it comes down onto the true bound as the grid is refined, so
`over_bound` can only get larger with `--bricks`. Run it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from figures import box_gauss, emit, single_thread

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from oracle.bound import Quadrature, linear_elastic_form, rayleigh_quotients, spline_spectrum  # noqa: E402
from oracle.meshes import voxel_hexes  # noqa: E402

from optim import TrainConfig, train  # noqa: E402
from scenes.build import build_material, build_shape  # noqa: E402
from scenes.load import load_scene  # noqa: E402
from scenes.shipped import find_scene, shipped_scenes  # noqa: E402
from sim import Shape  # noqa: E402

_POINTS = 5  # in each direction of a brick
_GHOST = 1e-3
_STEP = 1e-4  # of central differences, in longest sides


def judge(part, shape, config: TrainConfig, bricks: int):
    """The bound on the energy [J], and a function that gives a basis's energy, over the same points.

    The points are Gauss points of the grid's bricks, 125 each, those outside the body with a thousandth of their
    volume: a function that hides between fewer points, or in a corner of a brick, would be no bound. (With 27 the
    octopus's is 3 % too low.)
    """
    low, high = shape.vertices.amin(0).numpy(), shape.vertices.amax(0).numpy()
    longest = (high - low).max()
    along = round(longest * (bricks / shape.volume) ** (1 / 3))
    bounds = np.stack((low - 1e-3 * longest, high + 1e-3 * longest))
    mesh = voxel_hexes(lambda X: shape.inside(X).numpy(), bounds, along, order=2)
    corners = mesh.nodes[mesh.elements].min(1)
    side = np.ptp(mesh.nodes[mesh.elements[0]], axis=0)
    unit, weights = box_gauss((_POINTS,) * 3, side, np.zeros(3))
    points, volumes = (corners[:, None] + unit).reshape(-1, 3), np.tile(weights, len(corners))
    volumes = np.where(shape.inside(points).numpy(), volumes, _GHOST * volumes)
    dense = Shape.from_samples(points, volume=float(volumes.sum()))
    material = build_material(part, dense)
    mu, lam = (value.numpy() for value in material.lame(len(points)))
    density = material.per_sample("density", len(points)).numpy()
    # The frame of the training energy is that of the training samples.
    mass = shape.sample_volumes * build_material(part, shape).per_sample("density", len(shape.samples))
    centre = (mass @ shape.samples / mass.sum()).numpy()
    scale = float(np.ptp(shape.samples.numpy(), axis=0).max())
    form = linear_elastic_form(points, mu, lam, centre=centre, scale=scale)
    bend = (lam / 2 + 2 * mu) * config.bending**2 * scale**4
    quadrature = Quadrature(points, volumes, density)
    cells = np.rint((corners - corners.min(0)) / side).astype(int)
    energies = spline_spectrum(cells, side, form, bend, quadrature, config.handles - 1)

    def energy(basis) -> float:
        values, gradients = (part.numpy() for part in basis.weights_and_gradients(dense.samples))
        step = _STEP * scale
        hessians = [
            (slopes(basis, points + step * axis) - slopes(basis, points - step * axis)) / (2 * step)
            for axis in np.eye(3)
        ]
        return float(
            rayleigh_quotients(
                values, gradients, form, quadrature, hessians=np.stack(hessians, -1), bend=bend
            ).sum()
        )

    return float(energies.sum()), energy


def slopes(basis, points: np.ndarray) -> np.ndarray:
    """Gradients of the weights [1/m], (n, H, 3)."""
    return basis.weights_and_gradients(torch.from_numpy(points))[1].numpy()


def measure(scene: str, config: TrainConfig, bricks: int) -> dict:
    """Figures of one shipped scene's first body."""
    part = load_scene(find_scene(scene)).bodies[0]
    shape = build_shape(part)
    material = build_material(part, shape)
    bound, energy = judge(part, shape, config, bricks)
    path: list[list[float]] = []

    def watch(progress) -> None:
        if np.isfinite(progress.energy) and (not path or path[-1][1] != progress.energy):
            path.append([round(time.process_time() - began, 2), progress.energy])

    began = time.process_time()
    basis = train(shape, material, config, watch)
    seconds = time.process_time() - began
    return {
        "scene": scene,
        "seed": config.seed,
        "cpu_seconds": round(seconds, 2),
        "over_bound": round(energy(basis) / bound - 1, 5),
        "effective_rank": round(basis.diagnostics["effective_rank"], 6),
        "orthonormality": float(f"{basis.diagnostics['orthonormality']:.1e}"),
        "steps": basis.diagnostics["steps"],
        "ended": basis.diagnostics["ended"],
        "path": [[second, round(value / path[-1][1], 4)] for second, value in path],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", default=list(shipped_scenes()))
    parser.add_argument("--preset", default="good")
    parser.add_argument("--handles", type=int, default=32)
    parser.add_argument("--optimizer", default="ns")
    parser.add_argument("--bending", type=float, default=TrainConfig().bending)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--bricks", type=int, default=600, help="about how many fill the body")
    options = parser.parse_args()
    single_thread()
    # What the first training of a process loads (torch's own) is counted apart.
    began = time.process_time()
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    loading = time.process_time() - began
    rows = []
    for scene in options.scenes:
        for seed in options.seeds:
            config = TrainConfig(
                handles=options.handles,
                preset=options.preset,
                optimizer=options.optimizer,
                bending=options.bending,
                seed=seed,
                device="cpu",
            )
            rows.append(measure(scene, config, options.bricks))
            print(rows[-1], file=sys.stderr)
    emit("train_quality", preset=options.preset, bricks=options.bricks, loading_seconds=loading, rows=rows)


if __name__ == "__main__":
    main()
