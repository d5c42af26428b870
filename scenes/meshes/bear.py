"""The gummy bear: sitting, round ears, a smiling snout, arms on the belly, soles turned to you.

Faces +z.
"""

import numpy as np

from scenes.meshes.sdf import (
    Distances,
    Points,
    carve,
    ellipsoid,
    mirror,
    rod,
    sphere,
    stand,
    tube,
    turn,
    union,
)

LOW, HIGH = (-0.16, -0.02, -0.13), (0.16, 0.33, 0.17)
SPACING = 0.0040


def gummy_bear(points: Points) -> Distances:
    """Signed distance [m] to a gummy bear 0.3 m tall that sits on y = 0."""
    half = mirror(points)
    bear = union(_trunk(half), _head(half), seam=0.028)
    bear = union(bear, _arm(half), seam=0.016)
    bear = union(bear, _leg(half), seam=0.018)
    tail = sphere(half, (0.0, 0.045, -0.083), 0.022)
    bear = union(bear, tail, seam=0.015)
    return stand(bear, points, seam=0.012)


def _trunk(half: Points) -> Distances:
    hips = ellipsoid(half, (0.0, 0.066, -0.004), (0.083, 0.074, 0.076))
    chest = ellipsoid(half, (0.0, 0.135, -0.004), (0.067, 0.062, 0.058))
    belly = ellipsoid(half, (0.0, 0.085, 0.028), (0.060, 0.058, 0.054))
    trunk = union(union(hips, chest, seam=0.05), belly, seam=0.03)
    navel = sphere(half, (0.0, 0.080, 0.085), 0.0065)
    return carve(trunk, navel, seam=0.006)


def _head(half: Points) -> Distances:
    skull = ellipsoid(half, (0.0, 0.218, 0.004), (0.072, 0.061, 0.060))
    cheeks = ellipsoid(half, (0.030, 0.204, 0.020), (0.040, 0.036, 0.040))
    head = union(skull, cheeks, seam=0.03)
    ear = ellipsoid(turn(half, (0.055, 0.268, 0.0), 2, -25.0), (0.055, 0.270, 0.0), (0.031, 0.031, 0.024))
    bowl = ellipsoid(turn(half, (0.055, 0.268, 0.0), 2, -25.0), (0.055, 0.272, 0.0275), (0.018, 0.018, 0.012))
    head = union(head, carve(ear, bowl, seam=0.008), seam=0.014)
    snout = ellipsoid(half, (0.0, 0.203, 0.062), (0.034, 0.027, 0.028))
    head = union(head, snout, seam=0.014)
    nose = ellipsoid(half, (0.0, 0.2165, 0.088), (0.0135, 0.0095, 0.0085))
    head = union(head, nose, seam=0.004)
    head = carve(head, _smile(half), seam=0.005)
    eye = sphere(half, (0.030, 0.2345, 0.0600), 0.0100)
    return union(head, eye, seam=0.004)


def _smile(half: Points) -> Distances:
    """A groove along an arc on the snout, deepest in the middle and turned up at the corners."""
    angle = np.linspace(0.0, 1.05, 7)
    path = np.column_stack(
        [0.023 * np.sin(angle), 0.214 - 0.023 * np.cos(angle), 0.0905 - 0.013 * np.sin(angle) ** 2]
    )
    return tube(half, path, np.linspace(0.0042, 0.0030, len(path)))


def _arm(half: Points) -> Distances:
    arm = rod(half, (0.064, 0.152, 0.008), (0.057, 0.122, 0.066), (0.027, 0.025))
    paw = sphere(half, (0.055, 0.119, 0.073), 0.0265)
    return union(arm, paw, seam=0.02)


def _leg(half: Points) -> Distances:
    thigh = rod(half, (0.058, 0.042, 0.010), (0.072, 0.036, 0.078), (0.040, 0.033))
    foot = ellipsoid(half, (0.074, 0.043, 0.094), (0.035, 0.042, 0.026))
    leg = union(thigh, foot, seam=0.02)
    pad = ellipsoid(half, (0.075, 0.036, 0.122), (0.015, 0.014, 0.008))
    leg = carve(leg, pad, seam=0.006)
    for x, y in ((0.058, 0.059), (0.0745, 0.0655), (0.091, 0.060)):
        leg = carve(leg, sphere(half, (x, y, 0.1195), 0.0062), seam=0.004)
    return leg
