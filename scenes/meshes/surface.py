"""From a signed distance field to a well-shaped closed triangle mesh.

Three steps: a dual grid gives a closed quad surface (Gibson, "Constrained elastic surface nets", 1998); edge
flips bring every vertex close to six neighbours (Botsch and Kobbelt, "A remeshing approach to multiresolution
modeling", 2004); vertices slide along the surface towards the middle of their neighbours and are pulled back
onto the zero level by Newton steps. No vertex is added or removed after the first step, so the surface stays
closed.
"""

import numpy as np
import scipy.sparse as sparse

from scenes.meshes.sdf import Field


def mesh_field(
    field: Field, low: np.ndarray, high: np.ndarray, spacing: float, *, rounds: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Triangle mesh of the zero level of `field`.

    Args:
        field: signed distances [m] of points (N, 3), negative inside.
        low, high: corners of a box [m], shape (3,), that contains the whole solid.
        spacing: about the edge length wanted [m].
        rounds: how often vertices are relaxed and edges flipped.

    Returns:
        vertices [m], shape (V, 3), and faces, shape (F, 3), counter-clockwise from outside.

    Raises:
        ValueError: the solid touches the box, or is too thin for `spacing` to give a manifold.
    """
    vertices, quads = _dual_surface(field, np.asarray(low, float), np.asarray(high, float), spacing)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    _require_closed(faces)
    vertices = _onto_surface(field, vertices, spacing)
    for round_ in range(rounds):
        by_valence = round_ < rounds // 2
        faces = flip_edges(vertices, faces, by_valence=by_valence)
        for _ in range(3):
            vertices = _onto_surface(field, _slide(field, vertices, faces, spacing), spacing, steps=1)
    vertices = _onto_surface(field, vertices, spacing)
    faces = flip_edges(vertices, faces, by_valence=False)
    _require_closed(faces)
    return vertices, faces


def _dual_surface(field: Field, low, high, spacing) -> tuple[np.ndarray, np.ndarray]:
    """Surface nets: a vertex in each grid cell the surface crosses, a quad for each grid edge it crosses."""
    counts = np.ceil((high - low) / spacing).astype(int) + 1
    axes = [low[i] + spacing * np.arange(counts[i]) for i in range(3)]
    values = np.empty(counts)
    for i, x in enumerate(axes[0]):
        y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
        values[i] = field(np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()])).reshape(y.shape)
    inside = values < 0
    hull = [inside[0], inside[-1], inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1]]
    if any(side.any() for side in hull):
        raise ValueError("the solid reaches the edge of its box: give the box more room")
    values = _one_sheet_per_cell(values)
    inside = values < 0

    cells = counts - 1
    crossings = np.zeros((*cells, 3))
    hits = np.zeros(cells, dtype=int)
    quads = []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        start = np.argwhere(np.diff(inside.astype(np.int8), axis=axis) != 0)
        end = start.copy()
        end[:, axis] += 1
        from_value, to_value = values[tuple(start.T)], values[tuple(end.T)]
        crossing = start.astype(float)
        crossing[:, axis] += from_value / (from_value - to_value)
        ring = []
        for db, dc in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cell = start.copy()
            cell[:, b] += db
            cell[:, c] += dc
            np.add.at(crossings, tuple(cell.T), crossing)
            np.add.at(hits, tuple(cell.T), 1)
            ring.append(np.ravel_multi_index(tuple(cell.T), tuple(cells)))
        quad = np.column_stack(ring)
        leaving = from_value < 0
        quads.append(np.where(leaving[:, None], quad, quad[:, ::-1]))
    used = np.flatnonzero(hits)
    renumber = np.full(hits.size, -1)
    renumber[used] = np.arange(len(used))
    vertices = low + spacing * (crossings.reshape(-1, 3)[used] / hits.ravel()[used, None])
    return vertices, renumber[np.concatenate(quads)]


def _one_sheet_per_cell(values: np.ndarray) -> np.ndarray:
    """Values with a few corners moved just inside, so that no cell is crossed by two sheets of the surface.

    A dual grid has one vertex a cell; two sheets would meet there and pinch. A cell has one sheet exactly
    where its inside corners hang together along cell edges, and its outside corners too.
    """
    values = values.copy()
    offsets = np.array(list(np.ndindex(2, 2, 2)))
    neighbours = [[j for j in range(8) if np.abs(offsets[i] - offsets[j]).sum() == 1] for i in range(8)]
    split = np.array(
        [not (_hangs_together(c, neighbours) and _hangs_together(255 - c, neighbours)) for c in range(256)]
    )
    nx, ny, nz = np.array(values.shape) - 1
    while True:
        corners = [values[i : nx + i, j : ny + j, k : nz + k] < 0 for i, j, k in offsets]
        code = sum(corner.astype(np.int16) << bit for bit, corner in enumerate(corners))
        cells = np.argwhere(split[code])
        if len(cells) == 0:
            return values
        at = tuple((cells[:, None, :] + offsets).reshape(-1, 3).T)
        around = values[at].reshape(-1, 8)
        nearest = np.where(around < 0, np.inf, around).argmin(axis=1)
        moved = cells + offsets[nearest]
        values[tuple(moved.T)] = -np.abs(around[np.arange(len(cells)), nearest]) * 1e-3 - 1e-9


def _hangs_together(code: int, neighbours: list[list[int]]) -> bool:
    """Whether the cube corners set in the bit mask `code` form one edge-connected piece (or none)."""
    members = {corner for corner in range(8) if code >> corner & 1}
    reached, frontier = set(), list(members)[:1]
    while frontier:
        corner = frontier.pop()
        reached.add(corner)
        frontier.extend(n for n in neighbours[corner] if n in members and n not in reached)
    return reached == members


def gradient(field: Field, points: np.ndarray, step: float) -> np.ndarray:
    """Central-difference gradient of `field`, shape (N, 3), with half-width `step` [m]."""
    columns = []
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = step
        columns.append((field(points + shift) - field(points - shift)) / (2.0 * step))
    return np.column_stack(columns)


def _onto_surface(field: Field, vertices: np.ndarray, spacing: float, steps: int = 4) -> np.ndarray:
    """Newton steps along the gradient to the zero level, each no longer than half a cell."""
    for _ in range(steps):
        slope = gradient(field, vertices, spacing * 1e-3)
        size = np.maximum(np.einsum("ij,ij->i", slope, slope), 1e-2)
        move = -(field(vertices) / size)[:, None] * slope
        length = np.linalg.norm(move, axis=1, keepdims=True)
        vertices = vertices + move * np.minimum(1.0, 0.5 * spacing / np.maximum(length, 1e-30))
    return vertices


def _slide(field: Field, vertices: np.ndarray, faces: np.ndarray, spacing: float) -> np.ndarray:
    """Vertices moved within the tangent plane towards the mean of their neighbours."""
    edges = _edge_table(faces)[0]
    count = len(vertices)
    ones = np.ones(len(edges))
    adjacency = sparse.csr_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    adjacency = adjacency + adjacency.T
    mean = (adjacency @ vertices) / np.asarray(adjacency.sum(axis=1))
    normal = gradient(field, vertices, spacing * 1e-3)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    pull = mean - vertices
    return vertices + 0.7 * (pull - np.einsum("ij,ij->i", pull, normal)[:, None] * normal)


def _edge_table(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each edge once: its ends (E, 2), lower first; its two faces (E, 2); the corners opposite (E, 2).

    The first face walks the edge from the lower to the higher vertex, the second walks it back.
    """
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    owner = np.tile(np.arange(len(faces)), 3)
    forward = half[:, 0] < half[:, 1]
    key = np.sort(half, axis=1) @ np.array([len(half), 1])
    order_forward = np.argsort(np.where(forward, key, -1), kind="stable")[(~forward).sum() :]
    order_back = np.argsort(np.where(forward, -1, key), kind="stable")[forward.sum() :]
    ends = half[order_forward]
    sides = np.column_stack([owner[order_forward], owner[order_back]])
    corners = np.column_stack([opposite[order_forward], opposite[order_back]])
    return ends, sides, corners


def _require_closed(faces: np.ndarray) -> None:
    """Raise ValueError unless every edge has exactly two faces that walk it in opposite directions."""
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = half @ np.array([len(half), 1])
    back = half[:, ::-1] @ np.array([len(half), 1])
    if len(np.unique(there)) != len(there) or not np.array_equal(np.sort(there), np.sort(back)):
        raise ValueError("the surface pinches itself: use a finer spacing or a thicker solid")


def flip_edges(vertices: np.ndarray, faces: np.ndarray, *, by_valence: bool) -> np.ndarray:
    """Faces with edges swapped where that helps.

    Args:
        vertices: positions [m], shape (V, 3).
        faces: a closed oriented triangle mesh, shape (F, 3).
        by_valence: True brings vertices towards six neighbours; False widens small angles (Delaunay).
    """
    faces = faces.copy()
    for _ in range(5):
        ends, sides, corners = _edge_table(faces)
        valence = np.bincount(ends.ravel(), minlength=len(vertices))
        gain = _valence_gain(valence, ends, corners) if by_valence else _angle_gain(vertices, ends, corners)
        gain[~_flip_is_flat(vertices, ends, corners)] = 0.0
        wanted = np.flatnonzero(gain > 1e-9)
        if len(wanted) == 0:
            break
        existing = set((np.sort(ends, axis=1) @ np.array([len(vertices), 1])).tolist())
        touched = np.zeros(len(vertices), dtype=bool)
        for edge in wanted[np.argsort(-gain[wanted], kind="stable")]:
            (a, b), (c, d) = ends[edge], corners[edge]
            if touched[[a, b, c, d]].any() or int(min(c, d)) * len(vertices) + int(max(c, d)) in existing:
                continue
            touched[[a, b, c, d]] = True
            first, second = sides[edge]
            faces[first] = (a, d, c)
            faces[second] = (d, b, c)
    return faces


def _valence_gain(valence, ends, corners) -> np.ndarray:
    before = np.abs(valence[ends] - 6).sum(axis=1) + np.abs(valence[corners] - 6).sum(axis=1)
    after = np.abs(valence[ends] - 7).sum(axis=1) + np.abs(valence[corners] - 5).sum(axis=1)
    return (before - after).astype(float)


def _angle_gain(vertices, ends, corners) -> np.ndarray:
    """How far the two angles opposite an edge exceed a half turn together [rad]."""
    opposite = 0.0
    for k in range(2):
        u, v = vertices[ends[:, 0]] - vertices[corners[:, k]], vertices[ends[:, 1]] - vertices[corners[:, k]]
        opposite = opposite + np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("ij,ij->i", u, v))
    return opposite - np.pi


def _flip_is_flat(vertices, ends, corners) -> np.ndarray:
    """True where the quad around an edge is convex and nearly flat: a flip cannot fold the surface."""
    a, b, c, d = vertices[ends[:, 0]], vertices[ends[:, 1]], vertices[corners[:, 0]], vertices[corners[:, 1]]
    old = np.cross(b - a, c - a) + np.cross(a - b, d - b)
    old /= np.maximum(np.linalg.norm(old, axis=1, keepdims=True), 1e-30)
    flat = np.ones(len(a), dtype=bool)
    for normal in (np.cross(d - a, c - a), np.cross(b - d, c - d)):
        size = np.maximum(np.linalg.norm(normal, axis=1), 1e-30)
        flat &= np.einsum("ij,ij->i", normal, old) > 0.8 * size
    return flat


def smallest_angles(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The smallest angle of each triangle [degrees], shape (F,)."""
    angles = []
    for k in range(3):
        corner = vertices[faces[:, k]]
        u, v = vertices[faces[:, (k + 1) % 3]] - corner, vertices[faces[:, (k + 2) % 3]] - corner
        angles.append(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("ij,ij->i", u, v)))
    return np.degrees(np.min(angles, axis=0))
