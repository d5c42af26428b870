"""The bunny: sitting, long ears laid back, with a furry relief as a scanner would see it. Faces +z."""

import numpy as np

from scenes.meshes.sdf import (
    Distances,
    Points,
    carve,
    ellipsoid,
    mirror,
    ripple,
    rod,
    sphere,
    stand,
    turn,
    union,
)

LOW, HIGH = (-0.13, -0.02, -0.18), (0.13, 0.33, 0.18)
SPACING = 0.0036


def bunny(points: Points) -> Distances:
    """Signed distance [m] to a bunny 0.3 m tall, ears included, that sits on y = 0."""
    half = mirror(points)
    body = union(_trunk(half), _head(half), seam=0.03)
    body = union(body, _legs(half), seam=0.014)
    tail = sphere(points, (0.0, 0.050, -0.130), 0.026)
    body = union(body, tail, seam=0.008)
    body = body + _fur(points)
    return stand(body, points, seam=0.010)


def _trunk(half: Points) -> Distances:
    rump = ellipsoid(half, (0.0, 0.072, -0.055), (0.074, 0.076, 0.078))
    chest = ellipsoid(half, (0.0, 0.085, 0.030), (0.052, 0.068, 0.056))
    ruff = ellipsoid(half, (0.0, 0.118, 0.060), (0.036, 0.034, 0.030))
    trunk = union(rump, chest, seam=0.05)
    return union(trunk, ruff, seam=0.02)


def _head(half: Points) -> Distances:
    skull = ellipsoid(half, (0.0, 0.172, 0.064), (0.046, 0.044, 0.050))
    cheek = ellipsoid(half, (0.022, 0.158, 0.088), (0.026, 0.023, 0.028))
    muzzle = ellipsoid(half, (0.009, 0.158, 0.116), (0.015, 0.014, 0.014))
    head = union(skull, cheek, seam=0.02)
    head = union(head, muzzle, seam=0.008)
    chin = ellipsoid(half, (0.0, 0.146, 0.108), (0.012, 0.008, 0.012))
    head = union(head, chin, seam=0.006)
    nose = ellipsoid(half, (0.0, 0.1700, 0.1275), (0.0080, 0.0055, 0.0055))
    head = union(head, nose, seam=0.003)
    socket = sphere(half, (0.0475, 0.180, 0.0935), 0.0135)
    head = carve(head, socket, seam=0.010)
    eye = ellipsoid(half, (0.0335, 0.180, 0.0885), (0.0095, 0.0100, 0.0100))
    head = union(head, eye, seam=0.003)
    return union(head, _ear(half), seam=0.012)


def _ear(half: Points) -> Distances:
    """A long leaf leaning back and out, hollow in front."""
    root = (0.018, 0.200, 0.046)
    local = turn(turn(half, root, 0, -28.0), root, 2, -11.0)
    blade = ellipsoid(local, (0.020, 0.262, 0.046), (0.0235, 0.066, 0.0145))
    hollow = ellipsoid(local, (0.020, 0.265, 0.0640), (0.0130, 0.050, 0.0120))
    return carve(blade, hollow, seam=0.006)


def _legs(half: Points) -> Distances:
    haunch = ellipsoid(
        turn(half, (0.062, 0.062, -0.040), 0, 18.0), (0.058, 0.060, -0.040), (0.036, 0.055, 0.062)
    )
    hind_foot = rod(half, (0.062, 0.017, -0.030), (0.064, 0.016, 0.050), (0.021, 0.019))
    front_leg = rod(half, (0.034, 0.085, 0.058), (0.030, 0.022, 0.082), (0.021, 0.016))
    front_paw = ellipsoid(half, (0.030, 0.015, 0.094), (0.018, 0.015, 0.024))
    legs = union(haunch, hind_foot, seam=0.012)
    front = union(front_leg, front_paw, seam=0.010)
    for x in (0.0245, 0.0355):
        toe = rod(half, (x, 0.026, 0.121), (x, 0.008, 0.123), (0.0018, 0.0018))
        front = carve(front, toe, seam=0.004)
    return union(legs, front, seam=0.008)


def _fur(points: Points) -> np.ndarray:
    """Relief [m] of the coat: broad folds and finer tufts, none on the face and paws."""
    stretched = points * np.array([1.0, 0.6, 1.0])
    tufts = 0.0011 * ripple(stretched, 0.017, waves=24, seed=7) + 0.0012 * ripple(
        points, 0.045, waves=16, seed=8
    )
    face = np.linalg.norm(points - np.array([0.0, 0.168, 0.112]), axis=1)
    calm = np.clip((face - 0.035) / 0.03, 0.0, 1.0) * np.clip((points[:, 1] - 0.02) / 0.03, 0.0, 1.0)
    calm *= np.clip((0.222 - points[:, 1]) / 0.03, 0.15, 1.0)
    return tufts * calm
