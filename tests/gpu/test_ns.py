"""The NS optimizer on a CUDA device: equal to the CPU, and captured in a graph without waiting for the device."""

import pytest
import torch

from optim.newton_schulz import inverse_square_root, modified_newton_schulz, polar_factor
from optim.ns import NS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def parameters(device):
    generator = torch.Generator().manual_seed(0)
    made = [
        torch.randn(s, generator=generator, dtype=torch.float64) for s in ((16, 3), (16, 16), (16, 16), (16,))
    ]
    made = [p.to(device).requires_grad_() for p in made]
    for p in made:
        p.grad = torch.zeros_like(p)
    return made


def set_gradients(params, seed):
    generator = torch.Generator().manual_seed(seed)
    for p in params:
        p.grad.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))


def test_newton_schulz_equals_the_cpu():
    matrix = torch.randn(3, 20, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for function in (lambda m: modified_newton_schulz(m, dtype=torch.float64), polar_factor):
        torch.testing.assert_close(function(matrix.cuda()).cpu(), function(matrix), rtol=0, atol=1e-10)
    gram = matrix.mT @ matrix
    torch.testing.assert_close(inverse_square_root(gram.cuda()).cpu(), inverse_square_root(gram))


def test_steps_equal_the_cpu():
    here, there = parameters("cpu"), parameters("cuda")
    optimizers = [NS(params, dtype=torch.float64) for params in (here, there)]
    for step in range(5):
        for params, optimizer in zip((here, there), optimizers, strict=True):
            set_gradients(params, step)
            optimizer.step()
    for p, q in zip(here, there, strict=True):
        torch.testing.assert_close(p, q.cpu(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"dtype": torch.bfloat16}, {"retraction": "polar"}])
def test_a_captured_step_equals_an_ordinary_one(settings):
    """`step` must not wait for the device: capture refuses that."""
    ordinary, captured = parameters("cuda"), parameters("cuda")
    rate = torch.tensor(5e-3, device="cuda")
    one, other = NS(ordinary, lr=rate, **settings), NS(captured, lr=rate, **settings)
    set_gradients(ordinary, 0)
    set_gradients(captured, 0)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        other.step()  # makes the state
    torch.cuda.current_stream().wait_stream(stream)
    one.step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        other.step()
    for step in range(1, 4):
        rate.fill_(5e-3 / step)
        set_gradients(ordinary, step)
        set_gradients(captured, step)
        one.step()
        graph.replay()
    for p, q in zip(ordinary, captured, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-9)
