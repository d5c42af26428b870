"""Violence: `python tests/bench/torture.py --steps 100000`. No NaN, no exception, and back at rest afterwards."""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from figures import emit, single_thread

from sim import Body, HandleBasis, Material, World, load_shape
from sim.fields import CosineField


def torment(world: World, body: Body, steps: int, rng: np.random.Generator) -> dict:
    """Random grabs up to 30 sizes away, shocks to the state, materials and step sizes; then peace.

    Returns:
        Counts, the largest coordinate seen, and how far the shape is from rest after the peace, as a share of
        its size (rigid motion taken out).
    """
    counts = {"steps": 0, "not_converged": 0, "said": 0, "not_finite": 0}
    largest = 0.0
    while counts["steps"] < steps:
        for hand in (*world.grabs, *world.pins):
            hand.release()
        body.set_material(
            Material(10 ** rng.uniform(3.5, 7), rng.uniform(0, 0.49), 10 ** rng.uniform(1, 3.5))
        )
        world.timestep = 10 ** rng.uniform(-3, -1)
        if rng.random() < 0.3:
            centre = body.shape.samples[rng.integers(len(body.shape.samples))]
            world.pin(body, where=lambda X, c=centre: (X - c).norm(dim=1) < 0.3 * body.size)
        world.reset()
        if rng.random() < 0.3:
            shock = 10 ** rng.uniform(-1, 2)
            body.position = body.position + shock * rng.normal(size=body.position.shape)
            body.velocity = body.velocity + shock * rng.normal(size=body.position.shape)
        grabs = [
            world.grab(body, body.positions()[rng.integers(len(body.shape.vertices))].double().numpy())
            for _ in range(rng.integers(0, 3))
        ]
        for _ in range(250):
            if rng.random() < 0.05:
                for grab in grabs:
                    grab.move_to(rng.normal(size=3) * body.size * 10 ** rng.uniform(-1, 1.5))
            report = world.step()
            positions = body.positions()
            counts["steps"] += 1
            counts["not_converged"] += not report.converged
            counts["said"] += bool(report.message)
            counts["not_finite"] += not (np.isfinite(report.energy) and bool(torch.isfinite(positions).all()))
            largest = max(largest, float(positions.abs().max()))
    for hand in (*world.grabs, *world.pins):
        hand.release()
    body.set_material(Material(1e5, 0.45, 1000.0))
    world.timestep = 1 / 60
    world.gravity = (0.0, 0.0, 0.0)
    world.floor(None)
    for _ in range(600):
        world.step()
    rest, now = body.shape.samples.numpy(), body.deform(body.shape.samples).numpy()
    rest, now = rest - rest.mean(0), now - now.mean(0)
    U, _, Vt = np.linalg.svd(now.T @ rest)
    rotation = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    away = np.sqrt(np.square(now - rest @ rotation.T).sum(1).mean()) / body.size
    return {**counts, "largest_coordinate": largest, "away_from_rest": float(away)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--handles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    single_thread()
    shape = load_shape("scenes/meshes/beam.obj", samples=2048)
    body = Body(
        shape, Material(), HandleBasis(CosineField.lowest(shape.samples, options.handles - 1)), "clusters"
    )
    world = World(device="cpu")
    world.floor(-1.0)
    world.add(body)
    began = time.perf_counter()
    figures = torment(world, body, options.steps, np.random.default_rng(options.seed))
    emit("torture", seconds=time.perf_counter() - began, **figures)


if __name__ == "__main__":
    main()
