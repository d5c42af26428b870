"""Regions of space as pure predicates on points."""

from __future__ import annotations

import torch

from scenes.schema import Where

_AXES = {"x": 0, "y": 1, "z": 2}


def contains(where: Where, points: torch.Tensor) -> torch.Tensor:
    """Which points lie in a region.

    Args:
        where: the region, in the points' coordinates [m].
        points: shape (n, 3) [m].

    Returns:
        bool, shape (n,). Points on the border count as inside.
    """

    def vector(values: tuple[float, float, float]) -> torch.Tensor:
        return torch.tensor(values, dtype=points.dtype, device=points.device)

    if where.box is not None:
        return ((points >= vector(where.box.min)) & (points <= vector(where.box.max))).all(dim=1)
    if where.sphere is not None:
        return torch.linalg.vector_norm(points - vector(where.sphere.center), dim=1) <= where.sphere.radius
    if where.plane is not None:
        return (points - vector(where.plane.point)) @ vector(where.plane.normal) >= 0
    if where.half_space is not None:
        coordinate = points[:, _AXES[where.half_space.axis]]
        inside = torch.ones_like(coordinate, dtype=torch.bool)
        if where.half_space.above is not None:
            inside &= coordinate >= where.half_space.above
        if where.half_space.below is not None:
            inside &= coordinate <= where.half_space.below
        return inside
    return torch.stack([contains(part, points) for part in where.any or ()]).any(dim=0)
