"""Time of one simulation step: `python tests/bench/step.py --handles 10 --scene drag [--points 2048]`."""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from figures import emit, single_thread

from sim import Body, HandleBasis, Material, World, load_shape
from sim.fields import CosineField

SCENES = ("hang", "drag", "drop")


def build(scene: str, shape, basis: HandleBasis, cubature, timestep: float = 1 / 60) -> tuple[World, Body]:
    """A body hanging by its end in x, dragged about at the other, or dropped on a floor."""
    low, high = shape.vertices.amin(0), shape.vertices.amax(0)
    body = Body(shape, Material(1e5, 0.45, 1000.0), basis, cubature)
    world = World(timestep=timestep, device="cpu")
    if scene == "drop":
        world.floor(float(low[1]) - 0.375)
    world.add(body)
    if scene != "drop":
        world.pin(body, where=lambda X: X[:, 0] >= high[0] - 0.02 * (high - low)[0])
    if scene == "drag":
        world.grab(body, (float(low[0]), *((low + high) / 2)[1:].tolist()), 0.1)
    return world, body


def drive(world: World, i: int) -> None:
    """The hand of the drag scene."""
    for grab in world.grabs:
        grab.move_to((-0.1 + 0.3 * np.sin(i / 10), 0.4 * np.cos(i / 7), 0.3 * np.sin(i / 13)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--handles", type=int, default=10)
    parser.add_argument(
        "--points", type=int, default=None, help="uniform points instead of the optimised cubature"
    )
    parser.add_argument("--scene", choices=SCENES, default="drag")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--mesh", default="scenes/meshes/beam.obj")
    options = parser.parse_args()
    single_thread()
    shape = load_shape(options.mesh)
    basis = HandleBasis(CosineField.lowest(shape.samples, options.handles - 1))
    world, body = build(options.scene, shape, basis, options.points or "optimized")
    reports = []
    for i in range(options.steps):
        drive(world, i)
        reports.append(world.step())
    counted = reports[20:]
    emit(
        "step",
        handles=options.handles,
        scene=options.scene,
        points=len(body.cubature.weights),
        median_ms=1e3 * statistics.median(r.seconds for r in counted),
        mean_ms=1e3 * statistics.mean(r.seconds for r in counted),
        longest_ms=1e3 * max(r.seconds for r in counted),
        iterations=statistics.mean(r.iterations for r in counted),
        converged=sum(r.converged for r in counted) / len(counted),
    )


if __name__ == "__main__":
    main()
