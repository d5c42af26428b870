"""Bodies that touch: penalty planes between surface points, coupled in one Newton system.

Pairs and planes are found once a step, at the positions where the bodies would be without contact, and stay
fixed while the step is solved; forces on the two sides are equal and opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from sim.incremental_potential import IncrementalPotential


@dataclass(frozen=True)
class ContactSurface:
    """What of a body others can touch, at its current place.

    Attributes:
        points: where its contact points will be after the step if nothing stops them [m], shape (m, 3).
        normals: outward unit normals there, shape (m, 3). start: where they are now [m], shape (m, 3).
        phi: reduced coordinates of the points, shape (m, r). rest: rest positions [m], shape (m, 3).
        stiffness: [N/m], shape (m,). spacing: typical distance between neighbours [m].
    """

    points: np.ndarray
    normals: np.ndarray
    start: np.ndarray
    phi: np.ndarray
    rest: np.ndarray
    stiffness: np.ndarray
    spacing: float


@dataclass(frozen=True)
class PlaneContacts:
    """Points of one body against planes carried by points of another.

    `E = 1/2 sum_i k_i min(n_i . (x_i - y_i), 0)^2`, plus friction lagged as on the floor (sim/forces.py).
    `first` and `second` are the bodies' places in the coupled system; None is a kinematic one, whose points
    are at known places.

    Attributes:
        x_rest, y_rest: rest positions, or for a kinematic side the places at the end of the step [m], (m, 3).
        x_phi, y_phi: reduced coordinates, (m, r). normal: (m, 3). stiffness: [N/m], (m,).
        grip: Coulomb bound of the friction force [N], (m,). relative: `x - y` at the start [m], (m, 3).
        slip: sliding distance in a step that still counts as sticking [m].
    """

    first: int | None
    second: int | None
    x_rest: np.ndarray
    x_phi: np.ndarray
    y_rest: np.ndarray
    y_phi: np.ndarray
    normal: np.ndarray
    stiffness: np.ndarray
    grip: np.ndarray
    relative: np.ndarray
    slip: float

    def offset(self, states: list[np.ndarray]) -> np.ndarray:
        """`x - y` [m], shape (m, 3)."""
        x = self.x_rest if self.first is None else self.x_rest + self.x_phi @ states[self.first].T
        y = self.y_rest if self.second is None else self.y_rest + self.y_phi @ states[self.second].T
        return x - y

    def energy_force(self, states: list[np.ndarray]) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient by `x` (minus that by `y`) [N], shape (m, 3)."""
        offset = self.offset(states)
        depth = np.minimum((self.normal * offset).sum(1), 0)
        energy = float(self.stiffness @ depth**2) / 2
        gradient = (self.stiffness * depth)[:, None] * self.normal
        slide, size = self._slide(offset)
        well = np.where(size < self.slip, size**2 / (2 * self.slip), size - self.slip / 2)
        energy += float(self.grip @ well)
        gradient += (self.grip / np.maximum(size, self.slip))[:, None] * slide
        return energy, gradient

    def curvature(self, states: list[np.ndarray]) -> np.ndarray:
        """Positive upper bound of the Hessian by `x` at each contact, shape (m, 3, 3)."""
        offset = self.offset(states)
        active = (self.normal * offset).sum(1) < 0
        nn = self.normal[:, :, None] * self.normal[:, None, :]
        _, size = self._slide(offset)
        k = self.grip / np.maximum(size, self.slip)
        return (self.stiffness * active)[:, None, None] * nn + k[:, None, None] * (np.eye(3) - nn)

    def _slide(self, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = offset - self.relative
        slide = moved - (moved * self.normal).sum(1, keepdims=True) * self.normal
        return slide, np.sqrt(np.square(slide).sum(1))


def find_contacts(
    mine: ContactSurface,
    other: ContactSurface,
    first: int | None,
    second: int | None,
    *,
    friction: float,
    slip: float,
) -> PlaneContacts | None:
    """Points of `mine` that will be near or behind the surface of `other`; None when there are none.

    Each meets the plane through the nearest point of `other`. Points deeper than a few spacings are left out:
    the nearest surface is then as likely the far side.
    """
    distance, nearest = cKDTree(other.points).query(mine.points, distance_upper_bound=3 * other.spacing)
    close = np.flatnonzero(np.isfinite(distance))
    nearest = nearest[close]
    offset = mine.points[close] - other.points[nearest]
    height = (other.normals[nearest] * offset).sum(1)
    aside = np.sqrt(np.maximum(distance[close] ** 2 - height**2, 0))
    # Only points in front of the plane's own patch, and only surfaces that face each other.
    facing = (mine.normals[close] * other.normals[nearest]).sum(1) < 0
    keep = (height < 0.5 * other.spacing) & (aside < other.spacing) & facing
    if not keep.any():
        return None
    x, y = close[keep], nearest[keep]
    normal = other.normals[y]
    # Springs in series, each body's own stiffness at its own point.
    stiffness = mine.stiffness[x] * other.stiffness[y] / (mine.stiffness[x] + other.stiffness[y])
    relative = mine.start[x] - other.start[y]
    load = stiffness * np.maximum(-(normal * relative).sum(1), 0)
    return PlaneContacts(
        first=first,
        second=second,
        x_rest=mine.points[x] if first is None else mine.rest[x],
        x_phi=mine.phi[x],
        y_rest=other.points[y] if second is None else other.rest[y],
        y_phi=other.phi[y],
        normal=normal,
        stiffness=stiffness,
        grip=friction * load,
        relative=relative,
        slip=slip,
    )


class CoupledPotential:
    """Several bodies' incremental potentials and the contacts between them, as one.

    The coupled state is (3, r_1 + r_2 + ...): the bodies side by side.
    """

    def __init__(self, parts: list[IncrementalPotential], ranks: list[int], contacts: list[PlaneContacts]):
        self._parts = parts
        self._contacts = contacts
        edges = np.concatenate([[0], np.cumsum(ranks)])
        self._slices = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        self._rank = int(edges[-1])

    def split(self, z: np.ndarray) -> list[np.ndarray]:
        """The bodies' own states, each (3, r_i)."""
        return [np.ascontiguousarray(z[:, part]) for part in self._slices]

    def energy_gradient(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy [J] and its gradient over all bodies' coordinates side by side, `z` of shape (3, sum of r)."""
        states = self.split(z)
        energy = 0.0
        gradient = np.empty_like(z)
        for part, place, state in zip(self._parts, self._slices, states, strict=True):
            e, gradient[:, place] = part.energy_gradient(state)
            energy += e
        for contact in self._contacts:
            e, force = contact.energy_force(states)
            energy += e
            if contact.first is not None:
                gradient[:, self._slices[contact.first]] += force.T @ contact.x_phi
            if contact.second is not None:
                gradient[:, self._slices[contact.second]] -= force.T @ contact.y_phi
        return energy, gradient

    def hessian(self, z: np.ndarray, filtered: bool) -> np.ndarray:
        """Hessian of the energy at `z`, square in 3 (sum of r); `filtered` as in IncrementalPotential."""
        states = self.split(z)
        R = self._rank
        blocks = [part.hessian(s, filtered) for part, s in zip(self._parts, states, strict=True)]
        H = np.zeros((3, R, 3, R), dtype=np.result_type(*blocks))
        for block, place, state in zip(blocks, self._slices, states, strict=True):
            r = state.shape[1]
            H[:, place, :, place] = block.reshape(3, r, 3, r)
        for contact in self._contacts:
            C = contact.curvature(states)
            sides = [(contact.first, contact.x_phi, 1.0), (contact.second, contact.y_phi, -1.0)]
            for i, phi_i, sign_i in sides:
                for j, phi_j, sign_j in sides:
                    if i is None or j is None:
                        continue
                    for a in range(3):
                        for b in range(3):
                            H[a, self._slices[i], b, self._slices[j]] += (
                                sign_i * sign_j * phi_i.T @ (C[:, a, b, None] * phi_j)
                            )
        return H.reshape(3 * R, 3 * R)

    def largest_change(self, dz: np.ndarray) -> float:
        """Largest change of F that a step `dz` makes in any body."""
        return max(p.largest_change(s) for p, s in zip(self._parts, self.split(dz), strict=True))
