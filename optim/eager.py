"""Optimizers without torch's compiler.

The first optimizer that a process makes imports all of it (some 800 modules, seconds of work), just to tell it to
leave a few methods alone. Nothing here is compiled, so those methods are used as they are written.
"""

from __future__ import annotations

import torch

_METHODS = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
_MARK = "__dynamo_disable"  # where torch keeps the method it calls instead; see torch/_compile.py


def leave_compiler_alone() -> None:
    """Make the methods of `torch.optim.Optimizer` that import the compiler call themselves instead.

    Where torch keeps them otherwise nothing changes, and the import happens as it always did.
    """
    for name in _METHODS:
        plain = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if plain is not None and getattr(plain, _MARK, None) is None:
            setattr(plain, _MARK, plain)
