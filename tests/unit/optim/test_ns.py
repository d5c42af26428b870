"""The NS optimizer against hand-worked steps and against torch's Adam."""

import copy
import io

import numpy as np
import pytest
import torch
from bench.ns_memory import peak_bytes

from optim.newton_schulz import SEED_COEFFICIENTS, modified_newton_schulz
from optim.ns import NS
from sim.errors import TrainingError


def parameters_with_gradients(*shapes, seed=0, dtype=torch.float32, size=0.05):
    generator = torch.Generator().manual_seed(seed)
    parameters = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    for p in parameters:
        p.requires_grad_()
        p.grad = (size * torch.randn(p.shape, generator=generator, dtype=torch.float64)).to(dtype)
    return parameters


def new_gradients(parameters, seed, size=0.05):
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.grad = (size * torch.randn(p.shape, generator=generator, dtype=torch.float64)).to(p.dtype)


def numpy_newton_schulz(X, steps):
    """Algorithm 1 as the note prints it, with the transposition that forms the LARGER Gram matrix."""
    a, b, c = SEED_COEFFICIENTS
    X = X / (np.linalg.norm(X) + 1e-7 * np.abs(X).max())
    transposed = X.shape[0] < X.shape[1]
    if transposed:
        X = X.T
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if transposed else X


def numpy_algorithm_2(params, gradients, *, lr, steps, scope, eps=1e-8, betas=(0.9, 0.999)):
    """Algorithm 2 as the note prints it, in float64, for a list of gradients per step."""
    params = [p.copy() for p in params]
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    for t, step_gradients in enumerate(gradients, start=1):
        total = np.sqrt(sum((g**2).sum() for g in step_gradients))
        for i, g in enumerate(step_gradients):
            norm = total if scope == "global" else np.linalg.norm(g)
            g = g * min(1.0, 1.0 / (norm + 1e-6))
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g**2
            m_hat, v_hat = m[i] / (1 - betas[0] ** t), v[i] / (1 - betas[1] ** t)
            params[i] -= lr * m_hat / np.sqrt(v_hat + eps)
        params = [numpy_newton_schulz(p, steps) if p.ndim == 2 else p for p in params]
    return params


@pytest.mark.parametrize("scope", ["global", "parameter"])
@pytest.mark.parametrize("size", [1e-4, 3.0])
def test_algorithm_2_against_the_note_worked_in_numpy(scope, size):
    """Algorithm 2 of the NS design note: clip, moments, bias correction, eps under the root, projection."""
    parameters = parameters_with_gradients((5, 3), (4, 4), (4, 4), (2, 6), (4,), (), dtype=torch.float64)
    start = [p.detach().numpy().copy() for p in parameters]
    optimizer = NS(parameters, lr=0.02, eps=1e-8, clip_scope=scope, dtype=torch.float64)
    gradients = []
    for step in range(4):
        new_gradients(parameters, seed=10 + step, size=size)
        gradients.append([p.grad.numpy().copy() for p in parameters])
        optimizer.step()
    expected = numpy_algorithm_2(start, gradients, lr=0.02, steps=6, scope=scope)
    for p, e in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), e, rtol=0, atol=1e-9)


def test_algorithm_2_one_step_by_hand():
    """Algorithm 2 of the NS design note on numbers small enough to follow.

    g = (3, 4) is clipped to (0.6, 0.8); after bias correction m^ = g and v^ = g^2, so each entry moves by lr
    towards -sign(g). The 1 x 2 matrix (1, 0) with gradient (0, 2), clipped to (0, 1), moves to (1, -0.5) and its
    one singular value, divided by the norm (and eps, 1e-7), is 1: a + b + c = 0.7010 after one iteration.
    """
    vector = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    matrix = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    vector.grad, matrix.grad = torch.tensor([3.0, 4.0]).double(), torch.tensor([[0.0, 2.0]]).double()
    NS([vector, matrix], lr=0.5, steps=1, eps=1e-30, clip_scope="parameter", dtype=torch.float64).step()
    np.testing.assert_allclose(vector.detach(), [0.5, 0.5], atol=1e-9)
    np.testing.assert_allclose(matrix.detach(), 0.7010 * np.array([[1.0, -0.5]]) / np.sqrt(1.25), atol=1e-6)


