"""World: bodies under gravity, on a floor, pinned and grabbed, stepped by implicit Euler.

world = World(gravity=(0, -9.81, 0), timestep=1/60)
world.add(body)
report = world.step()
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from sim.basis import HandleBasis
from sim.body import Body, PreparedBasis
from sim.device import resolve_device
from sim.errors import WorldError
from sim.hands import Grab, Pin
from sim.integrator import Integrator
from sim.material import Material
from sim.reduced_model import CubatureChoice
from sim.state import BodyState, StepReport, WorldState
from sim.stepper import BodyStepper, Hands
from sim.threads import single_blas_thread

Vector = Sequence[float] | np.ndarray | torch.Tensor


class World:
    """Everything that moves together.

    Args:
        gravity: acceleration [m/s2], y up. timestep: h of `step` [s].
        device: where bodies compute and hand out results: `"auto"`, `"cpu"`, `"cuda"`...
        tolerance: a step is done when its RMS displacement error is under this share of the body's size.
        friction: Coulomb's coefficient between bodies.

    Raises:
        WorldError: a time step that is not positive, or gravity that is not three finite numbers.
        DeviceError: a device this machine does not have.
    """

    def __init__(
        self,
        gravity: Vector = (0.0, -9.81, 0.0),
        timestep: float = 1 / 60,
        device: str | torch.device = "auto",
        *,
        tolerance: float = 1e-4,
        friction: float = 0.5,
    ) -> None:
        self.device = resolve_device(device)
        self.gravity = gravity
        self.timestep = timestep
        self._integrator = Integrator(tolerance, friction)
        self.time = 0.0
        self._steppers: dict[Body, BodyStepper] = {}
        self._floor: tuple[float, float] | None = None
        self._pins: list[Pin] = []
        self._grabs: list[Grab] = []

    # -- settings -------------------------------------------------------------------------------------------

    @property
    def gravity(self) -> np.ndarray:
        """Acceleration [m/s2], shape (3,)."""
        return self._gravity.copy()

    @gravity.setter
    def gravity(self, value: Vector) -> None:
        self._gravity = _vector(value, "gravity")

    @property
    def timestep(self) -> float:
        """h [s]."""
        return self._timestep

    @timestep.setter
    def timestep(self, value: float) -> None:
        if not (np.isfinite(value) and value > 0):
            raise WorldError(f"The time step must be a positive number of seconds, got {value!r}.")
        self._timestep = float(value)

    def floor(self, height: float | None = 0.0, friction: float = 0.5) -> None:
        """Put a horizontal floor at `height` [m] with Coulomb friction, or take it away with `None`.

        Raises:
            WorldError: a height that is not finite, or negative friction.
        """
        if height is None:
            self._floor = None
        elif not np.isfinite(height) or not (np.isfinite(friction) and friction >= 0):
            raise WorldError(
                f"A floor needs a finite height and friction of 0 or more, got {height}, {friction}."
            )
        else:
            self._floor = (float(height), float(friction))
        for stepper in self._steppers.values():
            stepper.set_floor(self._floor)

    # -- bodies ---------------------------------------------------------------------------------------------

    @property
    def bodies(self) -> tuple[Body, ...]:
        """In the order they were added."""
        return tuple(self._steppers)

    def add(
        self,
        body: Body,
        transform: Vector | None = None,
        velocity: Vector | None = None,
        kinematic: bool = False,
        *,
        angular_velocity: Vector | None = None,
    ) -> Body:
        """Put a body into the world.

        Args:
            transform: where it starts, shape (3, 4) or (4, 4) [m]; affine, usually a rotation and a shift.
            velocity: of its centre of mass [m/s]. angular_velocity: about it [rad/s].
            kinematic: it moves rigidly with these velocities whatever touches it, and does not deform.

        Raises:
            WorldError: the body is in this world already, or the numbers have the wrong shape.
        """
        if body in self._steppers:
            raise WorldError(f"The body {body.name!r} is in this world already.")
        matrix = _transform(transform)
        linear = _vector(velocity, "velocity") if velocity is not None else np.zeros(3)
        spin = _vector(angular_velocity, "angular_velocity") if angular_velocity is not None else np.zeros(3)
        body.to(self.device)
        stepper = BodyStepper(body, kinematic=kinematic)
        stepper.place(matrix, linear, spin)
        stepper.set_floor(self._floor)
        self._steppers[body] = stepper
        return body

    def remove(self, body: Body) -> None:
        """Take a body out, with its pins and grabs."""
        self._stepper(body)
        self._pins = [pin for pin in self._pins if pin.body is not body]
        self._grabs = [grab for grab in self._grabs if grab.body is not body]
        del self._steppers[body]

    # -- hands ----------------------------------------------------------------------------------------------

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Every pin, in the order they were made."""
        return tuple(self._pins)

    @property
    def grabs(self) -> tuple[Grab, ...]:
        """Every hand that holds something, in the order they took hold."""
        return tuple(self._grabs)

    def pin(
        self,
        body: Body,
        where: Callable[[torch.Tensor], torch.Tensor],
        *,
        stiffness: float | str = "hard",
    ) -> Pin:
        """Hold a region of a body where it is now.

        Args:
            where: rest positions [m], float64 (n, 3), to a mask (n,): which points to hold.
            stiffness: of the whole region [N/m], or `"hard"`: 10,000 times the body's own.

        Raises:
            WorldError: nothing lies in the region, or the stiffness is not positive.
        """
        pin = Pin(body, where, stiffness, release=self._pins.remove)
        self._stepper(body)
        self._integrator.forget()
        self._pins.append(pin)
        return pin

    def grab(self, body: Body, point: Vector, radius: float = 0.05, *, strength: float = 1.0) -> Grab:
        """Take hold of a body near a point of its surface, as it is now.

        Args:
            point: where the hand is [m], in the world. radius: of the ball of points it holds [m]; when none
                lies inside, it holds the nearest one. strength: 1 lifts the body well; the force is capped.

        Raises:
            WorldError: a point that is not three finite numbers; a radius or strength not positive.
        """
        grab = Grab(body, _vector(point, "point"), radius, strength, release=self._grabs.remove)
        self._stepper(body)
        self._grabs.append(grab)
        return grab

    # -- motion ---------------------------------------------------------------------------------------------

    def step(self, *, at_most: float = math.inf) -> StepReport:
        """Advance by one time step. Never raises for what bodies do, and never leaves a NaN behind.

        Args:
            at_most: seconds after which the solver begins no further iteration: for who must draw a picture in
                time. The step then ends where it is, not converged, and depends on the machine.

        A body whose step fails is stepped in halves, then in quarters...; if that fails too it keeps its last
        good state, and the report says so.
        """
        began = time.perf_counter()
        with single_blas_thread():
            hands = {
                stepper: Hands(
                    tuple(pin.force for pin in self._pins if pin.body is body),
                    tuple(grab.force for grab in self._grabs if grab.body is body),
                )
                for body, stepper in self._steppers.items()
            }
            results = self._integrator.step(
                list(self._steppers.values()), hands, self._timestep, self._gravity, began + at_most
            )
            kinetic = sum(body.kinetic_energy() for body in self._steppers)
            elastic = sum(body.elastic_energy() for body in self._steppers)
        self.time += self._timestep
        potential = -sum(body.mass * float(self._gravity @ body.centre_of_mass()) for body in self._steppers)
        return StepReport(
            iterations=sum(r.iterations for r in results),
            residual=float(max((r.residual for r in results), default=0.0)),
            energy=kinetic + elastic + potential,
            converged=all(r.converged for r in results),
            seconds=time.perf_counter() - began,
            kinetic=kinetic,
            elastic=elastic,
            potential=potential,
            message=" ".join(r.message for r in results if r.message),
        )

    def reset(self) -> None:
        """Time zero: bodies where they were placed, hands open, pins holding their points there."""
        self.time = 0.0
        for grab in tuple(self._grabs):
            grab.release()
        self._integrator.forget()
        for body in self._steppers:
            body.reset()
        for pin in self._pins:
            pin.hold_here()

    def state(self) -> WorldState:
        """A copy of time and motion, to come back to with `set_state`."""
        bodies = (
            BodyState(torch.from_numpy(b.position.copy()), torch.from_numpy(b.velocity.copy()))
            for b in self._steppers
        )
        return WorldState(self.time, tuple(bodies))

    def set_state(self, state: WorldState) -> None:
        """Go to a state of this world.

        Raises:
            WorldError: it belongs to other bodies, or is not finite.
        """
        if len(state.bodies) != len(self._steppers):
            raise WorldError(
                f"That state has {len(state.bodies)} bodies, this world has {len(self._steppers)}."
            )
        for body, part in zip(self._steppers, state.bodies, strict=True):
            for tensor in (part.position, part.velocity):
                if tuple(tensor.shape) != body.position.shape or not torch.isfinite(tensor).all():
                    raise WorldError(f"That state does not fit the body {body.name!r}.")
        self.time = state.time
        self._integrator.forget()
        for body, part in zip(self._steppers, state.bodies, strict=True):
            body.position = part.position.double().cpu().numpy().copy()
            body.velocity = part.velocity.double().cpu().numpy().copy()

    def set_material(self, body: Body, material: Material) -> None:
        """Other stuff for a body in the world, at once; what holds it is as hard to it as before.

        Raises:
            MaterialError: per-sample values that do not match the body's samples.
        """
        self._stepper(body)
        body.set_material(material)
        self._renew_hands(body)

    def set_basis(
        self,
        body: Body,
        basis: HandleBasis | PreparedBasis,
        *,
        cubature: CubatureChoice | None = None,
    ) -> np.ndarray:
        """Other handles for a body in the world: its motion, pins and grabs go on (`Body.set_basis`).

        Returns:
            What its coordinates were multiplied by, shape (r, r').
        """
        stepper = self._stepper(body)
        carry = body.set_basis(basis, cubature=cubature)
        stepper.rebuild()
        self._renew_hands(body)
        return carry

    def _renew_hands(self, body: Body) -> None:
        self._integrator.forget()
        for hand in (*self._pins, *self._grabs):
            if hand.body is body:
                hand.rebuild()

    def _stepper(self, body: Body) -> BodyStepper:
        if body not in self._steppers:
            raise WorldError(f"The body {body.name!r} is not in this world: add it first.")
        return self._steppers[body]


def _vector(value: Vector, name: str) -> np.ndarray:
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WorldError(f"{name} must be three numbers, got {value!r}.") from error
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise WorldError(f"{name} must be three finite numbers, got {value!r}.")
    return vector


def _transform(value: Vector | None) -> np.ndarray:
    if value is None:
        return np.eye(4)[:3]
    matrix = np.asarray(value, dtype=np.float64)
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all():
        raise WorldError(f"A transform must be a finite (3, 4) or (4, 4) matrix, got shape {matrix.shape}.")
    return matrix[:3]
