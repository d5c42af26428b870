"""Weight fields as colours: one handle, all of them, the dominant one. Plain arrays; scenery.py shows them."""

from __future__ import annotations

import colorsys

import numpy as np

from sim.body import Body


def handle_colors(count: int) -> np.ndarray:
    """A colour for each handle, RGB from 0 to 1, shape (count, 3): neighbours in number differ in hue."""
    golden = 0.61803398875
    colors = [
        colorsys.hls_to_rgb((0.02 + golden * h) % 1.0, 0.47 + 0.1 * ((h // 2) % 3 - 1), 0.72)
        for h in range(count)
    ]
    return np.array(colors).reshape(count, 3)


def vertex_weights(body: Body, *, localized: bool) -> np.ndarray:
    """Weights at the vertices, shape (V, H): localised bumps where the basis has them, else its modes."""
    weights = body.skinning_weights
    if localized and body.basis.localizer is not None:
        weights = weights @ body.basis.localizer.to(weights.dtype)
    return weights.numpy()


def one_handle(body: Body, handle: int, *, localized: bool) -> tuple[np.ndarray, float]:
    """Weight of a handle at the vertices, float64 (V,), and its largest size (1 where it vanishes everywhere)."""
    weights = body.skinning_weights
    number = min(handle, weights.shape[1] - 1)
    if localized and body.basis.localizer is not None:
        values = weights @ body.basis.localizer[:, number].to(weights.dtype)
    else:
        values = weights[:, number]
    values = values.double().numpy()
    return values, float(np.abs(values).max(initial=0.0)) or 1.0


def blended(weights: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """All handles at once: each handle's hue by the square of its weight, RGB, shape (V, 3)."""
    shares = weights**2
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-12)
    return shares @ colors


def dominant(weights: np.ndarray) -> np.ndarray:
    """Number of the handle with the largest weight in size, shape (V,)."""
    return np.abs(weights).argmax(1)


def coarse_mesh(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Fewer triangles for small pictures: vertices in the same cell of a grid become one of them.

    Args:
        vertices: [m], (V, 3). faces: (F, 3). most: vertices wanted, about.

    Returns:
        Numbers of the kept vertices, (v,), and faces over those, (f, 3).
    """
    if len(vertices) <= most:
        return np.arange(len(vertices)), faces
    low, extent = vertices.min(0), float(np.ptp(vertices, axis=0).max())
    # A surface passes through about 4 n^2 cells of an n^3 grid.
    cells = np.floor((vertices - low) / extent * np.sqrt(most / 4)).astype(np.int64)
    keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    _, kept, owner = np.unique(keys, return_index=True, return_inverse=True)
    small = owner.reshape(-1)[faces]
    a, b, c = small.T
    small = small[(a != b) & (b != c) & (c != a)]
    # Where a fold became flat, a triangle lies back to back with another: they cancel, and so would their normals.
    _, first, times = np.unique(np.sort(small, axis=1), axis=0, return_index=True, return_counts=True)
    return kept, small[np.sort(first[times % 2 == 1])]


def facing(vertices: np.ndarray) -> np.ndarray:
    """The vertices [m], (V, 3), for someone who looks along -z: as they are, or tipped up where the body lies flat, so
    that it is seen from above instead of edge-on."""
    _, height, depth = np.ptp(vertices, axis=0)
    return vertices if height > 0.6 * depth else vertices @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def grid_places(count: int, width: float, height: float, aspect: float) -> np.ndarray:
    """Middles of `count` equal cells in rows, shape (count, 2), centred at zero, as wide as `aspect` asks."""
    columns = max(1, round(np.sqrt(count * aspect * height / width)))
    rows = -(-count // columns)
    number = np.arange(count)
    x = (number % columns - (columns - 1) / 2) * width
    y = ((rows - 1) / 2 - number // columns) * height
    return np.column_stack([x, y])