def test_without_matrices_it_is_adam():
    """Lines 2 to 8 of Algorithm 2 are `torch.optim.Adam`, with clipping by torch's own function."""
    ours = parameters_with_gradients((7,), (3, 2, 2), (5, 4), (4, 5))
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    optimizer = NS(ours, lr=0.01, orthogonalize=False)
    adam = torch.optim.Adam(theirs, lr=0.01, eps=1e-8)
    for step in range(20):
        new_gradients(ours, seed=step, size=10.0 if step % 2 else 0.01)
        for p, q in zip(ours, theirs, strict=True):
            q.grad = p.grad.clone()
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        optimizer.step()
        adam.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=2e-6, atol=2e-6)


def test_only_matrices_are_orthogonalized_and_only_where_asked():
    parameters = parameters_with_gradients((6, 6), (6,), (2, 3, 3), (6, 6), dtype=torch.float64)
    before = [p.detach().clone() for p in parameters]
    kept, free = parameters[:3], parameters[3:]
    optimizer = NS([{"params": kept}, {"params": free, "orthogonalize": False}], lr=1e-3)
    optimizer.step()
    values = torch.linalg.svdvals(kept[0].detach())
    assert values.min() > 0.6
    assert values.max() < 1.22
    for p, old in zip(parameters[1:], before[1:], strict=True):
        assert (p - old).abs().max() < 1.1e-3  # Adam's step alone


def test_polar_retraction_leaves_orthogonal_matrices():
    parameters = parameters_with_gradients((8, 3), (8, 8), (5, 8))
    NS(parameters, lr=0.01, retraction="polar").step()
    for p in parameters:
        assert (torch.linalg.svdvals(p.detach().double()) - 1).abs().max() < 1e-5


def test_batched_matrices_move_as_single_ones():
    """Equal shapes share one product; a network of one gives the same."""
    together = parameters_with_gradients((9, 9), (9, 9), (9, 9), (3, 9), dtype=torch.float64)
    alone = [p.detach().clone().requires_grad_() for p in together]
    for p, q in zip(together, alone, strict=True):
        q.grad = p.grad.clone()
    NS(together, clip=None, dtype=torch.float64).step()
    for q in alone:
        NS([q], clip=None, dtype=torch.float64).step()
    for p, q in zip(together, alone, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def tiny_network(dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    layers = [torch.nn.Linear(a, b, dtype=dtype) for a, b in ((3, 12), (12, 12), (12, 4))]
    for layer in layers:
        for p in layer.parameters():
            p.data = torch.randn(p.shape, generator=generator).to(dtype) * 0.3
    return torch.nn.Sequential(layers[0], torch.nn.ELU(), layers[1], torch.nn.ELU(), layers[2])


def train(network, optimizer, first, last):
    for step in range(first, last):
        points = torch.randn(32, 3, generator=torch.Generator().manual_seed(step)).to(network[0].weight.dtype)
        optimizer.zero_grad()
        network(points).float().square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("dtype", "settings"),
    [
        (torch.float32, {}),
        (torch.float64, {"retraction": "polar"}),
        (torch.float32, {"dtype": torch.bfloat16}),
        (torch.bfloat16, {"dtype": torch.bfloat16}),
        (torch.float32, {"dtype": torch.bfloat16, "masters": False}),
    ],
)
def test_a_saved_state_resumes_bit_for_bit(dtype, settings):
    network = tiny_network(dtype)
    optimizer = NS(network.parameters(), **settings)
    train(network, optimizer, 0, 5)
    file = io.BytesIO()
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, file)
    train(network, optimizer, 5, 10)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = tiny_network(dtype)
    resumed.load_state_dict(saved["network"])
    resumed_optimizer = NS(resumed.parameters(), **settings)
    resumed_optimizer.load_state_dict(saved["optimizer"])
    train(resumed, resumed_optimizer, 5, 10)
    for p, q in zip(network.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)


def test_copies_of_the_optimizer_are_independent_and_work():
    network = tiny_network()
    optimizer = NS(network.parameters())
    train(network, optimizer, 0, 2)
    twin, twin_optimizer = copy.deepcopy((network, optimizer))
    train(network, optimizer, 2, 4)
    train(twin, twin_optimizer, 2, 4)
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), twin.parameters(), strict=True))


