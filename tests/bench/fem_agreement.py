"""How near a body moved by 32 analytic cosine handles comes to full-space FEM on the yardstick beam.

One JSON line. The beam is 1 x 0.25 x 0.25 m, E 1e5 Pa, nu 0.45, 500 kg/m3, clamped at x >= 0.98, g = 10 m/s2
along -y, 100 steps of 0.05 s, implicit Euler in both. `rms` is the root mean square distance at a grid of points
at the last step, `rms_max` its largest over the steps. `fem_refinement` is the same distance between the FEM
meshes, coarse to fine, and the finest: how far the judge itself can be trusted.

    python tests/bench/fem_agreement.py [--handles 32] [--cubature all optimized] [--pin hard] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from figures import emit, single_thread

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from oracle import fem  # noqa: E402
from oracle import laws as oracle_laws  # noqa: E402
from oracle.meshes import hex_beam  # noqa: E402

from sim import Body, HandleBasis, Material, Shape, World  # noqa: E402

SIDES, LOW = np.array([1.0, 0.25, 0.25]), np.array([0.0, -0.125, -0.125])
CLAMP, STEPS, DT = 0.98, 100, 0.05
FEM_MESHES = ((6, 2, 2), (8, 2, 2), (8, 4, 4))  # triquadratic, graded by 2 towards the clamp and the edges


def grid(counts, *, ends: bool) -> np.ndarray:
    """Points of the beam [m], (n, 3): cell centres, or with `ends` a grid that reaches the faces."""
    fractions = [np.linspace(0, 1, m) if ends else (np.arange(m) + 0.5) / m for m in counts]
    return np.stack(np.meshgrid(*fractions, indexing="ij"), -1).reshape(-1, 3) * SIDES + LOW


def cosine_basis(handles: int) -> HandleBasis:
    """The constant and the lowest `prod cos(k_i pi x_i / L_i)`; equal frequencies are taken k_x first."""
    k = np.stack(np.meshgrid(*[np.arange(20)] * 3, indexing="ij"), -1).reshape(-1, 3)
    frequency = ((k / SIDES) ** 2).sum(1)
    k = k[np.lexsort((k[:, 2], k[:, 1], k[:, 0], frequency.round(9)))][1:handles]
    wave, low = torch.from_numpy(np.pi * k / SIDES), torch.from_numpy(LOW)

    def modes(points: torch.Tensor) -> torch.Tensor:
        return torch.cos(wave.to(points) * (points - low.to(points))[:, None, :]).prod(-1)

    return HandleBasis.from_function(modes, handles=handles)


def fem_path(n, points) -> tuple[np.ndarray, float]:
    """FEM positions (steps, p, 3) [m] at `points`, and seconds."""
    began = time.perf_counter()
    result = fem.simulate(
        hex_beam(n, order=2, grading=2.0),
        oracle_laws.Material(1e5, 0.45, 500.0),
        dt=DT,
        steps=STEPS,
        clamps=[fem.Clamp(lambda X: X[:, 0] >= CLAMP - 1e-9)],
    )
    interpolation = result.mesh.interpolation(points)
    moved = result.positions[1:] - result.mesh.nodes
    path = points + np.stack([interpolation @ displacement for displacement in moved])
    return path, time.perf_counter() - began


def reduced_path(handles, cubature, pin, samples, points) -> tuple[np.ndarray, dict]:
    """Positions (steps, p, 3) [m] of the reduced body at `points`, and what it took."""
    began = time.perf_counter()
    if cubature == "all":
        cubature = (samples, np.full(len(samples), SIDES.prod() / len(samples)))
    shape = Shape.from_samples(samples, volume=float(SIDES.prod()))
    body = Body(
        shape, Material(young=1e5, poisson=0.45, density=500.0), cosine_basis(handles), cubature=cubature
    )
    world = World(gravity=(0, -10, 0), timestep=DT, device="cpu")
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] >= CLAMP, stiffness=pin)
    ready = time.perf_counter()
    path, reports = [], []
    for _ in range(STEPS):
        reports.append(world.step())
        path.append(body.deform(points).numpy())
    cost = {
        "cubature_points": len(body.cubature.points),
        "build_seconds": round(ready - began, 2),
        "step_ms": round(1e3 * float(np.median([report.seconds for report in reports])), 2),
        "converged": all(report.converged for report in reports),
    }
    return np.stack(path), cost


def distance(path, reference) -> dict:
    """RMS distance [m] at the last step and at the worst one, and as a share of the length."""
    rms = np.sqrt(((path - reference) ** 2).sum(2).mean(1))
    return {
        "rms": round(float(rms[-1]), 7),
        "rms_max": round(float(rms.max()), 7),
        "percent": round(100 * float(rms[-1]), 3),
        "tip_corner_y": round(float(path[-1, 0, 1] - LOW[1]), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handles", type=int, nargs="+", default=[32])
    parser.add_argument("--cubature", nargs="+", default=["all", "optimized"])
    parser.add_argument("--pin", default="hard", help="'hard' or a stiffness of the clamp [N/m]")
    parser.add_argument("--quick", action="store_true", help="leave the finest FEM mesh out")
    options = parser.parse_args()
    pin = options.pin if options.pin == "hard" else float(options.pin)
    single_thread()
    points, samples = grid((21, 7, 7), ends=True), grid((50, 12, 12), ends=False)
    meshes = FEM_MESHES[:-1] if options.quick else FEM_MESHES
    paths = {n: fem_path(n, points) for n in meshes}
    reference = paths[meshes[-1]][0]
    runs = []
    for handles in options.handles:
        for cubature in options.cubature:
            choice = int(cubature) if cubature.isdigit() else cubature
            path, cost = reduced_path(handles, choice, pin, samples, points)
            runs.append({"handles": handles, "cubature": cubature, **distance(path, reference), **cost})
    refinement = [
        {"bricks": n, "seconds": round(seconds, 1), **distance(path, reference)}
        for n, (path, seconds) in paths.items()
    ]
    emit("fem_agreement", reduced=runs, pin=pin, fem_refinement=refinement)


if __name__ == "__main__":
    main()
