"""Optimizers by name, so that `compare` and `train` can put any of them in the same place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from optim.curvature import IsotropicCurvature
from optim.ns import NS
from sim.errors import TrainingError

DEFAULT_LEARNING_RATES = {"ns": 5e-3, "adam": 3e-3, "muon": 1e-2, "curvature": 1e-2}
"""Where tuning by `compare` ended on the shipped shapes."""


class HiddenMatrices(torch.optim.Optimizer):
    """One optimizer for the square hidden matrices and Adam for the rest, as Muon's authors advise.

    Args:
        network: whose parameters to train. matrices: makes the optimizer of the hidden matrices.
        lr: of both.
    """

    def __init__(
        self,
        network: nn.Module,
        matrices: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        lr: float,
    ) -> None:
        parameters = list(network.parameters())
        hidden = [p for p in parameters if p.ndim == 2 and min(p.shape) > 3]
        others = [p for p in parameters if not (p.ndim == 2 and min(p.shape) > 3)]
        super().__init__([{"params": hidden + others}], {"lr": lr})
        self._parts = ([matrices(hidden)] if hidden else []) + [torch.optim.Adam(others, lr=lr)]

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = self.param_groups[0]["lr"]
            part.step()
            for p, state in part.state.items():
                self.state[p] = state

    def load_state_dict(self, state_dict: dict) -> None:
        super().load_state_dict(state_dict)
        for part in self._parts:
            for p in (p for group in part.param_groups for p in group["params"]):
                if p in self.state:
                    part.state[p] = self.state[p]


def build_optimizer(
    name: str, network: nn.Module, *, lr: float | None = None, **settings
) -> torch.optim.Optimizer:
    """The optimizer called `name` over all of a network's parameters.

    Args:
        name: "ns", "adam", "muon", "curvature", or any of the `pytorch-optimizer` package's when installed.
        lr: learning rate; the name's own default when None. settings: go to the optimizer.

    Raises:
        TrainingError: nobody knows the name; the message lists who is known, and what to install for more.
    """
    rate = DEFAULT_LEARNING_RATES.get(name, 1e-3) if lr is None else lr
    if name == "ns":
        return NS(network.parameters(), lr=rate, **settings)
    if name == "adam":
        return torch.optim.Adam(network.parameters(), lr=rate, **settings)
    if name == "muon":
        return HiddenMatrices(
            network, lambda hidden: torch.optim.Muon(hidden, lr=rate, weight_decay=0.0, **settings), rate
        )
    if name == "curvature":
        return HiddenMatrices(network, lambda hidden: IsotropicCurvature(hidden, lr=rate, **settings), rate)
    known = ", ".join(DEFAULT_LEARNING_RATES)
    try:
        import pytorch_optimizer
    except ImportError as error:
        raise TrainingError(
            f"Unknown optimizer {name!r}. There are {known}; for more, install pytorch-optimizer."
        ) from error
    try:
        return pytorch_optimizer.load_optimizer(name)(network.parameters(), lr=rate, **settings)
    except NotImplementedError as error:
        raise TrainingError(
            f"Unknown optimizer {name!r}: neither {known}, nor in pytorch-optimizer."
        ) from error
