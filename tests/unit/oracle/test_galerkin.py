"""The plain reduced model: equal to the FEM in the FEM's own functions; then the judge of the fast one."""

import numpy as np
import pytest
import torch
from oracle import fem, galerkin
from oracle.laws import LinearElasticity, Material, StableNeoHookean
from oracle.meshes import hex_box

from sim import Body, HandleBasis, Shape, World
from sim import Material as SimMaterial

SIDES = np.array([1.0, 0.25, 0.25])


def midpoints(counts):
    ticks = [(np.arange(m) + 0.5) / m for m in counts]
    return np.stack(np.meshgrid(*ticks, indexing="ij"), -1).reshape(-1, 3) * SIDES


@pytest.mark.parametrize("law", [LinearElasticity, StableNeoHookean])
def test_in_the_functions_of_a_mesh_it_is_the_fem(law):
    """The clamp is a spring here: stiff enough, both hold the same end."""
    mesh = hex_box((0, 0, 0), SIDES, (4, 1, 1))
    material = Material(1e5, 0.4, 500.0)
    free = np.flatnonzero(mesh.nodes[:, 0] > 1e-9)
    points = mesh.quadrature_points.reshape(-1, 3)
    functions = galerkin.Functions(
        points,
        mesh.weights.ravel(),
        mesh.interpolation(points).toarray()[:, free],
        np.stack([d.toarray()[:, free] for d in mesh.differentiation(points)], -1),
    )
    functions, mix = galerkin.orthonormalized(functions, 500.0)
    states = galerkin.simulate(functions, material, dt=0.05, steps=8, law=law)
    exact = fem.simulate(
        mesh,
        material,
        dt=0.05,
        steps=8,
        law=law,
        clamps=[fem.Clamp(lambda X: X[:, 0] < 1e-9)],
        tolerance=1e-9,
    )
    np.testing.assert_allclose(mesh.nodes[free] + mix @ states[-1], exact.positions[-1][free], atol=1e-9)
    assert np.abs(exact.positions[-1] - mesh.nodes).max() > 0.1


def cosine_basis(count):
    """Cosines along the bar, and the first across it."""
    k = torch.tensor([[i, 0, 0] for i in range(1, count)] + [[0, 1, 0]], dtype=torch.float64)
    wave = torch.pi * k / torch.from_numpy(SIDES)
    return HandleBasis.from_function(
        lambda x: torch.cos(wave.to(x) * x[:, None, :]).prod(-1), handles=count + 1
    )


def test_the_simulator_with_every_point_is_the_plain_model():
    """Same functions, points and springs: what is left is the simulator's stopping test, here 1e-7 of its size."""
    points = midpoints((20, 4, 4))
    volumes = np.full(len(points), SIDES.prod() / len(points))
    basis = cosine_basis(5)
    weights, gradients = (t.numpy() for t in basis.weights_and_gradients(torch.from_numpy(points)))
    functions = galerkin.affine_functions(points, volumes, weights, gradients, points.mean(0))
    functions, _ = galerkin.orthonormalized(functions, 500.0)
    held = points[:, 0] > 0.9
    states = galerkin.simulate(
        functions, Material(1e5, 0.45, 500.0), dt=0.05, steps=20, held=held, stiffness=1e7
    )

    shape = Shape.from_samples(points, volume=float(SIDES.prod()))
    material = SimMaterial(young=1e5, poisson=0.45, density=500.0)
    body = Body(shape, material, basis, cubature=(points, volumes))
    world = World(gravity=(0, -10, 0), timestep=0.05, device="cpu", tolerance=1e-7)
    world.add(body)
    world.pin(body, where=lambda X: X[:, 0] > 0.9, stiffness=1e7)
    for state in states[1:]:
        world.step()
        np.testing.assert_allclose(body.deform(points).numpy(), points + functions.values @ state, atol=2e-6)
    assert np.abs(functions.values @ states[-1]).max() > 0.2
