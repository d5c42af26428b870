"""Small bodies for tests: boxes with a surface, low-discrepancy samples and analytic handles."""

import numpy as np
from scipy.stats import qmc

from sim import Body, HandleBasis, Material, Shape
from sim.fields import CosineField

BEAM = np.array([1.0, 0.25, 0.25])


def box_shape(size=(1.0, 1.0, 1.0), count=2048, origin=(0.0, 0.0, 0.0), seed=0) -> Shape:
    """A solid box with a triangulated surface of 8 corners and low-discrepancy samples."""
    size, origin = np.asarray(size, float), np.asarray(origin, float)
    points = qmc.Sobol(3, seed=seed).random(count) * size + origin
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * size + origin
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Shape.from_samples(points, float(size.prod()), vertices=corners, faces=np.array(faces))


def cosine_basis(shape: Shape, handles: int) -> HandleBasis:
    if handles == 1:
        return HandleBasis.from_function(lambda x: x[:, :0], handles=1)
    return HandleBasis(CosineField.lowest(shape.samples, handles - 1))


def make_body(shape=None, material=None, handles=8, cubature="clusters", **options) -> Body:
    shape = box_shape() if shape is None else shape
    material = material or Material(1e5, 0.4, 1000.0)
    return Body(shape, material, cosine_basis(shape, handles), cubature, **options)


def subdivided_box(size, cells: int, count: int = 1024) -> Shape:
    """A box from the origin whose faces are grids of `cells` x `cells` rectangles."""
    size = np.broadcast_to(np.asarray(size, float), 3)
    ticks = np.linspace(0, 1, cells + 1)
    vertices, faces = [], []
    for axis in range(3):
        for end in (0, 1):
            start = len(vertices) * (cells + 1) ** 2
            u, v = np.meshgrid(ticks, ticks, indexing="ij")
            grid = np.zeros(((cells + 1) ** 2, 3))
            grid[:, axis] = end
            grid[:, (axis + 1) % 3], grid[:, (axis + 2) % 3] = u.ravel(), v.ravel()
            vertices.append(grid)
            for i in range(cells):
                for j in range(cells):
                    a = start + i * (cells + 1) + j
                    b, c, d = a + cells + 1, a + cells + 2, a + 1
                    quad = [(a, b, c), (a, c, d)]
                    faces += quad if end else [t[::-1] for t in quad]
    vertices = np.concatenate(vertices) * size
    _, first, merged = np.unique(vertices.round(9), axis=0, return_index=True, return_inverse=True)
    points = qmc.Sobol(3, seed=0).random(count) * size
    return Shape.from_samples(
        points, float(size.prod()), vertices=vertices[first], faces=merged.reshape(-1)[np.array(faces)]
    )
