"""Implicit Euler for one body, and what happens when a step goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sim.body import Body
from sim.contact_points import contact_points
from sim.forces import FloorForce, GrabForce, PinForce
from sim.incremental_potential import IncrementalPotential
from sim.solver import Factor, Solution, minimize

_HALVINGS = 4  # a failing step is tried in up to 2^4 parts
_TORN = 20.0  # |F| beyond which a body is snapped back to a rigid shape
_INSIDE_OUT = 0.02  # share of the volume with det F < 0 that counts as inverted
_STUCK = 30  # steps a body may stay inverted before it is snapped
_FLOOR_STIFFNESS = 20.0  # in units of E / L: the floor gives a twentieth of what the body itself does
_CREEP = 1e-3  # sliding speed that counts as sticking, in body sizes a second


@dataclass(frozen=True)
class BodyReport:
    """One body's share of a StepReport."""

    iterations: int
    residual: float
    kinetic: float
    elastic: float
    potential: float
    converged: bool
    message: str = ""


class BodyStepper:
    """Advances one body in a world."""

    def __init__(self, body: Body, *, kinematic: bool) -> None:
        self.body = body
        self.kinematic = kinematic
        self._floor_setting: tuple[float, float] | None = None
        self._inverted_steps = 0
        self.rebuild()

    def rebuild(self) -> None:
        """Take in the body's handles after they were exchanged."""
        rest, area = contact_points(self.body.shape)
        self._contact_rest, self._contact_area = rest, area
        self._contact_phi = self.body.space.phi_at(rest)
        self.set_floor(self._floor_setting)
        self.forget_factor()

    def forget_factor(self) -> None:
        """The next step starts from something else: last step's Hessian says nothing about it."""
        self._factor: Factor | None = None

    def place(self, transform: np.ndarray, velocity: np.ndarray, spin: np.ndarray) -> None:
        """Start the body at an affine transform (3, 4), moving with `velocity` and turning with `spin`."""
        linear, shift = transform[:, :3], transform[:, 3]
        space = self.body.space
        turning = _cross(spin) @ linear
        centre = self.body.rest_centre
        # The velocity field `v + spin x (linear (X - centre))` is affine in X, so it lies in the space.
        rate = space.affine_state(turning + np.eye(3), velocity - turning @ centre)
        self.body.place(linear, shift, rate)
        self._linear_velocity, self._spin = velocity, spin

    def set_floor(self, floor: tuple[float, float] | None) -> None:
        """The floor's height [m] and friction, or None."""
        self._floor_setting = floor
        self._floor = None
        if floor is not None:
            young = self.body.material.per_sample("young", len(self.body.space.samples)).max().item()
            stiffness = _FLOOR_STIFFNESS * young / self.body.size * self._contact_area
            self._floor = FloorForce(
                self._contact_rest, self._contact_phi, stiffness, *floor, creep=_CREEP * self.body.size
            )

    def step(
        self,
        timestep: float,
        gravity: np.ndarray,
        pins: tuple[PinForce, ...],
        grabs: tuple[GrabForce, ...],
        tolerance: float,
    ) -> BodyReport:
        """Advance by `timestep` [s]; see `World.step`."""
        body = self.body
        if self.kinematic:
            self._move_rigidly(timestep)
            return self._report(gravity, iterations=0, residual=0.0, converged=True)
        before = (body.position, body.velocity)
        load = np.outer(gravity, body.first_moment)
        for halving in range(_HALVINGS + 1):
            parts = 2**halving
            solution = None
            for _ in range(parts):
                solution = self._advance(timestep / parts, load, pins, grabs, tolerance)
                if solution is None:
                    break
            if solution is not None:
                break
            body.position, body.velocity = before
            self.forget_factor()
        if solution is None:
            body.position, body.velocity = before[0], np.zeros_like(before[1])
            return self._report(
                gravity,
                0,
                float("inf"),
                False,
                f"{body.name} kept its last good state: no step was possible.",
            )
        message = self._mend()
        return self._report(gravity, solution.iterations, solution.residual, solution.converged, message)

    def _advance(
        self,
        timestep: float,
        load: np.ndarray,
        pins: tuple[PinForce, ...],
        grabs: tuple[GrabForce, ...],
        tolerance: float,
    ) -> Solution | None:
        """One implicit Euler step; None when it did not end in finite numbers."""
        body = self.body
        z, velocity = body.position, body.velocity
        fall = timestep * float(np.abs(self._speed()).max() + timestep * np.abs(load).max())
        near = self._floor is not None and self._floor.touches(z, 2 * fall + 0.5 * body.size)
        potential = IncrementalPotential(
            body.elasticity,
            body.generalized_mass,
            load,
            z,
            velocity,
            timestep,
            pins=pins,
            grabs=grabs,
            floor=self._floor if near else None,
            damping=body.damping,
        )
        solution = minimize(
            potential,
            z,
            residual_scale=timestep**2 / np.sqrt(body.mass * body.mass_scale),
            tolerance=tolerance * body.size,
            factor=self._factor,
        )
        if not (np.isfinite(solution.z).all() and np.isfinite(solution.energy)):
            return None
        self._factor = solution.factor
        body.velocity = (solution.z - z) / timestep
        body.position = solution.z
        return solution

    def _speed(self) -> np.ndarray:
        return self._contact_phi @ self.body.velocity.T

    def _mend(self) -> str:
        """Snap a torn or lastingly inverted body to its best-fit rigid motion; says so."""
        body = self.body
        F = body.elasticity.deformation_gradients(body.position)
        torn = np.abs(F).max() > _TORN
        inverted = np.linalg.det(F) < 0
        share = (
            body.cubature.weights[inverted].sum() / body.cubature.weights.sum() if _matches(F, body) else 0.0
        )
        self._inverted_steps = self._inverted_steps + 1 if share > _INSIDE_OUT else 0
        if not torn and self._inverted_steps < _STUCK:
            return ""
        self._inverted_steps = 0
        self.forget_factor()
        centre = body.centre_of_mass()
        rotation = _polar_rotation(np.average(F, axis=0))
        body.position = body.space.affine_state(rotation, centre - rotation @ body.rest_centre)
        mean = body.velocity @ body.first_moment / body.mass
        body.velocity = body.space.affine_state(np.eye(3), mean)
        return f"{body.name} was torn too far and sprang back to its rest shape."

    def _move_rigidly(self, timestep: float) -> None:
        body = self.body
        centre = body.centre_of_mass()
        F = body.deformation_gradients()[0].cpu().numpy()
        turn = Rotation.from_rotvec(timestep * self._spin).as_matrix()
        centre_next = centre + timestep * self._linear_velocity
        linear = turn @ F
        position = body.space.affine_state(linear, centre_next - linear @ body.rest_centre)
        body.velocity = (position - body.position) / timestep
        body.position = position

    def _report(
        self, gravity: np.ndarray, iterations: int, residual: float, converged: bool, message: str = ""
    ) -> BodyReport:
        body = self.body
        velocity = body.velocity
        mass = body.generalized_mass
        momentum = velocity @ mass if isinstance(mass, np.ndarray) else mass * velocity
        return BodyReport(
            iterations=iterations,
            residual=residual,
            kinetic=float((velocity * momentum).sum()) / 2,
            elastic=body.elasticity.energy_gradient(body.position)[0],
            potential=-body.mass * float(gravity @ body.centre_of_mass()),
            converged=converged,
            message=message,
        )


def _matches(F: np.ndarray, body: Body) -> bool:
    return len(F) == len(body.cubature.weights)


def _cross(spin: np.ndarray) -> np.ndarray:
    x, y, z = spin
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _polar_rotation(F: np.ndarray) -> np.ndarray:
    U, _, Vt = np.linalg.svd(F)
    U[:, 2] *= np.linalg.det(U @ Vt)
    return U @ Vt
