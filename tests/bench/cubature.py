"""Trajectory error of the optimised cubature and of 2048 uniform points, against all samples.

`python tests/bench/cubature.py --handles 10 [--mesh scenes/meshes/octopus.obj]`: errors are RMS over points,
largest over time, in per cent of the body's size.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from figures import emit, single_thread
from step import SCENES, build, drive

from sim import HandleBasis, Material, load_shape
from sim.cubature import cluster_cubature, uniform_cubature
from sim.cubature_training import optimize_cubature
from sim.fields import CosineField
from sim.reduction import reduce


def trajectory(scene: str, shape, basis, cubature, steps: int) -> np.ndarray:
    world, body = build(scene, shape, basis, cubature)
    points = shape.samples[::64]
    frames = []
    for i in range(steps):
        drive(world, i)
        world.step()
        frames.append(body.deform(points).numpy())
    return np.stack(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--handles", type=int, default=10)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--mesh", default="scenes/meshes/beam.obj")
    options = parser.parse_args()
    single_thread()
    shape = load_shape(options.mesh)
    basis = HandleBasis(CosineField.lowest(shape.samples, options.handles - 1))
    space = reduce(shape, Material(1e5, 0.45, 1000.0), basis)
    began = time.perf_counter()
    optimized = optimize_cubature(space, Material(1e5, 0.45, 1000.0), seed=0)
    seconds = time.perf_counter() - began
    kinds = {
        "optimized": optimized,
        "uniform_2048": uniform_cubature(space.samples, space.volumes, 2048),
        "clusters": cluster_cubature(space.samples, space.volumes, 16 * options.handles),
    }
    figures = {}
    for scene in SCENES:
        exact = trajectory(scene, shape, basis, len(space.samples), options.steps)
        for name, cubature in kinds.items():
            error = trajectory(scene, shape, basis, cubature, options.steps) - exact
            worst = np.sqrt(np.square(error).sum(-1).mean(1)).max()
            figures[f"{scene}_{name}_percent"] = 100 * worst / space.scale
    emit(
        "cubature",
        handles=options.handles,
        mesh=options.mesh,
        points={name: len(c.weights) for name, c in kinds.items()},
        optimize_seconds=seconds,
        **figures,
    )


if __name__ == "__main__":
    main()