def moved_by_small_steps(**settings):
    """How far a matrix comes in 200 steps of 1e-4 along one tangent direction, and how far it should."""
    generator = torch.Generator().manual_seed(1)
    start = modified_newton_schulz(torch.randn(16, 16, generator=generator), 6, dtype=torch.float32)
    p = start.clone().requires_grad_()
    optimizer = NS([p], lr=1e-4, clip=None, **settings)
    skew = torch.randn(16, 16, generator=generator)
    skew = skew - skew.T
    reference = start.clone().requires_grad_()
    exact = NS([reference], lr=1e-4, clip=None, dtype=torch.float64)
    for _ in range(200):
        for q, o in ((p, optimizer), (reference, exact)):
            q.grad = q.detach() @ skew
            o.step()
    polar = [torch.linalg.svd(q.detach().double()) for q in (start, p, reference)]
    start, got, wanted = (U @ Vh for U, _, Vh in polar)
    return ((got - start).norm() / (wanted - start).norm()).item(), (
        (got - wanted).norm() / wanted.norm()
    ).item()


def test_masters_keep_steps_that_bfloat16_swallows():
    """Algorithm 2 with Algorithm 1's bfloat16 loses small steps; the float32 master does not."""
    moved, error = moved_by_small_steps(dtype=torch.bfloat16)
    literal_moved, literal_error = moved_by_small_steps(dtype=torch.bfloat16, masters=False)
    assert abs(moved - 1) < 0.02
    assert error < 0.01
    assert literal_error > 2 * error or literal_moved < 0.9


def test_bfloat16_parameters_have_float32_state():
    network = tiny_network(torch.bfloat16)
    optimizer = NS(network.parameters())
    train(network, optimizer, 0, 2)
    for p in network.parameters():
        state = optimizer.state[p]
        assert state["exp_avg"].dtype == state["exp_avg_sq"].dtype == state["master"].dtype == torch.float32
        assert torch.equal(state["master"].bfloat16(), p.detach())


def test_a_gradient_that_is_not_finite_costs_one_step_not_the_run():
    parameters = parameters_with_gradients((6, 6), (6,))
    optimizer = NS(parameters)
    optimizer.step()
    parameters[0].grad[2, 3], parameters[1].grad[1] = torch.nan, torch.inf
    optimizer.step()
    for p in parameters:
        assert torch.isfinite(p).all()
        assert all(torch.isfinite(value).all() for value in optimizer.state[p].values())


def test_closure_schedulers_and_missing_gradients():
    parameters = parameters_with_gradients((4, 4), (4, 4))
    parameters[1].grad = None
    untouched = parameters[1].detach().clone()
    optimizer = NS(parameters, lr=torch.tensor(1e-2))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    loss = optimizer.step(lambda: parameters[0].square().sum())
    schedule.step()
    assert loss.item() > 0
    assert torch.equal(parameters[1], untouched)
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(5e-3)
    assert NS([torch.zeros(2, requires_grad=True)]).step() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "lr"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"clip_scope": "layer"}, "clip_scope"),
        ({"clip": 0.0}, "clip"),
        ({"retraction": "qr"}, "retraction"),
        ({"steps": -1}, "steps"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, message):
    with pytest.raises(TrainingError, match=message):
        NS([torch.zeros(2, 2, requires_grad=True)], **settings)


def test_complex_parameters_and_sparse_gradients_are_refused_with_a_reason():
    with pytest.raises(TrainingError, match="real"):
        NS([torch.zeros(2, 2, dtype=torch.complex64, requires_grad=True)])
    embedding = torch.nn.Embedding(4, 3, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(TrainingError, match="sparse"):
        NS(embedding.parameters()).step()


def test_section_3_3_state_is_two_moments_and_no_more():
    """Section 3.3 of the NS design note: m and v, each of the parameter's size (and one step count)."""
    parameters = parameters_with_gradients((40, 40), (40,))
    optimizer = NS(parameters)
    optimizer.step()
    for p in parameters:
        assert set(optimizer.state[p]) == {"step", "exp_avg", "exp_avg_sq"}
        moments = optimizer.state[p]["exp_avg"].nbytes + optimizer.state[p]["exp_avg_sq"].nbytes
        assert moments == 2 * p.nbytes


@pytest.mark.parametrize("shape", [(256, 256), (256, 64), (64, 256)])
def test_section_3_3_algorithm_1_needs_three_times_the_parameter(shape):
    """Section 3.3 of the NS design note: temporaries of about 3x the parameter for 2D ones; a step needs no more."""
    (p,) = parameters_with_gradients(shape)
    assert 1 < peak_bytes(lambda: modified_newton_schulz(p.detach(), dtype=torch.float32)) / p.nbytes <= 3.01
    assert peak_bytes(NS([p]).step) / p.nbytes <= 3.01
