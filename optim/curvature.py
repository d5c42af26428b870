"""The isotropic curvature update: how far a gradient's singular values should be evened out.

Su 2025, "Isotropic Curvature Model for Understanding Deep Learning Optimization". One step solves
`min_Q -tr(Q G^T) + E_zeta H(|Q zeta|)`, zeta uniform on the unit sphere. Q shares G's singular spaces (proposition
3.1), so only singular values are unknown: `min_q -sum s_i q_i + E H(sqrt(sum q_i^2 zeta_i^2))`. Here `H(r) = c r^p`,
p = 2 + alpha: p = 2 gives q in proportion to s (the gradient), a larger p evens q out (theorem 1).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sim.errors import TrainingError

Tensor = torch.Tensor


def optimal_spectrum(
    singular_values: Tensor, exponent: float, *, coefficient: float = 1.0, dimension: int | None = None
) -> Tensor:
    """The minimiser q of `-sum s_i q_i + E c (sum q_i^2 zeta_i^2)^(p/2)`.

    Args:
        singular_values: s >= 0, shape (..., k). exponent: p, from 2 to 4.
        coefficient: c > 0. dimension: of the space of zeta, at least k (the matrix's columns); k when None.

    Returns:
        q >= 0, shape (..., k), float64, to a relative 1e-5; zero where s is.

    Raises:
        TrainingError: an exponent outside [2, 4].
    """
    _check_exponent(exponent)
    s = singular_values.double()
    k = s.shape[-1]
    n = k if dimension is None else dimension
    u, moments = _direction(s, exponent)
    # E over the sphere is E over Gaussians divided by E |g|^p; with q = t u, stationarity fixes t.
    log_radial = exponent / 2 * math.log(2) + math.lgamma((n + exponent) / 2) - math.lgamma(n / 2)
    slope = coefficient * exponent * (u.square() * moments).sum(-1, keepdim=True) * math.exp(-log_radial)
    return u * ((s * u).sum(-1, keepdim=True) / slope).pow(1 / (exponent - 1))


def gaussian_moments(squares: Tensor, exponent: float) -> Tensor:
    """`E[S^(p/2 - 1) g_i^2]` for `S = sum w_j g_j^2`, g standard normal: the gradient of the expectation.

    With `E[S g_i^2 e^(-tS)] = phi / d_i (2 w_i / d_i + sum_j w_j / d_j)`, `d_i = 1 + 2 t w_i`,
    `phi = prod d_j^(-1/2)`, and `S^(-r) = 1/Gamma(r) int t^(r-1) e^(-tS) dt`, `r = 2 - p/2`, it is one integral over t,
    by the trapezoidal rule in log t (which converges exponentially); no sampling.

    Args:
        squares: w >= 0 with sum 1, shape (..., k), float64. exponent: p, from 2 to 4.
    """
    w = squares
    r = 2 - exponent / 2
    at_zero = 2 * w + 1
    if r < 1e-9:
        return at_zero
    # Behind both ends the integrand is under 1e-7 of its peak: it falls as t^(1 + r) and t^(r - 3/2).
    step = 0.6
    x = torch.arange(-16 / (1 + r), 16 / (1.5 - r), step, dtype=w.dtype, device=w.device)
    t = x.exp()[:, None]
    d = 1 + 2 * t * w[..., None, :]
    ratio = w[..., None, :] / d
    phi = torch.exp(-0.5 * d.log().sum(-1, keepdim=True))
    integrand = phi * (2 * ratio + ratio.sum(-1, keepdim=True)) / d
    # The part at t = 0 has the closed form at_zero; without it the rest falls fast enough for every r.
    weights = (step / math.gamma(r)) * t.squeeze(-1).pow(r)
    rest = torch.einsum("t,...ti->...i", weights, integrand) - at_zero * (weights @ torch.exp(-t.squeeze(-1)))
    return at_zero + rest


def _direction(s: Tensor, exponent: float) -> tuple[Tensor, Tensor]:
    """Unit vectors u with `s_i` in proportion to `u_i E[S^(p/2-1) g_i^2]`, and those expectations."""
    smallest = torch.finfo(s.dtype).tiny ** 0.25
    s = s / s.amax(-1, keepdim=True).clamp_min(smallest)
    alpha = exponent - 2
    # The map log u -> log (s / E) has slopes from -alpha to 0; averaged so, they shrink to +-alpha / (2 + alpha).
    mix = 2 / (2 + alpha)
    passes = 1 if alpha == 0 else math.ceil(math.log(1e-7) / math.log(alpha / (2 + alpha)))
    log_s = s.clamp_min(smallest).log()
    log_u = log_s
    for _ in range(passes + 1):
        u = torch.exp(log_u - log_u.amax(-1, keepdim=True))
        u = u / torch.linalg.vector_norm(u, dim=-1, keepdim=True)
        moments = gaussian_moments(u.square(), exponent)
        log_u = (1 - mix) * u.log() + mix * (log_s - moments.log())
    return torch.where(s > 0, u, 0.0), moments


class IsotropicCurvature(torch.optim.Optimizer):
    """Nesterov momentum as Muon's, then the update that is optimal under isotropic curvature.

    Args:
        params: matrices, or groups of them.
        lr: the update's largest singular value. momentum: of the gradient's moving average.
        exponent: p = 2 + alpha from 2 (plain momentum) to 4; 2.4 to 2.5 was measured on GPT-2 (figure 1 of the
            paper). For a kink in H the update is the polar factor: that is Muon. See `estimate_exponent`.

    Raises:
        TrainingError: parameters that are not matrices, settings out of range, sparse gradients.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        exponent: float = 2.45,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "exponent": exponent})
        for group in self.param_groups:
            _check_exponent(group["exponent"])
            if not (group["lr"] >= 0 and 0 <= group["momentum"] < 1):
                raise TrainingError(
                    f"lr must be >= 0 and momentum in [0, 1): {group['lr']}, {group['momentum']}."
                )
            for p in group["params"]:
                if p.ndim != 2 or p.is_complex():
                    raise TrainingError(
                        f"The isotropic curvature update needs real matrices, not shape {tuple(p.shape)} of {p.dtype}:"
                        ' give other parameters to Adam (build_optimizer("curvature", ...) does).'
                    )

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step; equal shapes are solved together. Parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            batches: dict[tuple, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise TrainingError("The isotropic curvature update needs dense gradients.")
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                direction = state["momentum"]
                if group["nesterov"]:
                    direction = p.grad.lerp(direction, group["momentum"])
                batches[p.shape, p.dtype, p.device].append((p, direction))
            for batch in batches.values():
                params, directions = zip(*batch, strict=True)
                updates = curvature_update(torch.stack(directions), group["exponent"])
                torch._foreach_sub_(params, torch._foreach_mul(updates.unbind(), group["lr"]))
        return loss


def curvature_update(gradient: Tensor, exponent: float) -> Tensor:
    """The optimal Q for each matrix, scaled to a largest singular value of 1; shape (..., rows, columns)."""
    tall = gradient.shape[-2] > gradient.shape[-1]
    G = (gradient.mT if tall else gradient).to(torch.promote_types(gradient.dtype, torch.float32))
    G = G / G.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(G.dtype).tiny)
    eigenvalues, U = torch.linalg.eigh(G @ G.mT)
    s = eigenvalues.clamp_min(0).sqrt().double()
    _, moments = _direction(s, exponent)
    # q_i / s_i is 1 / E_i up to a factor: no division by small singular values.
    largest = (s / moments).amax(-1, keepdim=True)
    gains = 1 / (moments * torch.where(largest > 0, largest, 1.0))
    Q = ((U * gains.to(G.dtype)[..., None, :]) @ U.mT) @ G
    return (Q.mT if tall else Q).to(gradient.dtype)


