"""Optimizers without torch's compiler: not imported, and nothing else changed."""

import subprocess
import sys

import torch

from optim.baselines import build_optimizer
from optim.eager import leave_compiler_alone

SCRIPT = """
import sys, torch
from optim.baselines import build_optimizer
network = torch.nn.Linear(4, 4)
optimizer = build_optimizer("ns", network)
network(torch.ones(1, 4)).sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""


def test_the_default_optimizer_does_not_import_the_compiler():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_methods_do_what_they_did():
    leave_compiler_alone()
    leave_compiler_alone()  # a second time changes nothing
    network = torch.nn.Linear(3, 3)
    optimizer = build_optimizer("ns", network)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    other = build_optimizer("ns", torch.nn.Linear(3, 3))
    other.load_state_dict(state)
    assert other.state_dict()["param_groups"] == state["param_groups"]
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in network.parameters())
    other.add_param_group({"params": [torch.nn.Parameter(torch.ones(2, 2))]})
    assert len(other.param_groups) == len(state["param_groups"]) + 1
