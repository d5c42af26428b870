"""What holds a body: pins that stay, and the hand that grabs and moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from sim.errors import WorldError
from sim.forces import GrabForce, PinForce

if TYPE_CHECKING:
    from sim.body import Body

_HARD = 1e4  # a hard pin's stiffness, in units of the body's own E L
_MOST_PINNED = 2000  # points a pin holds: more would not hold it better
_PULL = 30.0  # a grab's stiffness, in units of the body's own at that place
_GENTLE = 0.1  # [s]: over longer times than this the hand gives way to inertia


class Pin:
    """Holds a region of a body at fixed places; made by `World.pin`.

    Attributes:
        body: whose points. rest: held rest points [m], float64, shape (m, 3). force: what the solver sees.
    """

    def __init__(
        self,
        body: Body,
        where: Callable[[torch.Tensor], torch.Tensor],
        stiffness: float | str,
        *,
        release: Callable[[Pin], None],
    ) -> None:
        self.body = body
        self._release = release
        if stiffness != "hard" and not (isinstance(stiffness, int | float) and 0 < stiffness < np.inf):
            raise WorldError(f"A pin's stiffness is 'hard' or a positive number of N/m, got {stiffness!r}.")
        self._stiffness = stiffness
        samples, volumes = body.space.samples, body.space.volumes
        held = np.flatnonzero(_mask(where, samples))
        self.rest, share = samples[held], volumes[held]
        self._samples = held if len(held) else None
        if not len(held):
            # A thin region may hold surface vertices but no sample.
            vertices = body.shape.vertices.numpy()
            self.rest = vertices[_mask(where, vertices)]
            share = np.ones(len(self.rest))
        if not len(self.rest):
            raise WorldError(
                f"Nothing of the body {body.name!r} lies in that region, so there is nothing to pin."
            )
        stride = -(-len(self.rest) // _MOST_PINNED)
        self.rest, share = self.rest[::stride], share[::stride]
        if self._samples is not None:
            self._samples = self._samples[::stride]
        self._share = share / share.sum()
        self.rebuild()

    def rebuild(self) -> None:
        """Hold the same places after the body's handles were exchanged."""
        targets = self.force.targets if hasattr(self, "force") else None
        space = self.body.space
        # At samples the space has them already: asking the network for a large pin takes longer than a frame.
        phi = space.phi_at(self.rest) if self._samples is None else space.phi[self._samples]
        if targets is None:
            targets = self.rest + phi @ self.body.position.T
        total = self._stiffness
        if total == "hard":
            young = self.body.material.per_sample("young", len(self.body.space.samples))
            total = _HARD * float(young.max()) * self.body.size
        self.force = PinForce(self.rest, phi, targets, total * self._share)

    def hold_here(self) -> None:
        """Hold the points where they are now."""
        self.force.retarget(self.rest + self.force.phi @ self.body.position.T)

    def move_to(self, targets: np.ndarray | torch.Tensor) -> None:
        """Hold the points at other places [m], shape (m, 3) for the m points of `rest`.

        Raises:
            WorldError: another shape, or values that are not finite.
        """
        places = torch.as_tensor(targets).detach().cpu().double().numpy()
        if places.shape != self.rest.shape or not np.isfinite(places).all():
            raise WorldError(f"A pin of {len(self.rest)} points needs as many finite places.")
        self.force.retarget(places.copy())

    def release(self) -> None:
        """Let go; a second time does nothing."""
        release, self._release = self._release, lambda _: None
        release(self)


class Grab:
    """The hand: pulls a small ball of points towards a target with a capped force; made by `World.grab`.

    Attributes:
        body: what it holds. force: what the solver sees.
    """

    def __init__(
        self,
        body: Body,
        point: np.ndarray,
        radius: float,
        strength: float,
        *,
        release: Callable[[Grab], None],
    ) -> None:
        for name, value in (("radius", radius), ("strength", strength)):
            if not (np.isfinite(value) and value > 0):
                raise WorldError(f"A grab's {name} must be a positive number, got {value!r}.")
        self.body = body
        self._release = release
        self._strength = strength
        rest = body.shape.vertices
        now = body.positions().cpu().double().numpy()
        rest = rest.numpy()
        with np.errstate(over="ignore"):  # a hand beyond all numbers holds what is nearest, too
            distance = np.linalg.norm(now - point, axis=1)
        held = distance <= radius
        self._held = rest[held] if held.any() else rest[[distance.argmin()]]
        self._target = point
        self.rebuild()

    def rebuild(self) -> None:
        """Hold the same place after the body's handles were exchanged."""
        phi = self.body.space.phi_at(self._held).mean(0)
        stiffness = _PULL * self._strength / _compliance(self.body, phi)
        self.force = GrabForce(self._held.mean(0), phi, self._target, stiffness, 0.5 * self.body.size)

    @property
    def point(self) -> torch.Tensor:
        """Where the held place is now [m], float64, shape (3,)."""
        return torch.from_numpy(self.force.position(self.body.position))

    @property
    def target(self) -> torch.Tensor:
        """Where the hand is [m], float64, shape (3,)."""
        return torch.from_numpy(self.force.target.copy())

    def move_to(self, target) -> None:
        """Move the hand [m], shape (3,).

        Raises:
            WorldError: not three finite numbers.
        """
        place = np.asarray(target, dtype=np.float64)
        if place.shape != (3,) or not np.isfinite(place).all():
            raise WorldError(f"The hand needs three finite numbers to go to, got {target!r}.")
        self._target = self.force.target = place

    def release(self) -> None:
        """Let go; a second time does nothing."""
        release, self._release = self._release, lambda _: None
        release(self)


def _compliance(body: Body, phi: np.ndarray) -> float:
    """How far a unit force at `phi` moves it [m/N], by inertia over a gentle pull and its own give."""
    stiffness = body.mass_scale / _GENTLE**2 + body.shear_stiffness
    return float((phi**2 / stiffness).sum())


def _mask(where: Callable[[torch.Tensor], torch.Tensor], points: np.ndarray) -> np.ndarray:
    mask = torch.as_tensor(where(torch.from_numpy(points)))
    if mask.shape != (len(points),):
        raise WorldError(
            f"A region must give one yes or no a point: ({len(points)},), got {tuple(mask.shape)}."
        )
    return mask.detach().cpu().bool().numpy()
