"""The starfish: five plump arms with rows of bumps, lying on y = 0, tips curled up, a small face on top."""

import numpy as np

from scenes.meshes.sdf import Distances, Points, carve, ellipsoid, mirror, sphere, stand, tube, union

LOW, HIGH = (-0.24, -0.02, -0.24), (0.24, 0.14, 0.24)
SPACING = 0.0037
ARMS = 5
LENGTH = 0.19
"""From the middle to the centre of an arm's tip [m]."""


def starfish(points: Points) -> Distances:
    """Signed distance [m] to a starfish about 0.4 m across; one arm points along -z, the face looks up."""
    folded = _one_arm(points)
    disc = ellipsoid(points, (0.0, 0.036, 0.0), (0.085, 0.050, 0.085))
    body = union(_arm(folded), disc, seam=0.045)
    body = union(body, _bumps(folded), seam=0.005)
    half = mirror(points)
    body = union(body, sphere(half, (0.027, 0.0945, -0.014), 0.0105), seam=0.005)
    body = carve(body, _smile(half), seam=0.005)
    return stand(body, points, seam=0.014)


def _one_arm(points: Points) -> Points:
    """Points turned by whole fifths of a circle and mirrored into the wedge around the +x axis, z >= 0."""
    angle = np.arctan2(points[:, 0], -points[:, 2])
    sector = 2.0 * np.pi / ARMS
    angle = np.abs(angle - sector * np.round(angle / sector))
    radius = np.hypot(points[:, 0], points[:, 2])
    return np.column_stack([radius * np.cos(angle), points[:, 1], radius * np.sin(angle)])


def _ridge(along: np.ndarray | float) -> tuple[np.ndarray | float, np.ndarray | float, np.ndarray | float]:
    """Distance from the middle, height and radius [m] of an arm at the fraction `along` of its length."""
    return LENGTH * along, 0.033 + 0.030 * along**4, 0.050 - 0.027 * along**1.1


def _arm(folded: Points) -> Distances:
    out, height, radius = _ridge(np.linspace(0.0, 1.0, 41))
    return tube(folded, np.column_stack([out, height, np.zeros_like(out)]), radius, reach=0.1)


def _bumps(folded: Points) -> Distances:
    """A row of warts along the ridge of the arm and a row on either flank, shrinking towards the tip."""
    distance = np.full(len(folded), 1.0)
    for k in range(5):
        for start, lean, size in ((0.42, 0.0, 0.0098), (0.485, 58.0, 0.0086)):
            out, height, radius = _ridge(start + 0.125 * k)
            up, aside = radius * np.cos(np.radians(lean)), radius * np.sin(np.radians(lean))
            distance = np.minimum(distance, sphere(folded, (out, height + up, aside), size - 0.0009 * k))
    return distance


def _smile(half: Points) -> Distances:
    """A groove on top of the disc, below the eyes as seen from above with -z up."""
    angle = np.linspace(0.0, 1.0, 7)
    path = np.column_stack(
        [0.030 * np.sin(angle), np.full_like(angle, 0.0945), 0.030 * np.cos(angle) - 0.004]
    )
    return tube(half, path, np.linspace(0.0055, 0.0040, len(path)))
