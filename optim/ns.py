"""The NS optimizer: Adam's step, then every matrix made orthogonal by Newton-Schulz.

Algorithm 2 of the NS design note. What it asks of the weights' outputs (orthonormal handles) it cannot give by
itself; `optim/head.py` does that. What it does give is weight matrices that neither grow nor collapse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Literal

import torch

from optim.distributed import Workers
from optim.newton_schulz import SEED_COEFFICIENTS, modified_newton_schulz, polar_factor
from sim.errors import TrainingError

Tensor = torch.Tensor


class NS(torch.optim.Optimizer):
    """Adam with bias correction, then `p <- NewtonSchulz_K(p)` for every matrix.

    State a parameter: the step count and two moments, as in section 3.1 of the note.

    Args:
        params: parameters or groups. A group may set `orthogonalize=False` to be left to Adam alone.
        lr: alpha. betas: of the two moments. eps: under the root, as the note writes it.
        steps: K, Newton-Schulz iterations; 0 leaves matrices to Adam.
        clip: largest gradient norm. clip_scope: `"global"` clips all gradients together; `"parameter"` each by
            itself, which is how the note's pseudo-code reads, its clip standing inside the loop.
        dtype: of the iteration. In a lower precision than the parameters', steps vanish in the rounding: at lr
            1e-4 most entries of a bfloat16 result do not move. So with `masters=True` the steps add up in an
            unrounded copy of the matrix, and the parameter is Newton-Schulz of that copy; `masters=False` is
            the note's text.
        retraction: `"seed"` is Algorithm 1 (singular values in its band, not 1); `"polar"` goes to exactly 1.

    Raises:
        TrainingError: settings out of range; sparse or complex gradients.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 5e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        steps: int = 6,
        clip: float | None = 1.0,
        clip_scope: Literal["global", "parameter"] = "global",
        dtype: torch.dtype = torch.float32,
        masters: bool = True,
        retraction: Literal["seed", "polar"] = "seed",
        orthogonalize: bool = True,
        workers: Workers | None = None,
    ) -> None:
        self._workers = workers or Workers()
        if not (lr >= 0 and eps >= 0 and steps >= 0 and all(0 <= beta < 1 for beta in betas)):
            raise TrainingError(
                f"NS needs lr, eps, steps >= 0 and betas in [0, 1): {lr}, {eps}, {steps}, {betas}."
            )
        if clip_scope not in ("global", "parameter") or retraction not in ("seed", "polar"):
            raise TrainingError(f"Unknown clip_scope {clip_scope!r} or retraction {retraction!r}.")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "steps": steps,
            "clip": clip,
            "clip_scope": clip_scope,
            "dtype": dtype,
            "masters": masters,
            "retraction": retraction,
            "orthogonalize": orthogonalize,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step of Algorithm 2; no host synchronisation, so it can be captured in a CUDA graph."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self._adam(params, _clipped([_checked(p) for p in params], group), group)
                self._orthogonalize(params, group)
        return loss

    def _adam(self, params: list[Tensor], gradients: list[Tensor], group: dict) -> None:
        for p in params:
            state = self.state[p]
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float64, device=p.device)
                state["exp_avg"] = torch.zeros_like(p)
                state["exp_avg_sq"] = torch.zeros_like(p)
                if p.ndim == 2 and group["orthogonalize"] and group["masters"] and _loses(group, p):
                    state["master"] = p.clone()
        states = [self.state[p] for p in params]
        counts = [s["step"] for s in states]
        m, v = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
        beta1, beta2 = group["betas"]
        torch._foreach_add_(counts, 1.0)
        torch._foreach_lerp_(m, gradients, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
        # All parameters of a group step together, so one count speaks for all.
        t = counts[0]
        root = torch._foreach_div(v, (1 - beta2**t).to(v[0].dtype))
        torch._foreach_add_(root, group["eps"])
        torch._foreach_sqrt_(root)
        update = torch._foreach_div(m, root)
        torch._foreach_mul_(update, (-group["lr"] / (1 - beta1**t)).to(m[0].dtype))
        torch._foreach_add_([s.get("master", p) for s, p in zip(states, params, strict=True)], update)

    def _orthogonalize(self, params: list[Tensor], group: dict) -> None:
        """The second loop of Algorithm 2; equal shapes in one batch, shared out over the processes."""
        if not group["orthogonalize"] or not group["steps"]:
            return
        matrices = [p for p in params if p.ndim == 2]

        def project(numbers: list[int]) -> list[Tensor]:
            batches: dict[tuple, list[int]] = defaultdict(list)
            for i in numbers:
                batches[matrices[i].shape, matrices[i].dtype, matrices[i].device].append(i)
            results: dict[int, Tensor] = {}
            for batch in batches.values():
                sources = [self.state[matrices[i]].get("master", matrices[i]) for i in batch]
                results |= zip(batch, self._retract(torch.stack(sources), group), strict=True)
            return [results[i] for i in numbers]

        costs = [min(p.shape) ** 2 * (2 * max(p.shape) + min(p.shape)) for p in matrices]
        for p, new in zip(matrices, self._workers.share(matrices, project, costs), strict=True):
            p.copy_(new)

    def _retract(self, matrices: Tensor, group: dict) -> Tensor:
        if group["retraction"] == "polar":
            return polar_factor(matrices)
        return modified_newton_schulz(
            matrices, group["steps"], dtype=group["dtype"], coefficients=SEED_COEFFICIENTS
        )


def _loses(group: dict, p: Tensor) -> bool:
    return group["retraction"] == "seed" and torch.finfo(group["dtype"]).eps > torch.finfo(p.dtype).eps


def _checked(p: Tensor) -> Tensor:
    if p.grad.is_sparse or p.grad.is_complex():
        raise TrainingError("NS works on dense, real gradients only.")
    return p.grad


def _clipped(gradients: list[Tensor], group: dict) -> list[Tensor]:
    if group["clip"] is None:
        return gradients
    norms = torch._foreach_norm(gradients)
    if group["clip_scope"] == "global":
        norms = [torch.linalg.vector_norm(torch.stack(norms))] * len(gradients)
    factors = [(group["clip"] / (norm + 1e-6)).clamp(max=1.0) for norm in norms]
    return torch._foreach_mul(gradients, factors)
