"""Optimizers by name, so that `train` and `compare` can put any of them in the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from optim.curvature import IsotropicCurvature
from optim.eager import leave_compiler_alone
from optim.ns import NS
from sim.errors import TrainingError

Tensor = torch.Tensor

DEFAULT_LEARNING_RATES = {"ns": 5e-3, "adam": 3e-3, "muon": 1e-2, "curvature": 1e-2}
"""Learning rate at the start of a run; any other optimizer starts at FOREIGN_LEARNING_RATE."""

FOREIGN_LEARNING_RATE = 1e-3
"""What most optimizers of the pytorch-optimizer package take themselves."""


def build_optimizer(
    name: str,
    parameters: nn.Module | Iterable[Tensor],
    *,
    lr: float | None = None,
    **settings: Any,
) -> torch.optim.Optimizer:
    """The optimizer called `name` over all of a network's parameters.

    Args:
        name: "ns" (optim/ns.py), "adam", "muon" (`torch.optim.Muon`), "curvature" (optim/curvature.py), or any
            of the `pytorch-optimizer` package ("soap", "shampoo", ...) when that is installed. Muon and curvature
            move the hidden matrices (see `hidden_matrices`), Adam the rest at the same learning rate.
        parameters: a network, or its parameters in order.
        lr: learning rate; the name's own default when None.
        settings: go to the optimizer (to that of the hidden matrices, where there are two).

    Raises:
        TrainingError: nobody knows the name (the message lists who is known and what to install for more), or the
            optimizer refuses the settings.
    """
    leave_compiler_alone()
    parameters = list(parameters.parameters() if isinstance(parameters, nn.Module) else parameters)
    name = name.lower()
    rate = DEFAULT_LEARNING_RATES.get(name, FOREIGN_LEARNING_RATE) if lr is None else lr
    try:
        if name == "ns":
            return NS(parameters, lr=rate, **settings)
        if name == "adam":
            return torch.optim.Adam(parameters, lr=rate, **{"foreach": True} | settings)
        if name == "muon":
            # Muon decays weights by default; here nothing else does, and only the update is to be compared.
            settings = {"weight_decay": 0.0} | settings
            return MatricesAndRest(
                parameters, lambda group: torch.optim.Muon(group, lr=rate, **settings), lr=rate
            )
        if name == "curvature":
            return MatricesAndRest(
                parameters, lambda group: IsotropicCurvature(group, lr=rate, **settings), lr=rate
            )
        return _foreign_optimizer(name)(parameters, lr=rate, **settings)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The optimizer {name!r} does not accept these settings: {error}") from error


def hidden_matrices(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The matrices between hidden layers: all 2D parameters but the first, which reads positions, and the last if
    it is not square, which makes outputs. Muon's authors leave those two to Adam."""
    matrices = [p for p in parameters if p.ndim == 2]
    hidden = matrices[1:]
    if hidden and hidden[-1].shape[0] != hidden[-1].shape[1]:
        hidden = hidden[:-1]
    return hidden


class MatricesAndRest(torch.optim.Optimizer):
    """One optimizer for the hidden matrices and Adam for the rest, as one: group 0 and group 1.

    State dict and learning rates are read and written as any optimizer's.

    Args:
        parameters: of the network, in order. for_matrices: makes the optimizer of the hidden matrices.
        lr: Adam's.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        for_matrices: Callable[[list[Tensor]], torch.optim.Optimizer],
        *,
        lr: float,
    ) -> None:
        parameters = list(parameters)
        hidden = hidden_matrices(parameters)
        chosen = {id(p) for p in hidden}
        rest = [p for p in parameters if id(p) not in chosen]
        self._parts = [for_matrices(hidden)] if hidden else []
        self._parts += [torch.optim.Adam(rest, lr=lr, foreach=True)] if rest else []
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._let_parts_share()

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step of both."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's."""
        super().load_state_dict(state_dict)
        self._let_parts_share()

    def _let_parts_share(self) -> None:
        """The parts work on this optimizer's groups and state: there is one truth about both."""
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups = [group]
            part.state = self.state


def _foreign_optimizer(name: str) -> Callable[..., torch.optim.Optimizer]:
    known = ", ".join(DEFAULT_LEARNING_RATES)
    try:
        import pytorch_optimizer
    except ImportError as error:
        raise TrainingError(
            f"There is no optimizer {name!r} here, only {known}. More come with the pytorch-optimizer package:"
            " pip install pytorch-optimizer"
        ) from error
    try:
        return pytorch_optimizer.load_optimizer(name)
    except (NotImplementedError, ImportError) as error:
        raise TrainingError(
            f"There is no optimizer {name!r}: neither {known}, nor in the installed pytorch-optimizer ({error})."
        ) from error
