"""The NS optimizer: Adam's step, then every matrix made nearly orthogonal by Newton-Schulz.

Algorithm 2 of the NS design note. What the note hopes of it (orthonormal handles) orthogonal weights cannot give;
`optim/head.py` does that. What they do give is a network that neither grows nor collapses.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch

from optim.distributed import Workers
from optim.newton_schulz import SEED_COEFFICIENTS, Coefficients, modified_newton_schulz, polar_factor
from sim.errors import TrainingError

Tensor = torch.Tensor


class NS(torch.optim.Optimizer):
    """Adam with bias correction, then `p <- NS_K(p)` for every 2D parameter.

    `g <- clip(g); m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2;
    p <- p - lr (m / (1 - b1^t)) / sqrt(v / (1 - b2^t) + eps)`, and for matrices `p <- NS_K(p)` (Algorithm 1).

    State a parameter: step count and two moments (section 3.1 of the note); a float32 master where stated below.
    Entries of a gradient that are not finite count as zero: one bad batch costs a step, not the moments. On a GPU
    `step` never waits for the device, so it can be captured in a CUDA graph (with `lr` a tensor where a schedule
    must still reach it).

    Args:
        params: parameters or groups. A group may set any of the settings but `clip`, `clip_scope` and `workers`;
            `orthogonalize=False` leaves its matrices to Adam alone.
        lr: alpha; a number or a tensor of one element. betas: of the two moments.
        eps: under the root, as the note writes it: 1e-16 here is 1e-8 beside the root.
        steps: K; 0 leaves matrices to Adam. coefficients: a, b, c.
        clip: largest gradient norm, None for no limit. clip_scope: `"global"` clips all gradients together, which
            keeps their direction; `"parameter"` each by itself, as the note's pseudo-code reads, its clip standing
            inside the loop over parameters.
        dtype: of the iteration; float32 costs what bfloat16 costs on matrices of this size (tests/bench/ns_step.py)
            and trains better. The note's is bfloat16.
        masters: rounding a matrix to bfloat16 swallows every step under 0.4 % of an entry: at lr 1e-4 most. With
            masters, wherever the parameter or the iteration is narrower than float32, Adam's steps add up in a
            float32 copy, which is itself projected, in float32; the parameter is that copy rounded. Of the
            readings tried (a copy never projected, the rounding error carried over, this one) only this one trained
            as well as float32 throughout, the others no better than `masters=False`, which is the note's text.
        retraction: `"seed"` is Algorithm 1 (singular values in its band, not 1); `"polar"` the exact polar factor,
            in float32 or better, whatever `dtype` says.
        workers: the processes that share the projections (section 3.2), each holding the same parameters.

    Raises:
        TrainingError: settings out of range; sparse or complex gradients.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 5e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        steps: int = 6,
        coefficients: Coefficients = SEED_COEFFICIENTS,
        clip: float | None = 1.0,
        clip_scope: Literal["global", "parameter"] = "global",
        dtype: torch.dtype = torch.float32,
        masters: bool = True,
        retraction: Literal["seed", "polar"] = "seed",
        orthogonalize: bool = True,
        workers: Workers | None = None,
    ) -> None:
        if clip_scope not in ("global", "parameter"):
            raise TrainingError(f'clip_scope is "global" or "parameter", not {clip_scope!r}.')
        if clip is not None and not clip > 0:
            raise TrainingError(f"clip must be over 0 (None for no limit), not {clip}.")
        self._clip, self._clip_scope = clip, clip_scope
        self._workers = workers or Workers()
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "steps": steps,
            "coefficients": tuple(coefficients),
            "dtype": dtype,
            "masters": masters,
            "retraction": retraction,
            "orthogonalize": orthogonalize,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's; raises TrainingError for settings out of range."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        lr, eps, steps, betas = (group[name] for name in ("lr", "eps", "steps", "betas"))
        if not (lr >= 0 and eps >= 0 and steps >= 0 and all(0 <= beta < 1 for beta in betas)):
            raise TrainingError(
                f"NS needs lr, eps, steps >= 0 and betas in [0, 1): {lr}, {eps}, {steps}, {betas}."
            )
        if group["retraction"] not in ("seed", "polar"):
            raise TrainingError(f'retraction is "seed" or "polar", not {group["retraction"]!r}.')
        for p in group["params"]:
            if not p.is_floating_point():
                raise TrainingError(
                    f"NS moves real parameters only: Newton-Schulz is for real matrices, not {p.dtype}."
                )

    def __getstate__(self) -> dict[str, Any]:
        """For copies: torch's own names groups and state only."""
        return super().__getstate__() | {
            "_clip": self._clip,
            "_clip_scope": self._clip_scope,
            "_workers": self._workers,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's, but state keeps its own precision (float32 moments of a bfloat16 parameter)."""
        super().load_state_dict(state_dict)
        numbers = (n for group in state_dict["param_groups"] for n in group["params"])
        params = (p for group in self.param_groups for p in group["params"])
        for number, p in zip(numbers, params, strict=True):
            for name, value in state_dict["state"].get(number, {}).items():
                self.state[p][name] = torch.as_tensor(value).to(p.device, copy=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step of Algorithm 2. Parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        params = [p for members in moving for p in members]
        if not params:
            return loss
        gradients = dict(zip(params, self._clipped([_usable_gradient(p) for p in params]), strict=True))
        for group, members in zip(self.param_groups, moving, strict=True):
            self._adam(members, [gradients[p] for p in members], group)
        del gradients  # the projections need that memory
        self._orthogonalize(
            [(p, g) for g, members in zip(self.param_groups, moving, strict=True) for p in members]
        )
        return loss

    def _clipped(self, gradients: list[Tensor]) -> list[Tensor]:
        norms, total = _norms(gradients)
        # Reading the norm costs nothing on the CPU; on a GPU it would wait, so there all entries are cleaned.
        if total.device.type != "cpu" or not math.isfinite(total.item()):
            gradients = [torch.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0) for g in gradients]
            norms, total = _norms(gradients)
        if self._clip is None:
            return gradients
        if self._clip_scope == "global" and all(g.device == total.device for g in gradients):
            return torch._foreach_mul(gradients, (self._clip / (total + 1e-6)).clamp(max=1.0))
        if self._clip_scope == "global":
            norms = [total.to(norm) for norm in norms]
        return torch._foreach_mul(gradients, [(self._clip / (norm + 1e-6)).clamp(max=1.0) for norm in norms])

    def _adam(self, params: list[Tensor], gradients: list[Tensor], group: Mapping[str, Any]) -> None:
        if not params:
            return
        states = [self._state(p, group) for p in params]
        m, v = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
        counts = [s["step"] for s in states]
        beta1, beta2 = group["betas"]
        torch._foreach_add_(counts, 1.0)
        torch._foreach_lerp_(m, gradients, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
        sizes, corrections = _step_sizes(counts, group["lr"], beta1, beta2)
        denominators = torch._foreach_div(v, corrections)
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_sqrt_(denominators)
        torch._foreach_reciprocal_(denominators)
        torch._foreach_mul_(denominators, m)
        torch._foreach_mul_(denominators, sizes)
        targets = [s.get("master", p) for s, p in zip(states, params, strict=True)]
        torch._foreach_sub_(targets, denominators)
        for p, target in zip(params, targets, strict=True):
            if target is not p and not _projected(p, group):
                p.copy_(target)

    def _state(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        state = self.state[p]
        if not state:
            wide = torch.promote_types(p.dtype, torch.float32)
            state["step"] = torch.zeros((), dtype=torch.float64, device=p.device)
            state["exp_avg"] = torch.zeros_like(p, dtype=wide)
            state["exp_avg_sq"] = torch.zeros_like(p, dtype=wide)
            narrow = p.dtype != wide or (_projected(p, group) and torch.finfo(group["dtype"]).bits < 32)
            if group["masters"] and narrow:
                state["master"] = p.detach().to(wide, copy=True)
        return state

    def _orthogonalize(self, matrices: list[tuple[Tensor, Mapping[str, Any]]]) -> None:
        """The second loop of Algorithm 2: shared out over the processes, equal shapes in one batch."""
        matrices = [(p, group) for p, group in matrices if _projected(p, group)]
        sources = [self.state[p].get("master", p) for p, _ in matrices]

        def project(numbers: list[int]) -> list[Tensor]:
            batches: dict[tuple, list[int]] = defaultdict(list)
            for i in numbers:
                batches[id(matrices[i][1]), sources[i].shape, sources[i].dtype, sources[i].device].append(i)
            results: dict[int, Tensor] = {}
            for batch in batches.values():
                group = matrices[batch[0]][1]
                one = len(batch) == 1
                new = _retracted(
                    sources[batch[0]][None] if one else torch.stack([sources[i] for i in batch]), group
                )
                results |= zip(batch, new.unbind(), strict=True)
            return [results[i] for i in numbers]

        costs = [newton_schulz_cost(p, group["steps"]) for p, group in matrices]
        projected = self._workers.share(sources, project, costs)
        for (p, group), source, new in zip(matrices, sources, projected, strict=True):
            source.copy_(new)
            if source is not p:
                p.copy_(new.to(group["dtype"]))


def newton_schulz_cost(matrix: Tensor, steps: int) -> float:
    """Multiplications of `steps` iterations: `A = X X^T`, `A A` and `B X` on the matrix's smaller side."""
    short, long = sorted(matrix.shape)
    return float(steps * short * short * (2 * long + short))


def _retracted(matrices: Tensor, group: Mapping[str, Any]) -> Tensor:
    if group["retraction"] == "polar":
        return polar_factor(matrices.to(torch.promote_types(matrices.dtype, torch.float32)))
    # A master stands in place of the narrower parameter: rounding it again would make it pointless.
    dtype = torch.promote_types(group["dtype"], torch.float32) if group["masters"] else group["dtype"]
    return modified_newton_schulz(matrices, group["steps"], dtype=dtype, coefficients=group["coefficients"])


def _projected(p: Tensor, group: Mapping[str, Any]) -> bool:
    return group["orthogonalize"] and group["steps"] > 0 and p.ndim == 2


def _usable_gradient(p: Tensor) -> Tensor:
    gradient = p.grad
    if gradient.is_sparse:
        raise TrainingError(
            "NS needs dense gradients: a sparse one moves some rows, but Newton-Schulz changes all of a matrix."
        )
    return gradient.to(torch.promote_types(p.dtype, torch.float32))


def _norms(gradients: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Of each, and of all together."""
    norms = list(torch._foreach_norm(gradients))
    return norms, torch.linalg.vector_norm(torch.stack([norm.to(norms[0]) for norm in norms]))


def _step_sizes(counts: list[Tensor], lr: float | Tensor, beta1: float, beta2: float) -> tuple[list, list]:
    """`lr / (1 - b1^t)` and `1 - b2^t` for each parameter: numbers on the CPU, tensors where reading one would wait."""
    if counts[0].device.type == "cpu":
        times = [count.item() for count in counts]
        return [float(lr) / (1 - beta1**t) for t in times], [1 - beta2**t for t in times]
    return [lr / (1 - beta1**t) for t in counts], [1 - beta2**t for t in counts]
