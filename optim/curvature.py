"""The isotropic curvature update (Su 2025, "Isotropic Curvature Model for Understanding Deep Learning
Optimization"): how far the singular values of a gradient should be evened out.

One step solves `min_Q -tr(Q G^T) + E_zeta H(|Q zeta|)`, zeta uniform on the unit sphere. `Q` shares G's singular
spaces (proposition 3.1), so only its singular values q are unknown:
`min_q -sum s_i q_i + E H(sqrt(sum q_i^2 zeta_i^2))`, a small convex problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

Tensor = torch.Tensor


def sphere_squares(dimension: int, count: int, generator: torch.Generator) -> Tensor:
    """`zeta_i^2` of `count` random unit vectors, float64, shape (count, dimension)."""
    z = torch.randn(count, dimension, generator=generator, dtype=torch.float64).square()
    return z / z.sum(1, keepdim=True)


def optimal_spectrum(sigma: Tensor, exponent: float, squares: Tensor, *, iterations: int = 30) -> Tensor:
    """Singular values of the best update for `H(r) = r^p / p`, p = 2 + alpha.

    Stationarity reads `s_i = q_i E[r^(p-2) zeta_i^2]`; its fixed point is damped by the homogeneity of H, so
    that each pass is a contraction.

    Args:
        sigma: of the gradient, not negative, shape (..., k). exponent: p >= 2.
        squares: `zeta^2`, shape (m, k); only its first k columns' distribution matters.

    Returns:
        q, shape (..., k), float64. For p = 2 it is proportional to sigma; the larger p, the more even.
    """
    s = sigma.double()
    scale = s.amax(-1, keepdim=True).clamp_min(1e-300)
    s = s / scale
    q = s.clamp_min(1e-12).pow(1 / (exponent - 1))
    for _ in range(iterations):
        r2 = (q.square() @ squares.T).clamp_min(1e-300)
        weight = (r2.pow((exponent - 2) / 2) @ squares) / len(squares)
        new = s / weight.clamp_min(1e-300)
        # The map q -> s / E[...] has slope -(p - 2) along its own direction: averaging in logarithms.
        mix = 1 / (exponent - 1)
        q = (1 - mix) * q.clamp_min(1e-300).log() + mix * new.clamp_min(1e-300).log()
        q = q.exp()
    return torch.where(sigma > 0, q * scale.pow(1 / (exponent - 1)), torch.zeros_like(q))


class IsotropicCurvature(torch.optim.Optimizer):
    """Nesterov momentum, then the update whose spectrum is optimal under isotropic curvature.

    Args:
        params: matrices. lr: in units of the update's largest singular value, as Muon's. momentum: of the
            gradient average. exponent: 2 + alpha; 2.4 to 2.5 was measured on GPT-2 in the paper, 2 is plain
            momentum, and the polar factor (Muon) is the limit of a kink.
        directions: random directions of the expectation. seed: of those.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-2,
        *,
        momentum: float = 0.95,
        exponent: float = 2.45,
        directions: int = 256,
        seed: int = 0,
    ) -> None:
        if exponent < 2:
            raise ValueError(f"The curvature's exponent must be at least 2, got {exponent}.")
        super().__init__(params, {"lr": lr, "momentum": momentum, "exponent": exponent})
        self._generator = torch.Generator().manual_seed(seed)
        self._directions = directions
        self._squares: dict[int, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                G = torch.lerp(p.grad, state["momentum"], group["momentum"])
                U, s, Vt = torch.linalg.svd(G, full_matrices=False)
                q = optimal_spectrum(s, group["exponent"], self._zeta(len(s), p.device))
                q = (q / q.max().clamp_min(1e-300)).to(p.dtype)
                p.add_((U * q) @ Vt, alpha=-group["lr"])

    def _zeta(self, dimension: int, device: torch.device) -> Tensor:
        if dimension not in self._squares:
            self._squares[dimension] = sphere_squares(dimension, self._directions, self._generator)
        return self._squares[dimension].to(device)


def estimate_exponent(
    loss: Callable[[Tensor], Tensor],
    matrix: Tensor,
    radii: Tensor,
    generator: torch.Generator,
    *,
    directions: int = 64,
) -> float:
    """The exponent `2 + alpha` of a loss's curvature around a matrix, as the paper's figure 1 does it.

    `H(r)` is the mean over random directions of what is left of `loss(W + r D)` after its linear part; its
    growth with r in logarithms is the exponent.

    Args:
        loss: of the matrix, differentiable. radii: increasing, positive, shape (k,), k >= 2.
    """
    W = matrix.detach().clone().requires_grad_()
    base = loss(W)
    (gradient,) = torch.autograd.grad(base, W)
    remainder = torch.zeros(len(radii), dtype=torch.float64)
    with torch.no_grad():
        for _ in range(directions):
            D = torch.randn(W.shape, generator=generator, dtype=W.dtype)
            D /= D.norm()
            for i, r in enumerate(radii.tolist()):
                rest = loss(W + r * D) - base - r * (gradient * D).sum()
                remainder[i] += float(rest) / directions
    x, y = radii.double().log(), remainder.abs().clamp_min(1e-300).log()
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / x.square().sum())
