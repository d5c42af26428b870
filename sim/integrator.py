"""Implicit Euler for bodies that may touch, and what happens when a step goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sim.contact import CoupledPotential, PlaneContacts, find_contacts
from sim.solver import Factor, minimize
from sim.stepper import BodyStepper, Hands

_WEIGHT_ERROR = 0.03  # share of its weight by which forces on a body may be out of balance
_HALVINGS = 4  # a failing step is tried in up to 2^4 parts


@dataclass(frozen=True)
class GroupReport:
    """How the solve of a group of touching bodies went; `residual` is an RMS displacement error [m]."""

    iterations: int = 0
    residual: float = 0.0
    converged: bool = True
    message: str = ""


class Integrator:
    """Steps bodies one by one where they are alone, and together where they touch.

    Args:
        tolerance: RMS displacement error at which a step is done, as a share of the body's size.
        friction: Coulomb's coefficient between bodies.
    """

    def __init__(self, tolerance: float, friction: float) -> None:
        self.tolerance = tolerance
        self.friction = friction
        self._factors: dict[tuple[BodyStepper, ...], Factor] = {}

    def forget(self) -> None:
        """Something outside the motion has changed: old Hessians say nothing about the next step."""
        self._factors.clear()

    def step(
        self,
        steppers: list[BodyStepper],
        hands: dict[BodyStepper, Hands],
        timestep: float,
        gravity: np.ndarray,
        deadline: float = math.inf,
    ) -> list[GroupReport]:
        """Advance all bodies by `timestep` [s]; after the deadline as `minimize` says."""
        for stepper in steppers:
            if stepper.kinematic:
                stepper.aim(timestep)
        reports = []
        for group in _touching(steppers, timestep):
            reports.append(self._step_group(group, steppers, hands, timestep, gravity, deadline))
        for stepper in steppers:
            if stepper.kinematic:
                stepper.move_rigidly(timestep)
        return reports

    def _step_group(
        self,
        group: list[BodyStepper],
        everyone: list[BodyStepper],
        hands: dict[BodyStepper, Hands],
        timestep: float,
        gravity: np.ndarray,
        deadline: float,
    ) -> GroupReport:
        before = [(s.body.position, s.body.velocity) for s in group]
        obstacles = [s for s in everyone if s.kinematic]
        for halving in range(_HALVINGS + 1):
            parts = 2**halving
            for _ in range(parts):
                report = self._advance(group, obstacles, hands, timestep / parts, gravity, deadline)
                if report is None:
                    break
            if report is not None:
                said = " ".join(filter(None, (s.mend() for s in group)))
                if said:
                    self.forget()
                return GroupReport(report.iterations, report.residual, report.converged, said)
            self.forget()
            for stepper, (position, velocity) in zip(group, before, strict=True):
                stepper.body.position, stepper.body.velocity = position, velocity
        for stepper in group:
            stepper.body.velocity = np.zeros_like(stepper.body.velocity)
        names = ", ".join(s.body.name for s in group)
        return GroupReport(0, float("inf"), False, f"{names} kept the last good state: no step was possible.")

    def _advance(
        self,
        group: list[BodyStepper],
        obstacles: list[BodyStepper],
        hands: dict[BodyStepper, Hands],
        timestep: float,
        gravity: np.ndarray,
        deadline: float,
    ) -> GroupReport | None:
        """One implicit Euler step of a group; None when it did not end in finite numbers."""
        parts = [s.potential(timestep, gravity, hands.get(s, Hands())) for s in group]
        contacts = self._contacts(group, obstacles, timestep) if len(group) + len(obstacles) > 1 else []
        if len(group) == 1 and not contacts:
            potential, z = parts[0], group[0].body.position
        else:
            potential = CoupledPotential(parts, [s.body.space.rank for s in group], contacts)
            z = np.concatenate([s.body.position for s in group], axis=1)
        # Each body's residual counts in units of its own tolerance, so that small and light ones are not lost.
        unit, allowed = max(
            (timestep**2 / np.sqrt(s.body.mass * s.body.mass_scale) / allowed, allowed)
            for s in group
            for allowed in [self._allowed_error(s, timestep, gravity)]
        )
        key = tuple(group)
        solution = minimize(
            potential,
            z,
            residual_scale=unit,
            tolerance=1.0,
            factor=self._factors.pop(key, None),
            deadline=deadline,
        )
        if not (np.isfinite(solution.z).all() and np.isfinite(solution.energy)):
            return None
        if solution.factor is not None:
            self._factors[key] = solution.factor
        states = [solution.z] if potential is parts[0] else potential.split(solution.z)
        for stepper, state in zip(group, states, strict=True):
            stepper.accept(state, timestep)
        return GroupReport(solution.iterations, solution.residual * allowed, solution.converged)

    def _allowed_error(self, stepper: BodyStepper, timestep: float, gravity: np.ndarray) -> float:
        """RMS displacement error [m] at which a body's step is done."""
        weight = float(np.linalg.norm(gravity))
        by_size = self.tolerance * stepper.body.size
        # In a short step even a wrong force moves little, but it does so again in the next: what is left over must
        # also be small beside the body's weight.
        return min(by_size, _WEIGHT_ERROR * weight * timestep**2) if weight > 0 else by_size

    def _contacts(
        self, group: list[BodyStepper], obstacles: list[BodyStepper], timestep: float
    ) -> list[PlaneContacts]:
        members = [*enumerate(group), *((None, s) for s in obstacles)]
        surfaces = {s: s.surface(timestep) for _, s in members}
        contacts = []
        for (i, one), (j, two) in combinations(members, 2):
            if (i is None and j is None) or not _boxes_meet(one, two, timestep):
                continue
            slip = max(one.creep, two.creep) * timestep
            for a, b, first, second in ((one, two, i, j), (two, one, j, i)):
                mine, other = surfaces[a], surfaces[b]
                found = find_contacts(mine, other, first, second, friction=self.friction, slip=slip)
                if found is not None:
                    contacts.append(found)
        return contacts


def _touching(steppers: list[BodyStepper], timestep: float) -> list[list[BodyStepper]]:
    """Groups of free bodies whose boxes meet in this step."""
    free = [s for s in steppers if not s.kinematic]
    if len(free) < 2:
        return [[s] for s in free]
    pairs = [(i, j) for (i, a), (j, b) in combinations(enumerate(free), 2) if _boxes_meet(a, b, timestep)]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(free), len(free)))
    count, label = connected_components(graph, directed=False)
    return [[s for s, g in zip(free, label, strict=True) if g == group] for group in range(count)]


def _boxes_meet(one: BodyStepper, two: BodyStepper, timestep: float) -> bool:
    (low, high), (other_low, other_high) = one.box(timestep), two.box(timestep)
    margin = max(one.spacing, two.spacing)
    return bool((low < other_high + margin).all() and (other_low < high + margin).all())
