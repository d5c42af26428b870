"""Reproducing-kernel weights: smooth bumps around nodes, corrected so that linear functions come out exactly.

They need no training: a Rayleigh-Ritz solve over them gives handles (optim/untrained.py). Source: Liu, Jun and
Zhang 1995, "Reproducing kernel particle methods"; as handles of a simulation, Freeform (Modi et al. 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sim.errors import BasisError
from sim.fields import register_field, require

Tensor = torch.Tensor

_REGULAR = 1e-12  # keeps the moments invertible where a point sees one node only, far outside the body
_BLOCK = 1 << 20  # points times nodes evaluated at once: what is alive meanwhile is twenty times that


@dataclass(frozen=True)
class RkpmField:
    """`phi_i(X) = (p_i . b) w_i`, `p_i = [1, (X_i - X) / r]`, `w_i ~ exp(-|X - X_i|^2 / r_i^2)`, `b = M^-1 [1, 0]`.

    `M = sum_i w_i p_i p_i^T` is what makes `sum_i phi_i = 1` and `sum_i phi_i X_i = X` (first-order consistency).
    The w_i are taken as shares of their sum at each point, which cancels in phi and never underflows.

    Attributes:
        nodes: X_i [m], shape (K, 3).
        radii: r_i [m], shape (K,).
    """

    nodes: Tensor
    radii: Tensor
    kind = "rkpm"

    @property
    def outputs(self) -> int:
        return len(self.nodes)

    def value(self, points: Tensor) -> Tensor:
        parts = []
        for part in points.split(max(1, _BLOCK // len(self.nodes))):
            w, p, M = self._moments(part)
            parts.append((p @ _first_column(M)[:, :, None])[..., 0] * w)
        return torch.cat(parts)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        blocks = [self._block(part) for part in points.split(max(1, _BLOCK // len(self.nodes)))]
        values, gradients = zip(*blocks, strict=True)
        return torch.cat(values), torch.cat(gradients)

    def _block(self, points: Tensor) -> tuple[Tensor, Tensor]:
        w, p, M = self._moments(points)
        b = _first_column(M)
        unit = self.radii.mean()
        offset = points[:, None, :] - self.nodes
        slope = -2 * offset / self.radii[:, None] ** 2
        dw = w[..., None] * (slope - torch.einsum("nk,nkd->nd", w, slope)[:, None, :])
        # dM / dX_d = sum dw_i p p^T + w_i (dp p^T + p dp^T), where dp = [0, -e_d / r].
        dM = torch.stack([p.mT @ (dw[..., d, None] * p) for d in range(3)], dim=1)
        mean = torch.einsum("nk,nki->ni", w, p) / unit
        for d in range(3):
            dM[:, d, d + 1, :] -= mean
            dM[:, d, :, d + 1] -= mean
        db = -torch.linalg.solve(M[:, None], (dM @ b[:, None, :, None]))[..., 0]
        factor = (p @ b[:, :, None])[..., 0]
        dfactor = p @ db.mT - b[:, None, 1:] / unit
        return factor * w, dfactor * w[..., None] + factor[..., None] * dw

    def _moments(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shares of the kernels (n, K), the linear functions p (n, K, 4), and M (n, 4, 4)."""
        offset = self.nodes - points[:, None, :]
        w = torch.softmax(-offset.square().sum(-1) / self.radii**2, dim=1)
        p = torch.cat([torch.ones_like(offset[..., :1]), offset / self.radii.mean()], dim=-1)
        M = p.mT @ (w[..., None] * p)
        # Not on the constant, so that the values still add up to exactly 1.
        M.diagonal(dim1=1, dim2=2)[:, 1:] += _REGULAR
        return w, p, M

    def to(self, device: torch.device, dtype: torch.dtype) -> RkpmField:
        return RkpmField(self.nodes.to(device, dtype), self.radii.to(device, dtype))

    def tensors(self) -> dict[str, Tensor]:
        return {"nodes": self.nodes, "radii": self.radii}

    def settings(self) -> dict:
        return {}

    @staticmethod
    def build(tensors: dict[str, Tensor], settings: dict) -> RkpmField:
        nodes = require(tensors, "nodes", (None, 3))
        radii = require(tensors, "radii", (len(nodes),))
        if not len(nodes) or (radii <= 0).any():
            raise BasisError("the radii of the reproducing kernels are not positive")
        return RkpmField(nodes, radii)


def _first_column(M: Tensor) -> Tensor:
    """`M^-1 [1, 0, 0, 0]`, shape (n, 4)."""
    first = torch.zeros(4, 1, dtype=M.dtype, device=M.device)
    first[0] = 1
    return torch.linalg.solve(M, first.expand(len(M), 4, 1))[..., 0]


register_field(RkpmField.kind, RkpmField.build)
