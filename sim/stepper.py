"""One body's part in a step: what it minimises, what it shows to others, and how it takes the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sim.body import Body
from sim.contact import ContactSurface
from sim.forces import FloorForce, GrabForce, PinForce
from sim.incremental_potential import IncrementalPotential

_TORN = 20.0  # |F| beyond which a body is snapped back to a rigid shape
_INSIDE_OUT = 0.02  # share of the volume with det F < 0 that counts as inverted
_STUCK = 30  # steps a body may stay inverted before it is snapped
_SURFACE_STIFFNESS = 20.0  # in units of E / L: a touched surface gives a twentieth of what the body does
_CREEP = 5e-3  # sliding speed that counts as sticking, in body sizes a second


@dataclass(frozen=True)
class Hands:
    """What holds a body during a step."""

    pins: tuple[PinForce, ...] = ()
    grabs: tuple[GrabForce, ...] = ()


class BodyStepper:
    """Advances one body in a world."""

    def __init__(self, body: Body, *, kinematic: bool) -> None:
        self.body = body
        self.kinematic = kinematic
        self._floor_setting: tuple[float, float] | None = None
        self._inverted_steps = 0
        self._touch = body.contact
        self.rebuild()

    def rebuild(self) -> None:
        """Take in the body's handles after they were exchanged."""
        self._phi = self.body.space.phi_at(self._touch.rest)
        self._gradient = self.body.space.gradient_at(self._touch.rest)
        self._follow_material()

    def _follow_material(self) -> None:
        body = self.body
        self._material = body.material
        young = body.material.per_sample("young", len(body.space.samples)).max().item()
        self._stiffness = _SURFACE_STIFFNESS * young / body.size * self._touch.area
        self.set_floor(self._floor_setting)

    def place(self, transform: np.ndarray, velocity: np.ndarray, spin: np.ndarray) -> None:
        """Start the body at an affine transform (3, 4), moving with `velocity` and turning with `spin`."""
        linear, shift = transform[:, :3], transform[:, 3]
        space = self.body.space
        turning = _cross(spin) @ linear
        # The velocity field `v + spin x (linear (X - centre))` is affine in X, so it lies in the space.
        rate = space.affine_state(turning + np.eye(3), velocity - turning @ self.body.rest_centre)
        self.body.place(linear, shift, rate)
        self._velocity, self._spin = velocity, spin

    def set_floor(self, floor: tuple[float, float] | None) -> None:
        """The floor's height [m] and friction, or None."""
        self._floor_setting = floor
        self._floor = None
        if floor is not None:
            self._floor = FloorForce(self._touch.rest, self._phi, self._stiffness, *floor, creep=self.creep)

    @property
    def creep(self) -> float:
        """Sliding speed under which a contact sticks [m/s]."""
        return _CREEP * self.body.size

    @property
    def spacing(self) -> float:
        """Typical distance between the points that touch things [m]."""
        return self._touch.spacing

    def potential(self, timestep: float, gravity: np.ndarray, hands: Hands) -> IncrementalPotential:
        """What this body minimises in a step of `timestep` [s] from where it is."""
        body = self.body
        if body.material is not self._material:
            self._follow_material()
        load = np.outer(gravity, body.first_moment)
        z, velocity = body.position, body.velocity
        speed = float(np.abs(self._phi @ velocity.T).max())
        reach = 2 * timestep * (speed + timestep * float(np.abs(gravity).max())) + 0.5 * body.size
        near = self._floor is not None and self._floor.touches(z, reach)
        return IncrementalPotential(
            body.elasticity,
            body.generalized_mass,
            load,
            z,
            velocity,
            timestep,
            pins=hands.pins,
            grabs=hands.grabs,
            floor=self._floor if near else None,
            damping=body.damping,
        )

    def box(self, timestep: float) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the box that holds the surface now and after a free step [m], each (3,)."""
        now = self._touch.rest + self._phi @ self.body.position.T
        ahead = now + timestep * (self._phi @ self.body.velocity.T)
        return np.minimum(now, ahead).min(0), np.maximum(now, ahead).max(0)

    def surface(self, timestep: float) -> ContactSurface:
        """What others can touch of this body in a step of `timestep` [s]."""
        z = self.body.position
        F = np.eye(3) + (self._gradient @ z.T).transpose(0, 2, 1)
        # Normals follow the cofactor of F, which needs no inverse and is right for any F.
        a, b, c = F[:, 0], F[:, 1], F[:, 2]
        cofactor = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        normals = np.einsum("iab,ib->ia", cofactor, self._touch.normals)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(np.finfo(float).tiny)
        start = self._touch.rest + self._phi @ z.T
        return ContactSurface(
            points=start + timestep * (self._phi @ self.body.velocity.T),
            normals=normals,
            start=start,
            phi=self._phi,
            rest=self._touch.rest,
            stiffness=self._stiffness,
            spacing=self._touch.spacing,
        )

    def accept(self, z: np.ndarray, timestep: float) -> None:
        """Take the step's result: a new state, and the velocity that led there."""
        self.body.velocity = (z - self.body.position) / timestep
        self.body.position = z

    def move_rigidly(self, timestep: float) -> None:
        """The step of a kinematic body: along its velocity and spin, whatever is in the way."""
        body = self.body
        turn = Rotation.from_rotvec(timestep * self._spin).as_matrix()
        linear = turn @ (np.eye(3) + body.space.gradient[0] @ body.position.T).T
        centre = body.centre_of_mass() + timestep * self._velocity
        self.accept(body.space.affine_state(linear, centre - linear @ body.rest_centre), timestep)

    def aim(self, timestep: float) -> None:
        """Give a kinematic body the velocity of its coming step, so that contacts know where it goes."""
        body = self.body
        before = body.position
        self.move_rigidly(timestep)
        body.position = before

    def mend(self) -> str:
        """Snap a torn or lastingly inverted body to its best-fit rigid motion; says so, or says nothing."""
        body = self.body
        F = body.elasticity.deformation_gradients(body.position)
        torn = np.abs(F).max() > _TORN
        volumes = body.elasticity.weights
        share = volumes[np.linalg.det(F) < 0].sum() / volumes.sum()
        self._inverted_steps = self._inverted_steps + 1 if share > _INSIDE_OUT else 0
        if not torn and self._inverted_steps < _STUCK:
            return ""
        self._inverted_steps = 0
        centre = body.centre_of_mass()
        rotation = _polar_rotation(np.average(F, axis=0, weights=volumes))
        mean = body.velocity @ body.first_moment / body.mass
        body.position = body.space.affine_state(rotation, centre - rotation @ body.rest_centre)
        body.velocity = body.space.affine_state(np.eye(3), mean)
        return f"{body.name} was torn too far and sprang back to its rest shape."


def _cross(spin: np.ndarray) -> np.ndarray:
    x, y, z = spin
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _polar_rotation(F: np.ndarray) -> np.ndarray:
    U, _, Vt = np.linalg.svd(F)
    U[:, 2] *= np.linalg.det(U @ Vt)
    return U @ Vt
