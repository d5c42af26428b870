"""Bodies without physics: put where a trajectory says, to be drawn or written to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sim.basis import HandleBasis
from sim.skinning import Skin
from sim.trajectory import Trajectory

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class RestSurface:
    """What is drawn of a shape: vertices at rest [m], float64 (V, 3), and faces, int64 (F, 3)."""

    vertices: Tensor
    faces: Tensor


class PlayedBody:
    """Looks like a `Body` to whoever draws it (`name`, `shape`, `basis`, `positions`), but is only posed.

    Args:
        name: of the body. basis: its handle weights. vertices: at rest [m], float64 (V, 3). faces: (F, 3).
        device: where positions are computed.
    """

    def __init__(
        self, name: str, basis: HandleBasis, vertices: Tensor, faces: Tensor, device: torch.device
    ) -> None:
        self.name = name
        self.basis = basis
        self.shape = RestSurface(vertices, faces)
        self.weights = basis.weights(vertices)
        self._skin = Skin(vertices, self.weights, device)
        self._transforms = torch.zeros(basis.handles, 3, 4, dtype=torch.float64)

    def pose(self, transforms: Tensor) -> None:
        """Take on handle transforms `T_h` [m], float64, shape (H, 3, 4)."""
        self._transforms = transforms

    def positions(self) -> Tensor:
        """Vertex positions [m], float32, shape (V, 3)."""
        return self._skin.positions(self._transforms.numpy())

    def exact_positions(self) -> Tensor:
        """Vertex positions [m] in float64, shape (V, 3): for files that other tools compute with."""
        rest = torch.nn.functional.pad(self.shape.vertices, (0, 1), value=1.0)
        moved = torch.einsum("vh,hij,vj->vi", self.weights, self._transforms, rest)
        return self.shape.vertices + moved


def played_bodies(trajectory: Trajectory, *, device: str | torch.device = "cpu") -> tuple[PlayedBody, ...]:
    """The bodies of a trajectory, at its first frame."""
    place = torch.device(device)
    bodies = tuple(
        PlayedBody(motion.name, motion.basis, motion.vertices, motion.faces, place)
        for motion in trajectory.motions
    )
    show(bodies, trajectory.transforms_at(trajectory.start))
    return bodies


def show(bodies: Sequence[PlayedBody], transforms: Sequence[Tensor]) -> None:
    """Put each body where its transforms say."""
    for body, transform in zip(bodies, transforms, strict=True):
        body.pose(transform)
