"""What a person has arranged on the bodies (pins, led handles, materials) as plain values, and putting it into a
world. Undo is going back to an earlier value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from scipy.spatial import cKDTree

from scenes.build import build_material, placement, region_mask
from scenes.schema import MaterialChoice, Part, Scene, Sphere, Where
from sim.body import Body
from sim.hands import Pin
from sim.world import World

_GRIP_STIFFNESS = 30.0  # of a led region, in units of the body's own E L: it follows, and can still be pulled
_MOST_SPHERES = 256  # that describe a region in a scene file: the fewer, the farther they reach beyond it
_MOST_CENTRES = 4000  # vertices they are chosen from, for speed


@dataclass(frozen=True, eq=False)
class PinRecord:
    """A pin.

    Attributes:
        key: its own number. body: the body's. where: the region, in the world at time 0 or, for a pinned region of
            the scene, in the body's own coordinates. stiffness: [N/m] or "hard".
        region: number of the body's `regions` entry it comes from, None for one of its `pins`.
        targets: where it holds its points [m], shape (m, 3); None: where they stand at time 0.
        run: the number of resets before `targets` were taken; after another reset they mean nothing.
    """

    key: int
    body: int
    where: Where
    stiffness: float | str = "hard"
    region: int | None = None
    targets: np.ndarray | None = None
    run: int = 0


@dataclass(frozen=True, eq=False)
class GripRecord:
    """A handle led by a gizmo.

    Attributes:
        key: its own number. body, handle: numbers. centre: of the ball it holds, rest position [m], shape (3,).
        radius: of that ball [m]. start: where its points were when it was taken [m], shape (m, 3).
        origin, transform: the gizmo's pose then and now, shape (4, 4).
    """

    key: int
    body: int
    handle: int
    centre: np.ndarray
    radius: float
    start: np.ndarray
    origin: np.ndarray
    transform: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """Where its points are led to [m], shape (m, 3): the rigid motion from `origin` to `transform`."""
        turn = self.transform[:3, :3] @ self.origin[:3, :3].T
        return (self.start - self.origin[:3, 3]) @ turn.T + self.transform[:3, 3]


@dataclass(frozen=True)
class Arrangement:
    """All of it; materials are in the order of the bodies."""

    pins: tuple[PinRecord, ...] = ()
    grips: tuple[GripRecord, ...] = ()
    materials: tuple[MaterialChoice, ...] = ()


def arrangement_of(scene: Scene, next_key: Callable[[], int]) -> Arrangement:
    """The pins and materials of a scene file, pins in the order in which `scenes.build.add_body` makes them."""
    pins = []
    for index, part in enumerate(scene.bodies):
        for number, region in enumerate(part.regions):
            if region.pinned:
                pins.append(PinRecord(next_key(), index, region.where, region=number))
        for pin in part.pins:
            pins.append(PinRecord(next_key(), index, pin.where, pin.stiffness))
    return Arrangement(tuple(pins), (), tuple(part.material for part in scene.bodies))


class Arranger:
    """Makes a world hold what an arrangement says.

    Args:
        scene: what `world` was built from. pins: those the world was built with, by their records' keys.
    """

    def __init__(self, scene: Scene, world: World, pins: dict[int, Pin]) -> None:
        self._scene = scene
        self._world = world
        self.pins = pins
        self.grips: dict[int, Pin] = {}

    def body(self, index: int) -> Body:
        """The body of a number."""
        return self._world.bodies[index]

    def apply(self, old: Arrangement, new: Arrangement, *, run: int) -> None:
        """Change what differs.

        Raises:
            StudioError: the new arrangement is impossible (a material, an empty region); the world then is as `old`
                says, but for what had been done before the error.
        """
        for index, (before, after) in enumerate(zip(old.materials, new.materials, strict=True)):
            if before != after:
                self.set_material(index, after)
        _release(self.grips, {record.key for record in new.grips})
        _release(self.pins, {record.key for record in new.pins})
        for record in new.pins:
            if record.key not in self.pins:
                self.pins[record.key] = self._pin(record, run)
        for record in new.grips:
            if record.key not in self.grips:
                self.grips[record.key] = self.take(record.body, record.centre, record.radius)
            self.grips[record.key].move_to(record.targets)

    def set_material(self, index: int, choice: MaterialChoice) -> None:
        """Make a body of something else, with the regions its scene gives it.

        Raises:
            MaterialError, SceneError: impossible values.
        """
        part = replace_part(self._scene.bodies[index], material=choice)
        body = self.body(index)
        self._world.set_material(body, build_material(part, body.shape))

    def take(self, index: int, centre: np.ndarray, radius: float) -> Pin:
        """A soft pin of a ball of a body, where it is now."""
        body = self.body(index)
        young = float(body.material.per_sample("young", len(body.shape.samples)).max())
        return self._world.pin(body, ball(centre, radius), stiffness=_GRIP_STIFFNESS * young * body.size)

    def placement_of(self, index: int) -> np.ndarray:
        """Where a body stands at time 0, shape (3, 4) [m]."""
        return placement(self._scene.bodies[index].transform)

    def region(self, record: PinRecord) -> Callable[[torch.Tensor], torch.Tensor]:
        """The mask of the rest points [m] that a pin is for; it holds some of those, when they are many."""
        own = np.eye(4)[:3] if record.region is not None else self.placement_of(record.body)
        return region_mask(record.where, own)

    def _pin(self, record: PinRecord, run: int) -> Pin:
        matrix, mask = self.placement_of(record.body), self.region(record)
        pin = self._world.pin(self.body(record.body), mask, stiffness=record.stiffness)
        if record.targets is not None and record.run == run:
            pin.move_to(record.targets)
        else:
            pin.move_to(pin.rest @ matrix[:, :3].T + matrix[:, 3])
        return pin


def replace_part(part: Part, **values) -> Part:
    """A copy of a part of a scene with other values."""
    return msgspec.structs.replace(part, **values)


def ball(centre: np.ndarray, radius: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mask of points within `radius` of `centre`."""
    middle = torch.as_tensor(np.asarray(centre, dtype=np.float64))
    return lambda points: torch.linalg.vector_norm(points - middle, dim=1) <= radius