@dataclass(frozen=True)
class CurvatureGrowth:
    """How a loss's remainder after its linear part grows with the distance."""

    exponent: float
    """2 + alpha: the slope of `log H` by `log r`."""
    radii: tuple[float, ...]
    """r, the norms of the perturbations."""
    remainders: tuple[float, ...]
    """H(r), means over the directions."""


def estimate_exponent(
    loss_fn: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    radii: Sequence[float],
    generator: torch.Generator,
    *,
    directions: int = 32,
) -> CurvatureGrowth:
    """Estimate `2 + alpha` from a loss, as figure 1 of the paper does.

    `H(r)` is the mean over random directions D of norm r of `L(W + D) - L(W) - <grad L(W), D>`; the exponent is the
    slope of its logarithm, by least squares. (The paper perturbs each layer's output; here the parameters move.)

    Args:
        loss_fn: the loss at the parameters' current values; float64 parameters keep small remainders exact.
        parameters: are perturbed together, and hold their old values afterwards.
        radii: two or more, over 0. generator: of the directions, on the CPU. directions: how many.

    Raises:
        TrainingError: fewer than two radii, or a mean remainder that is not positive (the loss does not curve
            upwards there: no power law describes it).
    """
    if len(radii) < 2 or min(radii) <= 0:
        raise TrainingError(f"estimating an exponent needs two or more radii over 0, not {list(radii)}.")
    parameters = list(parameters)
    before = [p.detach().clone() for p in parameters]
    with torch.enable_grad():
        base = loss_fn()
        gradients = torch.autograd.grad(base, parameters)
    totals = [0.0] * len(radii)
    try:
        with torch.no_grad():
            for _ in range(directions):
                D = [
                    torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device) for p in parameters
                ]
                norm = math.sqrt(sum(float(d.square().sum()) for d in D))
                linear = sum(float((g * d).sum()) for g, d in zip(gradients, D, strict=True)) / norm
                for i, r in enumerate(radii):
                    for p, w, d in zip(parameters, before, D, strict=True):
                        p.copy_(w + d * (r / norm))
                    totals[i] += float(loss_fn()) - float(base) - r * linear
    finally:
        with torch.no_grad():
            for p, w in zip(parameters, before, strict=True):
                p.copy_(w)
    remainders = [total / directions for total in totals]
    if not all(h > 0 and math.isfinite(h) for h in remainders):
        raise TrainingError(
            f"the loss does not curve upwards: mean remainders {remainders} at radii {list(radii)}."
        )
    x, y = torch.tensor([list(radii), remainders], dtype=torch.float64).log()
    x = x - x.mean()
    return CurvatureGrowth(float((x * y).sum() / x.square().sum()), tuple(radii), tuple(remainders))


def _check_exponent(exponent: float) -> None:
    if not 2 <= exponent <= 4:
        raise TrainingError(f"the curvature's exponent 2 + alpha must lie between 2 and 4, not {exponent}.")
