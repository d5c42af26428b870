"""Drawing a body: handle transforms to vertex positions, in cache-sized blocks."""

from __future__ import annotations

import numpy as np
import torch

_BLOCK = 8192


class Skin:
    """`x = X + sum_h w_h(X) T_h [X; 1]` for many vertices, in float32.

    Args:
        vertices: rest positions [m], float64, shape (V, 3). weights: shape (V, H). device: where to compute.
    """

    def __init__(self, vertices: torch.Tensor, weights: torch.Tensor, device: torch.device) -> None:
        # Far from the origin float32 has no digits left for the motion, so the products are taken around the
        # middle of the body and only the sum meets the large offset.
        self._middle = vertices.mean(0).numpy() if len(vertices) else np.zeros(3)
        local = vertices - torch.from_numpy(self._middle)
        self._rest = torch.cat([local, torch.ones(len(local), 1)], dim=1).float().to(device)
        self._weights = weights.float().to(device)
        self._device = device
        self._rows = torch.empty(_BLOCK, 12, device=device)

    @property
    def weights(self) -> torch.Tensor:
        """The handles' weights at the vertices, float32, shape (V, H)."""
        return self._weights

    def positions(self, transforms: np.ndarray) -> torch.Tensor:
        """Vertex positions [m], float32, shape (V, 3), for handle transforms (H, 3, 4)."""
        T = transforms.copy()
        T[:, :, 3] += T[:, :, :3] @ self._middle
        # The identity belongs to the constant handle: one product then gives the position itself.
        T[0, :, :3] += np.eye(3)
        T[0, :, 3] += self._middle
        T = torch.from_numpy(T.reshape(-1, 12)).float().to(self._device)
        out = torch.empty(len(self._rest), 3, device=self._device)
        for start in range(0, len(out), _BLOCK):
            rest = self._rest[start : start + _BLOCK]
            rows = torch.mm(self._weights[start : start + _BLOCK], T, out=self._rows[: len(rest)])
            torch.sum(rows.view(-1, 3, 4) * rest[:, None, :], -1, out=out[start : start + _BLOCK])
        return out