def holding_radius(body: Body, centre: np.ndarray, radius: float, count: int = 1) -> float:
    """`radius`, or as much more as it takes to hold `count` of the body's samples [m]."""
    distance = np.linalg.norm(body.space.samples - centre, axis=1)
    count = min(count, len(distance))
    return max(radius, float(np.partition(distance, count - 1)[count - 1]) * (1 + 1e-9))


def region_around(body: Body, chosen: np.ndarray, matrix: np.ndarray) -> Where:
    """Balls that cover chosen rest points [m], shape (n, 3), in the world at time 0.

    Args:
        matrix: where the body stands then, shape (3, 4).
    """
    samples = (body.shape.volume / len(body.space.samples)) ** (1 / 3)
    centres = _spread(chosen[:: -(-len(chosen) // _MOST_CENTRES)], _MOST_SPHERES, enough=1.5 * samples)
    nearest = cKDTree(centres).query(chosen)[0]
    between = cKDTree(chosen).query(chosen, k=2)[0][:, 1] if len(chosen) > 1 else np.zeros(1)
    # Wide enough to leave no gaps between the vertices of a coarse mesh, and to reach the samples under them.
    cover = max(1.05 * float(nearest.max()), 0.75 * float(np.median(between)), samples)
    cover = holding_radius(body, centres[0], cover)
    placed = centres @ matrix[:, :3].T + matrix[:, 3]
    spheres = tuple(Where(sphere=Sphere(center=tuple(c), radius=cover)) for c in placed.tolist())
    return spheres[0] if len(spheres) == 1 else Where(any=spheres)


def _spread(points: np.ndarray, count: int, *, enough: float) -> np.ndarray:
    """Up to `count` of the points, each as far as can be from those before it (Gonzalez 1985), until all others lie
    within `enough` of one of them [m]."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(points)) and distance.max() > enough:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def _release(held: dict[int, Pin], wanted: set[int]) -> None:
    for key in [key for key in held if key not in wanted]:
        held.pop(key).release()
