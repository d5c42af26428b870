"""Compiled per-point kernels (Warp, CPU): the fast path of `sim/neo_hookean.py`.

All arrays are views of memory that NumPy also sees, so nothing is copied, and launches are recorded once:
a launch then costs microseconds.
"""

from __future__ import annotations

import numpy as np
import warp as wp

import sim.warp_setup  # noqa: F401  (first of all: be quiet)

wp.set_module_options({"enable_backward": False})  # no gradients: half the compile time


@wp.func
def deformation_gradient(displacement: wp.mat33d):
    """`F` from the transposed displacement gradient, which is how the matrix product lays it out."""
    return wp.identity(n=3, dtype=wp.float64) + wp.transpose(displacement)


@wp.func
def cofactor(F: wp.mat33d):
    """`cof F = det(F) F^-T`, the derivative of the determinant."""
    a, b, c = F[0], F[1], F[2]
    return wp.matrix_from_rows(wp.cross(b, c), wp.cross(c, a), wp.cross(a, b))


@wp.kernel
def stress_kernel(
    displacement: wp.array(dtype=wp.mat33d),
    mu: wp.array(dtype=wp.float64),
    stiff: wp.array(dtype=wp.float64),
    energy: wp.array(dtype=wp.float64),
    stress: wp.array(dtype=wp.mat33d),
):
    """Energy and transposed first Piola stress a point; `mu` and `stiff = lam + mu` are weighted."""
    i = wp.tid()
    one = wp.float64(1.0)
    half = wp.float64(0.5)
    F = deformation_gradient(displacement[i])
    C = cofactor(F)
    volume_change = wp.dot(F[0], C[0]) - one
    energy[i] = (
        half * mu[i] * (wp.ddot(F, F) - wp.float64(3.0))
        + half * stiff[i] * volume_change * volume_change
        - mu[i] * volume_change
    )
    stress[i] = wp.transpose(mu[i] * F + (stiff[i] * volume_change - mu[i]) * C)


@wp.kernel
def curvature_kernel(
    displacement: wp.array(dtype=wp.mat33d),
    mu: wp.array(dtype=wp.float64),
    stiff: wp.array(dtype=wp.float64),
    filtered: wp.array(dtype=wp.int32),
    volumetric: wp.array(dtype=wp.float32, ndim=3),
    twist: wp.array(dtype=wp.float32, ndim=3),
):
    """Rows of the reduced Hessian: `curvature_rows` of the reference, laid out for two matrix products.

    `twist` (n, 6, 3): row `3 j + p` multiplies row j (0 or 1) of the gradient for the pair whose third
    axis is p: `[0, g2, -g1]` for j = 0 and `[0, 0, g0]` for j = 1, with `g = q F_p`.
    """
    i = wp.tid()
    F = deformation_gradient(displacement[i])
    C = cofactor(F)
    q = stiff[i] * (wp.dot(F[0], C[0]) - wp.float64(1.0)) - mu[i]
    if filtered[0] != 0:
        bound = mu[i] / wp.sqrt(wp.ddot(F, F))
        q = wp.clamp(q, -bound, bound)
    root = wp.sqrt(stiff[i])
    for p in range(3):
        for b in range(3):
            volumetric[i, p, b] = wp.float32(root * C[p, b])
        twist[i, p, 1] = wp.float32(q * F[p, 2])
        twist[i, p, 2] = wp.float32(-q * F[p, 1])
        twist[i, 3 + p, 2] = wp.float32(q * F[p, 0])


class NeoHookeanPoints:
    """Recorded launches over N points, and the arrays they read and write.

    Attributes:
        displacement: in, transposed displacement gradients, float64, shape (N, 3, 3).
        mu, stiff: in, weighted `mu` and `lam + mu` [J], float64, shape (N,).
        energy: out [J], shape (N,). stress: out, transposed and weighted [J], shape (N, 3, 3).
        volumetric, twist: out, float32, shapes (N, 3, 3) and (N, 6, 3); see `curvature_kernel`.
    """

    def __init__(self, count: int) -> None:
        self.displacement = np.zeros((count, 3, 3))
        self.mu = np.zeros(count)
        self.stiff = np.zeros(count)
        self.energy = np.zeros(count)
        self.stress = np.zeros((count, 3, 3))
        self.volumetric = np.zeros((count, 3, 3), dtype=np.float32)
        self.twist = np.zeros((count, 6, 3), dtype=np.float32)
        self._filtered = np.zeros(1, dtype=np.int32)
        displacement = _view(self.displacement, wp.mat33d)
        mu, stiff = _view(self.mu, wp.float64), _view(self.stiff, wp.float64)
        self._stress = wp.launch(
            stress_kernel,
            dim=count,
            inputs=[displacement, mu, stiff],
            outputs=[_view(self.energy, wp.float64), _view(self.stress, wp.mat33d)],
            device="cpu",
            record_cmd=True,
        )
        self._curvature = wp.launch(
            curvature_kernel,
            dim=count,
            inputs=[displacement, mu, stiff, _view(self._filtered, wp.int32)],
            outputs=[_view(self.volumetric, wp.float32), _view(self.twist, wp.float32)],
            device="cpu",
            record_cmd=True,
        )

    def evaluate_stress(self) -> None:
        """Fill `energy` and `stress` from `displacement`."""
        self._stress.launch()

    def evaluate_curvature(self, filtered: bool) -> None:
        """Fill `volumetric` and `twist` from `displacement`."""
        self._filtered[0] = filtered
        self._curvature.launch()


def _view(array: np.ndarray, dtype: type) -> wp.array:
    inner = 2 if dtype is wp.mat33d else 0
    # The wp.array keeps `array` alive through its own reference.
    view = wp.array(
        ptr=array.ctypes.data,
        dtype=dtype,
        shape=array.shape[: array.ndim - inner],
        device="cpu",
        capacity=array.nbytes,
    )
    view._source = array
    return view
