"""Optimizers by name: each learns, saves its state, and is what it says."""

import importlib.util
import io

import pytest
import torch

from optim.baselines import DEFAULT_LEARNING_RATES, MatricesAndRest, build_optimizer, hidden_matrices
from optim.curvature import IsotropicCurvature
from optim.ns import NS
from sim.errors import TrainingError


def network():
    torch.manual_seed(0)
    sizes = ((3, 16), (16, 16), (16, 16), (16, 5))
    parts = [part for a, b in sizes for part in (torch.nn.Linear(a, b), torch.nn.ELU())][:-1]
    return torch.nn.Sequential(*parts)


def train(net, optimizer, first, last):
    losses = []
    for step in range(first, last):
        points = torch.randn(64, 3, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = (net(points) - points.norm(dim=1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", sorted(DEFAULT_LEARNING_RATES))
def test_every_optimizer_lowers_a_loss_at_its_own_rate(name):
    net = network()
    losses = train(net, build_optimizer(name, net), 0, 60)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("name", sorted(DEFAULT_LEARNING_RATES))
def test_a_saved_state_resumes_bit_for_bit(name):
    net = network()
    optimizer = build_optimizer(name, net, lr=0.003)
    train(net, optimizer, 0, 5)
    file = io.BytesIO()
    torch.save([net.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    resumed = network()
    resumed.load_state_dict(weights)
    resumed_optimizer = build_optimizer(name, resumed, lr=0.003)
    resumed_optimizer.load_state_dict(state)
    assert train(net, optimizer, 5, 10) == train(resumed, resumed_optimizer, 5, 10)


@pytest.mark.parametrize("name", sorted(DEFAULT_LEARNING_RATES))
def test_learning_rates_in_the_groups_are_the_ones_used(name):
    net = network()
    optimizer = build_optimizer(name, net, steps=0) if name == "ns" else build_optimizer(name, net)
    for group in optimizer.param_groups:
        assert group["lr"] == DEFAULT_LEARNING_RATES[name]
        group["lr"] = 0.0
    before = [p.detach().clone() for p in net.parameters()]
    train(net, optimizer, 0, 2)
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_names_and_settings_reach_the_optimizer():
    net = network()
    assert isinstance(build_optimizer("NS", net, steps=3), NS)
    assert build_optimizer("ns", net, steps=3).param_groups[0]["steps"] == 3
    assert isinstance(build_optimizer("adam", list(net.parameters()), betas=(0.5, 0.9)), torch.optim.Adam)
    muon = build_optimizer("muon", net, momentum=0.8)
    assert muon.param_groups[0]["momentum"] == 0.8
    assert muon.param_groups[0]["weight_decay"] == 0.0


def test_muon_has_the_hidden_matrices_and_adam_the_rest():
    """The same step as torch's Muon and torch's Adam, each on its own."""
    net, twin = network(), network()
    train(net, build_optimizer("muon", net, lr=0.01), 0, 4)
    hidden = [twin[2].weight, twin[4].weight]
    rest = [p for p in twin.parameters() if all(p is not q for q in hidden)]

    class Both:
        parts = (
            torch.optim.Muon(hidden, lr=0.01, weight_decay=0.0),
            torch.optim.Adam(rest, lr=0.01, foreach=True),
        )

        def zero_grad(self):
            for part in self.parts:
                part.zero_grad()

        def step(self):
            for part in self.parts:
                part.step()

    train(twin, Both(), 0, 4)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), twin.parameters(), strict=True))


def test_hidden_matrices_leave_out_the_layer_of_positions_and_that_of_outputs():
    net = network()
    assert [p.shape for p in hidden_matrices(net.parameters())] == [(16, 16), (16, 16)]
    features_only = net[:6]  # its last matrix is square: features, not outputs
    assert len(hidden_matrices(features_only.parameters())) == 2
    assert hidden_matrices(torch.nn.Linear(3, 5).parameters()) == []
    assert len(build_optimizer("muon", torch.nn.Linear(3, 5)).param_groups) == 1


def test_a_schedule_reaches_both_parts():
    net = network()
    optimizer = build_optimizer("curvature", net, lr=0.1)
    assert isinstance(optimizer, MatricesAndRest)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    train(net, optimizer, 0, 1)
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.05]
    assert isinstance(optimizer._parts[0], IsotropicCurvature)
    assert optimizer._parts[0].param_groups[0]["lr"] == 0.05


def test_unknown_names_and_settings_are_answered_in_words():
    with pytest.raises(TrainingError, match="ns, adam, muon, curvature"):
        build_optimizer("no such optimizer", network())
    with pytest.raises(TrainingError, match="'adam' does not accept these settings"):
        build_optimizer("adam", network(), steps=6)


@pytest.mark.skipif(
    importlib.util.find_spec("pytorch_optimizer") is not None, reason="pytorch-optimizer is there"
)
def test_what_to_install_for_others():
    with pytest.raises(TrainingError, match="pip install pytorch-optimizer"):
        build_optimizer("soap", network())


@pytest.mark.skipif(
    importlib.util.find_spec("pytorch_optimizer") is None, reason="pytorch-optimizer is not installed"
)
def test_others_by_name():
    net = network()
    losses = train(net, build_optimizer("soap", net, lr=0.01), 0, 60)
    assert losses[-1] < losses[0]
