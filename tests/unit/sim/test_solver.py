"""Newton's method on its own: where it ends, and that it never ends higher than it began."""

import numpy as np
import pytest
import torch
from sample_bodies import BEAM, box_shape, make_body

import sim.solver as solver
from sim import Body, HandleBasis, Material, World
from sim.incremental_potential import IncrementalPotential
from sim.solver import factorize, minimize


def potential(body, load, timestep=0.05):
    z = body.position
    return IncrementalPotential(body.elasticity, 1.0, load, z, np.zeros_like(z), timestep)


@pytest.fixture
def problem(rng):
    body = make_body(box_shape(BEAM, count=512), handles=5)
    load = 300 * rng.normal(size=body.position.shape) / np.arange(1, body.space.rank + 1)
    return potential(body, load), body.position


def test_it_ends_where_the_gradient_is_zero(problem):
    energy, z = problem
    solution = minimize(energy, z, residual_scale=1.0, tolerance=1e-6)
    assert solution.converged
    assert np.linalg.norm(energy.energy_gradient(solution.z)[1]) < 1e-6
    assert solution.energy < energy.energy_gradient(z)[0]


def test_quasi_newton_ends_where_newton_ends(problem, monkeypatch):
    energy, z = problem
    newton = minimize(energy, z, residual_scale=1.0, tolerance=1e-7)
    monkeypatch.setattr(solver, "_NEWTON_RANK", 0)
    quasi = minimize(energy, z, residual_scale=1.0, tolerance=1e-7)
    assert quasi.converged
    assert quasi.factorizations < quasi.iterations
    np.testing.assert_allclose(quasi.z, newton.z, atol=1e-6 * np.abs(newton.z).max())
    again = minimize(energy, z, residual_scale=1.0, tolerance=1e-7, factor=quasi.factor)
    assert again.factorizations <= quasi.factorizations


@pytest.mark.parametrize("size", [0.1, 1.0, 10.0])
def test_it_never_ends_higher_than_it_began(size, rng):
    body = make_body(box_shape(BEAM, count=512), handles=5)
    energy = potential(body, np.zeros_like(body.position), timestep=10.0)
    for _ in range(5):
        z = size * rng.normal(size=body.position.shape)
        solution = minimize(energy, z, residual_scale=1.0, tolerance=1e-3, max_iterations=15)
        assert solution.energy <= energy.energy_gradient(z)[0]
        assert np.isfinite(solution.z).all()


def test_an_indefinite_hessian_is_filtered_and_the_factor_solves(rng):
    body = make_body(box_shape(BEAM, count=512), handles=5)
    energy = potential(body, np.zeros_like(body.position), timestep=100.0)
    squashed = body.space.affine_state(np.diag([0.05, 1.0, 1.0]), np.zeros(3))
    assert np.linalg.eigvalsh(energy.hessian(squashed, filtered=False).astype(float))[0] < 0
    factor, filtered = factorize(energy, squashed, filtered=False)
    assert filtered
    g = rng.normal(size=squashed.shape)
    assert (factor.solve(g) * g).sum() > 0


def test_a_factor_solves_its_system(rng):
    body = make_body(box_shape(BEAM, count=512), handles=5)
    energy = potential(body, np.zeros_like(body.position))
    factor, _ = factorize(energy, body.position, filtered=False)
    g = rng.normal(size=body.position.shape)
    H = energy.hessian(body.position, filtered=False).astype(float)
    np.testing.assert_allclose(factor.solve(g).ravel(), np.linalg.solve(H, g.ravel()), rtol=1e-3, atol=1e-7)


def test_the_linear_law_gives_timoshenkos_cantilever():
    """A slender beam under its own small weight: `q L^4 / 8 E I + q L^2 / 2 kappa G A`."""
    L, t = 1.0, 0.125
    shape = box_shape((L, t, t), count=8192, origin=(0.0, -t / 2, -t / 2))
    young, nu, density, g = 1e7, 0.0, 1000.0, 0.1

    def polynomials(x):
        s = 2 * x[:, :1] - 1
        return s ** (1 + (torch.arange(6, dtype=x.dtype)))

    basis = HandleBasis.from_function(polynomials, handles=7)
    body = Body(shape, Material(young, nu, density, law="linear"), basis, "clusters")
    world = World(gravity=(0, -g, 0), timestep=10.0, device="cpu", tolerance=1e-9)
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] < 1e-9, stiffness=1e9)  # no sample, but the corners of the end
    for _ in range(50):
        world.step()
    q, area, inertia = density * g * t * t, t * t, t**4 / 12
    shear = young / 2 / (1 + nu)
    expected = q * L**4 / (8 * young * inertia) + q * L**2 / (2 * 5 / 6 * shear * area)
    tip = -body.deform([[L, 0.0, 0.0]])[0, 1].item()
    assert tip == pytest.approx(expected, rel=0.02)
