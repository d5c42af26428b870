"""Boxes with a regular triangle grid on every side."""

import numpy as np


def box(
    low: tuple[float, float, float], cells: tuple[int, int, int], edge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Closed box of cubical cells.

    Args:
        low: lower corner [m].
        cells: number of grid cells along x, y, z.
        edge: side of a cell [m].

    Returns:
        vertices [m], shape (V, 3), and outward faces, shape (F, 3). Diagonals alternate, so that no
        direction is favoured.
    """
    corners, squares = [], []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        u, v = (g.ravel() for g in np.meshgrid(np.arange(cells[b]), np.arange(cells[c]), indexing="ij"))
        for side in (0, cells[axis]):
            square = np.empty((len(u), 4, 3), dtype=int)
            for k, (du, dv) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
                square[:, k, axis], square[:, k, b], square[:, k, c] = side, u + du, v + dv
            square = square if side else square[:, ::-1]
            # Starting each second square one corner later turns its diagonal.
            odd = square[:, 0].sum(axis=1) % 2 == 1
            square[odd] = np.roll(square[odd], 1, axis=1)
            squares.append(square)
    corners, index = np.unique(np.concatenate(squares).reshape(-1, 3), axis=0, return_inverse=True)
    quads = index.reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return np.asarray(low) + edge * corners, faces


def beam() -> tuple[np.ndarray, np.ndarray]:
    """1 x 0.25 x 0.25 m, x from 0 to 1, centred on the x axis."""
    return box((0.0, -0.125, -0.125), (64, 16, 16), 1.0 / 64)


def cube() -> tuple[np.ndarray, np.ndarray]:
    """1 m side, standing on y = 0, centred in x and z."""
    return box((-0.5, 0.0, -0.5), (25, 25, 25), 1.0 / 25)
