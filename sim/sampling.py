"""Which points are inside a surface, and points spread evenly through it.

Inside is decided by the generalized winding number (Jacobson et al. 2013; fast form by Barill et al. 2018, as
Warp computes it), which also has an answer for open, self-touching and doubled surfaces.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import warp as wp
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import qmc

import sim.warp_setup  # noqa: F401  (first of all: be quiet)

wp.set_module_options({"enable_backward": False})

_BATCH = 15  # log2 of the candidates tried at once
_MOST = 21  # log2 of the candidates after which a solid counts as empty


@wp.kernel
def winding_kernel(mesh: wp.uint64, points: wp.array(dtype=wp.vec3), inside: wp.array(dtype=wp.int32)):
    """1 where the winding number of the mesh is above one half."""
    i = wp.tid()
    query = wp.mesh_query_point_sign_winding_number(mesh, points[i], 1.0e6, 2.0, 0.5)
    inside[i] = wp.where(query.result and query.sign < 0.0, 1, 0)


@wp.kernel
def distance_kernel(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    inside: wp.array(dtype=wp.int32),
    distance: wp.array(dtype=wp.float32),
):
    """As `winding_kernel`, and the distance to the surface."""
    i = wp.tid()
    query = wp.mesh_query_point_sign_winding_number(mesh, points[i], 1.0e6, 2.0, 0.5)
    inside[i] = wp.where(query.result and query.sign < 0.0, 1, 0)
    distance[i] = wp.length(wp.mesh_eval_position(mesh, query.face, query.u, query.v) - points[i])


class InsideTest:
    """Answers whether points are inside a triangle surface.

    Args:
        vertices: [m], shape (V, 3). faces: shape (F, 3), wound outward (see `outward`).
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        # float32 queries: around the middle and at unit size they have the same digits for every body.
        low, high = vertices.min(0), vertices.max(0)
        self._middle = (low + high) / 2
        self._unit = float((high - low).max()) or 1.0
        local = ((vertices - self._middle) / self._unit).astype(np.float32)
        self._mesh = wp.Mesh(
            points=wp.array(local, dtype=wp.vec3, device="cpu"),
            indices=wp.array(faces.astype(np.int32).ravel(), dtype=wp.int32, device="cpu"),
            support_winding_number=True,
        )

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Mask of the points [m], shape (n, 3) -> (n,), that are inside."""
        local = ((points - self._middle) / self._unit).astype(np.float32)
        inside = wp.zeros(len(local), dtype=wp.int32, device="cpu")
        places = wp.array(local, dtype=wp.vec3, device="cpu")
        wp.launch(
            winding_kernel, dim=len(local), inputs=[self._mesh.id, places], outputs=[inside], device="cpu"
        )
        return inside.numpy().astype(bool)

    def distances(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same mask, and how far the surface is away [m], both (n,)."""
        local = ((points - self._middle) / self._unit).astype(np.float32)
        inside = wp.zeros(len(local), dtype=wp.int32, device="cpu")
        distance = wp.zeros(len(local), dtype=wp.float32, device="cpu")
        places = wp.array(local, dtype=wp.vec3, device="cpu")
        wp.launch(
            distance_kernel,
            dim=len(local),
            inputs=[self._mesh.id, places],
            outputs=[inside, distance],
            device="cpu",
        )
        return inside.numpy().astype(bool), distance.numpy() * self._unit


class CellsFirst:
    """The same answers as an `InsideTest`, most of them from the cell of a grid that a point lies in.

    Where the surface is nowhere near, a whole cell is inside or outside; only near it each point is asked for.
    Right for closed surfaces alone: around the holes of others the inside ends where there is no surface.

    Args:
        low, high: corners of the box [m], shape (3,), in which points are asked for.
    """

    _ALONG = 32  # cells of the longest side

    def __init__(self, test: InsideTest, low: np.ndarray, high: np.ndarray) -> None:
        self._test, self._low = test, low
        self._side = float((high - low).max()) / self._ALONG
        self._counts = np.ceil((high - low) / self._side).astype(int).clip(1, self._ALONG)
        corners = np.stack(np.meshgrid(*map(np.arange, self._counts), indexing="ij"), -1).reshape(-1, 3)
        inside, distance = test.distances(low + (corners + 0.5) * self._side)
        far = distance > 1.01 * np.sqrt(0.75) * self._side
        self._whole = np.where(far, np.where(inside, 1, 0), -1)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        cell = np.floor((points - self._low) / self._side).astype(int).clip(0, self._counts - 1)
        answer = self._whole[np.ravel_multi_index(cell.T, self._counts)]
        near = np.flatnonzero(answer < 0)
        answer[near] = self._test(points[near])
        return answer.astype(bool)


