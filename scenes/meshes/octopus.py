"""The octopus: a round head with big eyes and eight tapering tentacles that curl up at their ends.

Faces +z.
"""

import numpy as np

from scenes.meshes.sdf import Distances, Points, carve, ellipsoid, mirror, sphere, stand, tube, union

LOW, HIGH = (-0.31, -0.02, -0.31), (0.31, 0.30, 0.31)
SPACING = 0.0052
TENTACLES = 8


def octopus(points: Points) -> Distances:
    """Signed distance [m] to an octopus about 0.26 m tall and 0.45 m across."""
    body = _head(points)
    for k in range(TENTACLES):
        path, radii = tentacle(k)
        body = union(body, tube(points, path, radii), seam=0.020)
    return stand(body, points, seam=0.010)


def tentacle(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle line [m] (M, 3) and radii [m] (M,) of the k-th tentacle.

    It leaves the head downwards, runs out along the floor with a sideways sway, and ends in a standing
    spiral.
    """
    heading = 2.0 * np.pi * (k + 0.5) / TENTACLES
    sway = 0.35 + 0.20 * np.sin(2.3 * k)
    count = 45
    along = np.linspace(0.0, 1.0, count)
    # Pitch: first down, then level, then ever more upwards: the curl.
    curl = 4.3 + 0.6 * np.cos(3.1 * k)
    pitch = -0.75 * np.exp(-((along / 0.16) ** 2)) + curl * np.clip((along - 0.40) / 0.60, 0.0, 1.0) ** 1.5
    yaw = heading + sway * np.sin(np.pi * along)
    step = (0.335 + 0.02 * np.sin(5.0 * k)) / (count - 1)
    out = np.cumsum(
        step * np.cos(pitch)[:, None] * np.column_stack([np.sin(yaw), 0 * yaw, np.cos(yaw)]), axis=0
    )
    up = np.cumsum(step * np.sin(pitch))
    start = 0.050 * np.array([np.sin(heading), 0.0, np.cos(heading)])
    radii = 0.0235 * (1.0 - along) ** 0.8 + 0.0080
    path = start + out
    path[:, 1] = 0.052 + up
    # The floor: nothing sinks below the tentacle's own radius.
    path[:, 1] = np.maximum(path[:, 1], 0.9 * radii)
    return path, radii


def _head(points: Points) -> Distances:
    half = mirror(points)
    mantle = ellipsoid(points, (0.0, 0.165, -0.014), (0.080, 0.092, 0.084))
    neck = ellipsoid(points, (0.0, 0.075, 0.0), (0.066, 0.055, 0.066))
    head = union(mantle, neck, seam=0.05)
    socket = ellipsoid(half, (0.035, 0.150, 0.058), (0.025, 0.028, 0.020))
    head = union(head, socket, seam=0.012)
    pupil = sphere(half, (0.033, 0.151, 0.0830), 0.0100)
    head = carve(head, pupil, seam=0.004)
    angle = np.linspace(0.0, 1.1, 7)
    mouth = np.column_stack(
        [0.020 * np.sin(angle), 0.116 - 0.014 * np.cos(angle), 0.0720 - 0.006 * np.sin(angle)]
    )
    return carve(head, tube(half, mouth, np.full(len(angle), 0.0050)), seam=0.005)
