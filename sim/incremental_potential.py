"""What one implicit Euler step of a body minimises (Kane et al. 2000; Martin et al. 2011).

    E(z) = |z - z~|_M^2 / 2h^2 + elastic(z) - f . z + pins + hands + floor + damping

with the inertial target `z~ = z_n + h v_n`. All in the reduced coordinates of sim/reduction.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.elasticity import Elasticity
from sim.forces import FloorForce, GrabForce, PinForce


@dataclass(frozen=True)
class Damping:
    """Rayleigh damping beside the numerical damping that implicit Euler always has.

    Attributes:
        mass: damps all motion, falling too, like thick air [1/s].
        stiffness: damps changes of shape, like honey inside [s]; rigid motion is free of it. The stiffness is
            the elastic Hessian at the start of the step.
    """

    mass: float = 0.0
    stiffness: float = 0.0

    @staticmethod
    def numerical() -> Damping:
        """Only what implicit Euler brings by itself."""
        return Damping()


class IncrementalPotential:
    """Energy, gradient and Hessian of one step.

    Args:
        elasticity: the elastic energy.
        mass: generalized mass over the coordinates of one axis, shape (r, r), or a number times the identity.
        load: constant generalized force (gravity) [N kg^-1/2], shape (3, r).
        state, velocity: `z_n` and `v_n`, each (3, r).
        timestep: h [s].
    """

    def __init__(
        self,
        elasticity: Elasticity,
        mass: np.ndarray | float,
        load: np.ndarray,
        state: np.ndarray,
        velocity: np.ndarray,
        timestep: float,
        *,
        pins: tuple[PinForce, ...] = (),
        grabs: tuple[GrabForce, ...] = (),
        floor: FloorForce | None = None,
        damping: Damping | None = None,
    ) -> None:
        self.elasticity = elasticity
        self.pins, self.grabs, self.floor = pins, grabs, floor
        self._mass = mass
        self._load = load
        self._start = state
        self._target = state + timestep * velocity
        self._h = timestep
        self._damping = damping or Damping()
        self._viscous = None
        if self._damping.stiffness > 0:
            self._viscous = elasticity.hessian(state, filtered=True)
            self._viscous *= self._damping.stiffness / timestep
        if floor is not None:
            floor.begin_step(state, timestep)

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and gradient, shape (3, r)."""
        energy, gradient = self.elasticity.energy_gradient(z)
        away = z - self._target
        momentum = self._weigh(away) / self._h**2
        gradient = gradient + momentum - self._load
        energy += float((away * momentum).sum()) / 2 - float((self._load * z).sum())
        for force in (*self.pins, *self.grabs, *((self.floor,) if self.floor else ())):
            e, g = force.energy_gradient(z)
            energy += e
            gradient += g
        if self._damping.mass > 0:
            drag = self._damping.mass / self._h * self._weigh(z - self._start)
            gradient += drag
            energy += float((drag * (z - self._start)).sum()) / 2
        if self._viscous is not None:
            drag = (self._viscous @ (z - self._start).ravel().astype(self._viscous.dtype)).reshape(z.shape)
            gradient += drag
            energy += float((drag * (z - self._start)).sum()) / 2
        return energy, gradient

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        """Hessian, axis by axis, shape (3r, 3r); with `filtered` the elastic part is made positive."""
        H = self.elasticity.hessian(z, filtered)
        if self._viscous is not None:
            H += self._viscous
        r = z.shape[1]
        inertia = 1 / self._h**2 + self._damping.mass / self._h
        same = inertia * self._mass if isinstance(self._mass, np.ndarray) else None
        blocks = [pin.hessian for pin in self.pins] + [grab.hessian(z) for grab in self.grabs]
        for block in blocks:
            same = block if same is None else same + block
        by_axes = H.reshape(3, r, 3, r)
        for (a, b), block in (self.floor.hessian_blocks(z) if self.floor else {}).items():
            by_axes[a, :, b] += block
        if same is not None:
            for axis in range(3):
                by_axes[axis, :, axis] += same
        if not isinstance(self._mass, np.ndarray):
            H.reshape(-1)[:: 3 * r + 1] += inertia * self._mass
        return H

    def largest_change(self, dz: np.ndarray) -> float:
        """Largest Frobenius norm of the change of F that a step `dz` makes."""
        return self.elasticity.largest_change(dz)

    def _weigh(self, z: np.ndarray) -> np.ndarray:
        return z @ self._mass if isinstance(self._mass, np.ndarray) else self._mass * z