def outward(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """A copy of the faces, wound consistently and outward, for asking what is inside.

    Neighbours across an edge are made to agree; then each piece that is inside out is turned, unless it
    lies within another piece: then it is the wall of a hollow.
    """
    faces = faces.copy()
    piece, flip = _agreeing(faces)
    faces[flip] = faces[flip][:, ::-1]
    signed = _signed_volumes(vertices, faces)
    boxes, volumes = [], []
    for number in range(piece.max(initial=-1) + 1):
        corners = vertices[faces[piece == number]].reshape(-1, 3)
        boxes.append((corners.min(0), corners.max(0)))
        volumes.append(signed[piece == number].sum())
    for number, (low, high) in enumerate(boxes):
        hollow = any(
            number != other
            and volumes[other] > 0
            and (boxes[other][0] < low).all()
            and (boxes[other][1] > high).all()
            for other in range(len(boxes))
        )
        # A closed file that agrees with itself says by its own winding what is a hollow.
        if volumes[number] < 0 and not (hollow and not flip[piece == number].any()):
            faces[piece == number] = faces[piece == number][:, ::-1]
    return faces


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume by the divergence theorem [m3]; right for closed, consistently wound surfaces."""
    return float(_signed_volumes(vertices - vertices.mean(0), faces).sum())


def _signed_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)) / 6


def edge_pairs(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces that share an edge with just one other face, in pairs, and whether they are wound alike.

    Returns:
        The two face numbers of each pair, and a mask: True where they run along the edge in opposite ways, as
        neighbours of a consistently wound surface do.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(len(faces)), 3)
    forward = edges[:, 0] < edges[:, 1]
    key = np.sort(edges, axis=1)
    order = np.lexsort((key[:, 1], key[:, 0]))
    key, owner, forward = key[order], owner[order], forward[order]
    new = np.concatenate([[True], (key[1:] != key[:-1]).any(1)])
    start = np.flatnonzero(new)
    count = np.diff(np.append(start, len(key)))
    two = start[count == 2]
    return owner[two], owner[two + 1], forward[two] != forward[two + 1]


def _agreeing(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected pieces, and which faces to turn so that neighbours agree within each."""
    first, second, alike = edge_pairs(faces)
    count = len(faces)
    # Signs travel over a doubled graph: node f is face f as it is, node f + count is face f turned over. A
    # piece that can agree falls into two mirror components; one that cannot (a Moebius strip) stays one.
    to_same, to_turned = np.where(alike, second, second + count), np.where(alike, second + count, second)
    rows = np.concatenate([first, first + count])
    columns = np.concatenate([to_same, to_turned])
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(2 * count, 2 * count))
    _, doubled = connected_components(graph, directed=False)
    plain = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    pieces, piece = connected_components(plain, directed=False)
    if not count:
        return piece, np.zeros(0, dtype=bool)
    reference = np.full(pieces, -1)
    reference[piece[::-1]] = doubled[:count][::-1]  # of each piece, the component of its first face
    flip = doubled[:count] != reference[piece]
    share = np.bincount(piece, flip, pieces) / np.bincount(piece, minlength=pieces)
    # Turn the minority, not the majority.
    return piece, flip ^ (share > 0.5)[piece]


def sample_inside(
    inside: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, float]:
    """The first `count` points of a scrambled Sobol sequence in a box that are inside.

    Args:
        inside: which of some points [m], (n, 3), are. low, high: corners of the box [m], shape (3,).
        seed: of the scrambling; same seed, same points.

    Returns:
        Points [m], (n, 3), n <= count, and the share of the box that is inside, by sampling.
    """
    sequence = qmc.Sobol(3, seed=seed)
    found, tried, kept = [], 0, 0
    while kept < count and tried < 2**_MOST:
        candidates = low + (high - low) * sequence.random(2**_BATCH)
        mask = inside(candidates)
        hits = np.flatnonzero(mask)
        if kept + len(hits) >= count:
            hits = hits[: count - kept]
            tried += int(hits[-1]) + 1
        else:
            tried += len(candidates)
        found.append(candidates[hits])
        kept += len(hits)
        if tried >= 2**18 and kept < 16:
            break  # next to nothing inside: a shell
    return np.concatenate(found), kept / tried


def sample_shell(
    vertices: np.ndarray, faces: np.ndarray, thickness: float, count: int, seed: int
) -> np.ndarray:
    """Points spread by area through a shell around a surface, low-discrepancy, shape (count, 3) [m].

    Through its thickness [m], too: samples in one plane would tell nothing of what happens across it.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    normal /= area.clip(np.finfo(float).tiny)[:, None]
    power = max(0, int(np.ceil(np.log2(count))))
    u = qmc.Sobol(4, seed=seed).random_base2(power)[:count]
    face = np.searchsorted(np.cumsum(area) / area.sum(), u[:, 0]).clip(max=len(faces) - 1)
    root = np.sqrt(u[:, 1:2])
    middle = (1 - root) * a[face] + root * ((1 - u[:, 2:3]) * b[face] + u[:, 2:3] * c[face])
    return middle + thickness * (u[:, 3:] - 0.5) * normal[face]
