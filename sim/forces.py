"""External forces in reduced coordinates: pins, the hand that grabs, the floor.

Each holds rows of `phi` (sim/reduction.py): the world position of a held rest point X is `X + z phi(X)`.
Energies are in joule, states `z` have shape (3, r).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class PinForce:
    """Springs that hold rest points at places: `E = 1/2 sum_i k_i |X_i + z phi_i - target_i|^2`.

    Attributes:
        rest, targets: positions [m], shape (m, 3). phi: shape (m, r). stiffness: k [N/m], shape (m,).
    """

    rest: np.ndarray
    phi: np.ndarray
    targets: np.ndarray
    stiffness: np.ndarray
    hessian: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.hessian = self.phi.T @ (self.stiffness[:, None] * self.phi)
        self.retarget(self.targets)

    def retarget(self, targets: np.ndarray) -> None:
        """Hold the same points at other places [m], shape (m, 3)."""
        self.targets = targets
        offset = targets - self.rest
        self._pull = offset.T @ (self.stiffness[:, None] * self.phi)
        self._constant = float(self.stiffness @ np.square(offset).sum(1)) / 2

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient by the state, shape (3, r), at the state `z`, shape (3, r)."""
        Kz = z @ self.hessian
        return float((z * (Kz / 2 - self._pull)).sum()) + self._constant, Kz - self._pull


@dataclass
class GrabForce:
    """A spring to the hand with a capped force: quadratic within `reach`, linear beyond (Huber).

    `E = k d^2 / 2` for `d <= reach`, `k reach (d - reach / 2)` beyond, `d = |rest + z phi - target|`. The
    position is the mean over a small ball of points, so that a pull lifts a region without a spike.

    Attributes:
        rest: mean rest position of the held points [m], shape (3,). phi: their mean, shape (r,).
        target: the hand [m], shape (3,). stiffness: k [N/m]. reach: [m]; the force never exceeds k reach.
    """

    rest: np.ndarray
    phi: np.ndarray
    target: np.ndarray
    stiffness: float
    reach: float

    def position(self, z: np.ndarray) -> np.ndarray:
        """Where the held place is now [m], shape (3,)."""
        return self.rest + z @ self.phi

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient by the state, shape (3, r), at the state `z`, shape (3, r)."""
        offset = self.position(z) - self.target
        distance = float(np.linalg.norm(offset))
        if distance <= self.reach:
            return self.stiffness * distance**2 / 2, np.outer(self.stiffness * offset, self.phi)
        force = self.stiffness * self.reach
        return force * (distance - self.reach / 2), np.outer(force / distance * offset, self.phi)

    def hessian(self, z: np.ndarray) -> np.ndarray:
        """An upper bound of the Hessian that is the same on all axes, shape (r, r)."""
        distance = float(np.linalg.norm(self.position(z) - self.target))
        k = self.stiffness * min(1.0, self.reach / max(distance, 1e-300))
        return k * np.outer(self.phi, self.phi)


@dataclass
class FloorForce:
    """A horizontal plane that pushes back where points are under it, with Coulomb friction.

    Normal: `E = 1/2 sum_i k_i min(y_i - height, 0)^2`. Friction: lagged as in IPC (Li et al. 2020, eq. 15):
    `E = sum_i mu N_i f(|u_i|)`, with `N_i` the normal force at the end of the last step, `u_i` the tangential
    slip in this step and `f` of `friction_well`.

    Attributes:
        rest: contact points [m], shape (m, 3). phi: shape (m, r). stiffness: k [N/m], shape (m,).
        height: of the plane [m]. friction: Coulomb's coefficient. creep: sliding speed below which a contact
            counts as sticking [m/s].
    """

    rest: np.ndarray
    phi: np.ndarray
    stiffness: np.ndarray
    height: float
    friction: float
    creep: float

    def begin_step(self, z: np.ndarray, timestep: float) -> None:
        """Fix what is constant over a step from `z`: which points carry load, and where they are."""
        height = self.rest[:, 1] - self.height + self.phi @ z[1]
        load = self.stiffness * np.maximum(-height, 0)
        self._held = np.flatnonzero(load) if self.friction > 0 else np.zeros(0, dtype=int)
        self._bound = self.friction * load[self._held]
        self._held_phi = self.phi[self._held]
        self._start = self._held_phi @ z[::2].T
        self._slip = self.creep * timestep

    def touches(self, z: np.ndarray, margin: float) -> bool:
        """Whether any point is under the plane or within `margin` [m] above it."""
        return bool((self.rest[:, 1] + self.phi @ z[1]).min() < self.height + margin)

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient by the state, shape (3, r), at the state `z`, shape (3, r)."""
        depth = np.minimum(self.rest[:, 1] - self.height + self.phi @ z[1], 0)
        load = self.stiffness * depth
        gradient = np.zeros_like(z)
        gradient[1] = load @ self.phi
        energy = float(load @ depth) / 2
        if len(self._held):
            u = self._slide(z)
            well, over, _ = friction_well(np.sqrt(np.square(u).sum(1)), self._slip)
            energy += float(self._bound @ well)
            gradient[::2] += ((self._bound * over)[:, None] * u).T @ self._held_phi
        return energy, gradient

    def hessian_blocks(self, z: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """Blocks (r, r) of the Hessian by the axes they couple; what is not there is zero. Positive."""
        blocks = {}
        active = self.rest[:, 1] - self.height + self.phi @ z[1] < 0
        if active.any():
            blocks[1, 1] = _grams(self.phi[active], self.stiffness[None, active])[0]
        if len(self._held):
            u = self._slide(z)
            size = np.sqrt(np.square(u).sum(1))
            _, over, slope = friction_well(size, self._slip)
            t = u / np.maximum(size, np.finfo(float).tiny)[:, None]
            across, along = self._bound * over, self._bound * (slope - over)
            weights = [
                across + along * t[:, 0] ** 2,
                across + along * t[:, 1] ** 2,
                along * t[:, 0] * t[:, 1],
            ]
            blocks[0, 0], blocks[2, 2], blocks[0, 2] = _grams(self._held_phi, np.stack(weights))
            blocks[2, 0] = blocks[0, 2]
        return blocks

    def _slide(self, z: np.ndarray) -> np.ndarray:
        return self._held_phi @ z[::2].T - self._start


def friction_well(size: np.ndarray, slip: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed Coulomb friction of unit bound: static under `slip`, else sliding (Li et al. 2020, 13-15).

    Args:
        size: tangential displacement in this step [m], shape (m,). slip: where sliding begins [m].

    Returns:
        `f` [m], `f' / size` [1/m] and `f''` [1/m], each (m,); the force is `f'`, 0 at rest and 1 in sliding.
    """
    s = np.minimum(size / slip, 1.0)
    well = slip * s**2 * (1 - s / 3) + np.maximum(size - slip, 0.0)
    return well, (2 - s) / np.maximum(size, slip), 2 * (1 - s) / slip


def _grams(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`rows^T diag(w_k) rows` for each row w_k of weights (k, m), as one product, shape (k, r, r)."""
    # float32, as a Hessian needs: it steers, it does not decide.
    rows = rows.astype(np.float32)
    scaled = weights.astype(np.float32)[:, :, None] * rows
    return np.matmul(rows.T, scaled)
