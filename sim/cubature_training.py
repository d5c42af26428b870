"""Training poses for the optimised cubature: the body under random pins, pulls and loads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
from scipy.spatial import cKDTree

from sim.cubature import (
    Cubature,
    cluster_cubature,
    displacement_features,
    point_count,
    select_points,
)
from sim.elasticity import FastNeoHookean
from sim.forces import GrabForce, PinForce
from sim.incremental_potential import IncrementalPotential
from sim.kernels import NeoHookeanPoints
from sim.material import Material
from sim.reduction import ReducedSpace
from sim.solver import factorize, minimize

_EPISODES = 30
_STEPS = 5
_DIRECTIONS = 10  # random displacement directions a pose
_ENDS = 0.6  # share of pins that hold an end of the body; the rest hold a ball somewhere


def optimize_cubature(
    space: ReducedSpace,
    material: Material,
    *,
    count: int | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> Cubature:
    """Points and weights that move the body as all its samples would.

    An, Kim, James 2008, "Optimizing cubature for efficient integration of subspace deformations", with each
    force measured by the displacement it causes.

    Args:
        count: points to try at the most, of which about half are kept; 20 a handle when None.
        seed: of the random poses; the same seed gives the same points.
        on_progress: told the share done, 0 to 1. cancel: when set, the work stops.

    Raises:
        Cancelled: `cancel` was set.
    """
    count = point_count(space.basis.handles) if count is None else count
    rng = np.random.default_rng(seed)
    total = len(space.samples)
    mu, lam = (value.numpy() for value in material.lame(total))
    everywhere = NeoHookeanPoints(total)
    everywhere.mu[:] = space.volumes * mu
    everywhere.stiff[:] = space.volumes * (mu + lam)
    flat = space.gradient.reshape(-1, space.rank)

    def stress_at(z: np.ndarray) -> np.ndarray:
        np.matmul(flat, z.T, out=everywhere.displacement.reshape(-1, 3))
        everywhere.evaluate_stress()
        return everywhere.stress.transpose(0, 2, 1)

    def report(done: float) -> None:
        if on_progress is not None:
            on_progress(done)

    sketches = []
    for sketch in _poses(space, material, rng):
        if cancel is not None and cancel.is_set():
            break  # select_points says so
        sketches.append(sketch)
        report(0.4 * len(sketches) / (_EPISODES * _STEPS))
    features = displacement_features(space, stress_at, sketches)
    index, multiplier = select_points(
        features, min(count, total), on_progress=lambda done: report(0.4 + 0.6 * done), cancel=cancel
    )
    return Cubature(space.samples[index], space.volumes[index] * multiplier, index)


def _poses(
    space: ReducedSpace, material: Material, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """States, and random displacement directions seen through the inverse Hessian there."""
    total = len(space.samples)
    rough = cluster_cubature(space.samples, space.volumes, 16 * space.basis.handles)
    mu, lam = rough.lame(material, total, space.volumes)
    A = space.gradient[rough.samples]
    elasticity = FastNeoHookean(A, rough.weights, mu, lam)
    density = material.per_sample("density", total).numpy()
    mass = space.volumes * density
    young = material.per_sample("young", total).numpy()
    # The body's own scales: the time a wave needs to cross it, and the acceleration that crushes it.
    crossing = space.scale * float(np.sqrt(np.average(density, weights=space.volumes) / young.mean()))
    crushing = space.scale / crossing**2
    tree = cKDTree(space.samples)
    scale = crossing**2 / np.sqrt(mass.sum())
    for _ in range(_EPISODES):
        z = np.zeros((3, space.rank))
        velocity = np.zeros_like(z)
        direction = rng.normal(size=3)
        direction *= crushing * 10 ** rng.uniform(-2, -0.5) / np.linalg.norm(direction)
        load = np.outer(direction, mass @ space.phi)
        pins, grabs = _random_hands(space, tree, mass, crushing, rng)
        factor = None
        for _ in range(_STEPS):
            potential = IncrementalPotential(
                elasticity, 1.0, load, z, velocity, 0.5 * crossing, pins=pins, grabs=grabs
            )
            solution = minimize(
                potential,
                z,
                residual_scale=scale,
                tolerance=1e-3 * space.scale,
                factor=factor,
                max_iterations=40,
            )
            velocity = (solution.z - z) / (0.5 * crossing)
            z, factor = solution.z, solution.factor
            here, _ = factorize(potential, z, True)
            random = rng.normal(size=(_DIRECTIONS, 3, space.rank))
            yield z, np.stack([here.solve(direction) for direction in random])


def _random_hands(
    space: ReducedSpace, tree: cKDTree, mass: np.ndarray, crushing: float, rng: np.random.Generator
) -> tuple[tuple[PinForce, ...], tuple[GrabForce, ...]]:
    total = len(space.samples)
    pins = []
    for _ in range(rng.integers(0, 3)):
        held = _held_end(space, rng) if rng.random() < _ENDS else _held_ball(space, tree, rng)
        rest = space.samples[held]
        stiffness = np.full(len(held), 100 * mass.sum() * crushing / space.scale / len(held))
        pins.append(PinForce(rest, space.phi[held], rest, stiffness))
    grabs = []
    for _ in range(rng.integers(0 if pins else 1, 3)):
        index = rng.integers(total)
        rest = space.samples[index]
        offset = rng.normal(size=3)
        target = rest + offset * space.scale * rng.uniform(0.1, 0.6) / np.linalg.norm(offset)
        force = mass.sum() * crushing * 10 ** rng.uniform(-1.5, -0.3)
        grabs.append(
            GrabForce(rest, space.phi[index], target, force / (0.2 * space.scale), 0.2 * space.scale)
        )
    return tuple(pins), tuple(grabs)


def _held_ball(space: ReducedSpace, tree: cKDTree, rng: np.random.Generator) -> np.ndarray:
    centre = space.samples[rng.integers(len(space.samples))]
    return np.array(tree.query_ball_point(centre, rng.uniform(0.05, 0.2) * space.scale))


def _held_end(space: ReducedSpace, rng: np.random.Generator) -> np.ndarray:
    """What lies outermost along an axis, as people hold things: thin clamps strain what is next to them."""
    direction = np.eye(3)[rng.integers(3)] if rng.random() < 0.5 else rng.normal(size=3)
    height = space.samples @ direction * rng.choice([-1.0, 1.0])
    return np.flatnonzero(height >= np.quantile(height, 1 - rng.uniform(0.01, 0.15)))
