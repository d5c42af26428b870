"""The oracle FEM against patch tests, beam theory, finite differences and conservation laws."""

import numpy as np
import pytest
from oracle import closed_forms
from oracle.bodies import LIMB_TIPS, box, five_limbs
from oracle.fem import BandedSystem, Clamp, Elasticity, Floor, Load, simulate
from oracle.laws import LinearElasticity, Material, StableNeoHookean
from oracle.meshes import bricks, hex_beam, hex_box, voxel_hexes, voxel_tets

RUBBER = Material(1e5, 0.45, 500.0)
SOFT = Material(1e5, 0.3, 500.0)
BAR = box((0, 0, 0), (1.0, 0.5, 0.5))
MESHES = {
    "trilinear": lambda: hex_box(*BAR.bounds, (3, 2, 2)),
    "triquadratic": lambda: hex_box(*BAR.bounds, (2, 1, 1), order=2),
    "tetrahedra": lambda: voxel_tets(BAR.inside, BAR.bounds, 4),
}
LAWS = [LinearElasticity, StableNeoHookean]


@pytest.fixture(params=MESHES, scope="module")
def mesh(request):
    return MESHES[request.param]()


def on_boundary(X):
    return ((np.isclose(X, BAR.bounds[0])) | (np.isclose(X, BAR.bounds[1]))).any(1)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("motion", ["stretch", "shear"])
def test_patch(mesh, law, motion):
    """Boundary held in a uniform deformation: the inside, started elsewhere, finds it exactly."""
    A = np.diag([0.15, -0.05, 0.0]) if motion == "stretch" else np.outer([1.0, 0, 0], [0, 0.2, 0])
    moved = mesh.nodes @ (np.eye(3) + A).T
    inner = ~on_boundary(mesh.nodes)
    start = moved + 0.02 * inner[:, None] * np.random.default_rng(0).standard_normal(moved.shape)
    result = simulate(
        mesh, RUBBER, law=law, dt=np.inf, steps=1, gravity=(0, 0, 0), clamps=[Clamp(on_boundary)], start=start
    )
    assert inner.any()
    np.testing.assert_allclose(result.positions[-1], moved, atol=1e-9)
    if motion == "shear":
        expected = closed_forms.simple_shear(0.2, RUBBER.lame[0]) * mesh.volume
        assert Elasticity(mesh, RUBBER, law).energy(result.positions[-1]) == pytest.approx(expected, rel=1e-9)


def test_rigid_motion_costs_nothing(mesh):
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    elasticity = Elasticity(mesh, RUBBER)
    x = mesh.nodes @ rotation.T + [3.0, -2.0, 1.0]
    assert abs(elasticity.energy(x)) < 1e-10 * RUBBER.young * mesh.volume
    assert np.abs(elasticity.gradient(x)).max() < 1e-9 * RUBBER.young


@pytest.mark.parametrize("law", LAWS)
def test_gradient_and_hessian_match_finite_differences(mesh, law):
    material = Material(np.linspace(5e4, 2e5, len(mesh.elements)), 0.4, 500.0)
    elasticity = Elasticity(mesh, material, law)
    rng = np.random.default_rng(7)
    x = mesh.nodes + 0.05 * rng.standard_normal(mesh.nodes.shape)
    way = rng.standard_normal(x.shape)
    step = 1e-6
    slope = (elasticity.energy(x + step * way) - elasticity.energy(x - step * way)) / (2 * step)
    gradient = elasticity.gradient(x)
    assert slope == pytest.approx((gradient * way).sum(), rel=1e-6)
    curve = (elasticity.gradient(x + step * way) - elasticity.gradient(x - step * way)) / (2 * step)
    blocks = elasticity.element_hessians(x)
    local = np.einsum("eij,ej->ei", blocks, way[mesh.elements].reshape(len(blocks), -1))
    product = np.zeros_like(x)
    np.add.at(product, mesh.elements, local.reshape(*mesh.elements.shape, 3))
    np.testing.assert_allclose(product, curve, atol=1e-6 * np.abs(curve).max())
    np.testing.assert_allclose(blocks, np.swapaxes(blocks, 1, 2), atol=1e-9 * np.abs(blocks).max())


def test_projected_hessians_are_positive_where_exact_ones_are_not(mesh):
    elasticity = Elasticity(mesh, RUBBER)
    crushed = mesh.nodes * [0.3, 1.0, 1.0] + 0.05 * np.random.default_rng(2).standard_normal(mesh.nodes.shape)
    exact = np.linalg.eigvalsh(elasticity.element_hessians(crushed))
    projected = np.linalg.eigvalsh(elasticity.element_hessians(crushed, positive=True))
    assert exact.min() < -1e-3 * exact.max()
    assert projected.min() > -1e-9 * exact.max()


def test_banded_system_solves_what_it_assembles():
    limbs = five_limbs()
    mesh = voxel_hexes(limbs.inside, limbs.bounds, 8)
    free = np.flatnonzero(mesh.nodes[:, 1] < 0.4)
    system = BandedSystem(mesh, free)
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((len(mesh.elements), 24, 24))
    blocks = factor @ np.swapaxes(factor, 1, 2) + 24 * np.eye(24)
    solution = np.zeros_like(mesh.nodes)
    solution[free] = rng.standard_normal((len(free), 3))
    local = np.einsum("eij,ej->ei", blocks, solution[mesh.elements].reshape(len(blocks), -1))
    right = np.zeros_like(solution)
    np.add.at(right, mesh.elements, local.reshape(*mesh.elements.shape, 3))
    np.testing.assert_allclose(system.solve(system.assemble(blocks), right), solution, atol=1e-9)


def cantilever_error(slenderness, poisson, n=12, m=2):
    """Tip deflection over Timoshenko's, minus 1: a bar 1 m long, clamped at x = 0, under a tiny own weight."""
    side = 1 / slenderness
    along, across = np.linspace(0, 1, n + 1) ** 2, np.linspace(0, side, m + 1)
    result = simulate(
        bricks((along, across, across), order=2),
        Material(1e6, poisson, 500.0),
        law=LinearElasticity,
        dt=np.inf,
        steps=1,
        gravity=(0, -1e-3, 0),
        clamps=[Clamp(lambda X: X[:, 0] < 1e-9)],
    )
    tip = side / 2 - result.evaluate(np.array([[1.0, side / 2, side / 2]]))[0, 1]
    theory = closed_forms.cantilever_tip(1.0, side, side, 1e6, poisson, line_load=0.5 * side**2)
    return tip / theory - 1


@pytest.mark.parametrize("slenderness", [5, 10])
def test_cantilever_meets_timoshenko(slenderness):
    assert abs(cantilever_error(slenderness, 0.0)) < 2e-3


@pytest.mark.parametrize("poisson", [0.3, 0.45])
def test_cantilever_with_poisson_effect_comes_near_timoshenko_as_it_gets_slender(poisson):
    """A fully clamped face cannot contract sideways, which theory leaves out: an effect of order height/length."""
    errors = [cantilever_error(slenderness, poisson) for slenderness in (5, 10, 20)]
    assert errors[0] < errors[1] < errors[2] < 0
    assert errors[1] > 0.6 * errors[0]
    assert errors[1] > -0.03
    assert errors[2] > -0.015


def test_cantilever_under_a_tip_load_meets_timoshenko():
    mesh = hex_box((0, 0, 0), (1.0, 0.1, 0.1), (40, 1, 1), order=2)
    result = simulate(
        mesh, Material(1e6, 0.0, 500.0), law=LinearElasticity, dt=np.inf, steps=1, gravity=(0, 0, 0),
        clamps=[Clamp(lambda X: X[:, 0] < 1e-9)], loads=[Load(lambda X: X[:, 0] > 0.975, (0, -0.1, 0))],
    )  # fmt: skip
    tip = 0.05 - result.evaluate(np.array([[0.9875, 0.05, 0.05]]))[0, 1]
    assert tip == pytest.approx(closed_forms.cantilever_tip(0.9875, 0.1, 0.1, 1e6, 0.0, force=0.1), rel=2e-3)


def test_trilinear_bricks_converge_to_triquadratic_ones():
    """Shear locking makes trilinear bricks stiff in bending; refined they come down to the quadratic answer."""

    def tip(mesh):
        result = simulate(
            mesh, RUBBER, law=LinearElasticity, dt=np.inf, steps=1, clamps=[Clamp(lambda X: X[:, 0] >= 0.98)]
        )
        return -result.evaluate(np.zeros((1, 3)))[0, 1]

    reference = tip(hex_beam((6, 2, 2), order=2, grading=2.0))
    errors = [1 - tip(hex_beam(n)) / reference for n in ((8, 2, 2), (16, 4, 4), (24, 6, 6))]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 0.06


def test_hanging_bar_stretches_as_hooke_says():
    mesh = hex_box((0, 0, 0), (0.1, 1.0, 0.1), (1, 6, 1), order=2)
    result = simulate(
        mesh, SOFT, law=LinearElasticity, dt=np.inf, steps=1, gravity=(0, -1.0, 0),
        clamps=[Clamp(lambda X: X[:, 1] > 1 - 1e-9)],
    )  # fmt: skip
    drop = -result.evaluate(np.array([[0.05, 0.0, 0.05]]))[0, 1]
    expected = closed_forms.hanging_bar_stretch(1.0, 1e5, 500.0, 1.0)
    assert drop == pytest.approx(expected, rel=0.02)


def test_flight_is_implicit_eulers_parabola(mesh):
    result = simulate(mesh, RUBBER, dt=0.02, steps=15, velocity=(1.0, 2.0, 0.0))
    moved = result.positions[-1] - mesh.nodes
    assert moved[:, 0] == pytest.approx(np.full(len(moved), 0.3))
    expected = closed_forms.fall_implicit_euler(15, 0.02, 10.0, velocity=2.0)
    assert moved[:, 1] == pytest.approx(np.full(len(moved), expected))
    assert expected == pytest.approx(closed_forms.fall(0.3, 10.0, velocity=2.0), abs=0.04)


def test_momentum_is_kept_and_energy_falls_without_forces(mesh):
    """A spinning, wobbling body: linear momentum to round-off; implicit Euler only loses energy."""
    rng = np.random.default_rng(4)
    velocity = np.cross([0.0, 3.0, 1.0], mesh.nodes - 0.25) + rng.standard_normal(mesh.nodes.shape)
    dt = 0.01
    result = simulate(mesh, SOFT, dt=dt, steps=10, gravity=(0, 0, 0), velocity=velocity, tolerance=1e-10)
    elasticity = Elasticity(mesh, SOFT)
    speeds = np.concatenate((velocity[None], np.diff(result.positions, axis=0) / dt))
    momenta = np.array([(elasticity.mass @ v).sum(0) for v in speeds])
    np.testing.assert_allclose(momenta, momenta[:1].repeat(11, 0), atol=1e-7 * np.abs(momenta).max())
    energies = [
        elasticity.energy(x) + 0.5 * (v * (elasticity.mass @ v)).sum()
        for x, v in zip(result.positions, speeds, strict=True)
    ]
    assert (np.diff(energies) < 0).all()
    assert energies[-1] > 0


def test_an_eigenmode_oscillates_as_implicit_euler_says():
    """A bar without Poisson effect, held at both ends: `sin(pi x)` is a mode of frequency `pi sqrt(E/rho)`."""
    mesh = hex_box((0, 0, 0), (1.0, 0.1, 0.1), (8, 1, 1), order=2)
    frequency = np.pi * np.sqrt(1e5 / 500.0)
    start = mesh.nodes + 1e-3 * np.sin(np.pi * mesh.nodes[:, :1]) * [1, 0, 0]
    dt, steps = 0.03 * 2 * np.pi / frequency, 40
    result = simulate(
        mesh, Material(1e5, 0.0, 500.0), law=LinearElasticity, dt=dt, steps=steps, gravity=(0, 0, 0),
        clamps=[Clamp(lambda X: (X[:, 0] < 1e-9) | (X[:, 0] > 1 - 1e-9))], start=start, tolerance=1e-9,
    )  # fmt: skip
    middle = np.argmin(np.linalg.norm(mesh.nodes - [0.5, 0, 0], axis=1))
    path = result.positions[:, middle, 0] - 0.5
    expected = 1e-3 * closed_forms.oscillator_implicit_euler(np.arange(steps + 1), dt, frequency)
    np.testing.assert_allclose(path, expected, atol=5e-6)


def test_block_rests_on_the_floor_at_its_penalty_depth():
    mesh = hex_box((0, 0, 0), (0.5, 0.5, 0.5), (2, 2, 2))
    stiff = Material(1e8, 0.3, 500.0)
    floor = Floor(height=0.0, stiffness=1e5)
    result = simulate(mesh, stiff, dt=0.05, steps=200, floor=floor, tolerance=1e-9)
    depth = -result.positions[-1][mesh.nodes[:, 1] < 1e-9, 1].mean()
    mass = 500.0 * 0.125
    # Nodes of the side walls on the bottom edge carry wall area too: the lumped area of all nodes at y = 0.
    area = mesh.boundary_areas()[mesh.nodes[:, 1] < 1e-9].sum()
    assert depth == pytest.approx(closed_forms.floor_rest_depth(mass, 10.0, 1e5 * area), rel=1e-3)


def test_a_floor_under_given_points_carries_the_weight_on_their_springs():
    mesh = hex_box((0, 0, 0), (0.5, 0.5, 0.5), (2, 2, 2))
    corners = np.array(
        [[0.07, 0, 0.07], [0.43, 0, 0.07], [0.07, 0, 0.43], [0.43, 0, 0.43], [0.25, 0.5, 0.25]]
    )
    floor = Floor(height=0.0, stiffness=1e5, points=corners, areas=np.array([0.05, 0.05, 0.05, 0.05, 1.0]))
    result = simulate(mesh, Material(1e8, 0.3, 500.0), dt=0.05, steps=200, floor=floor, tolerance=1e-9)
    depth = -result.evaluate(corners)[:4, 1]
    # The fifth point, on top, never touches.
    assert depth == pytest.approx(closed_forms.floor_rest_depth(62.5, 10.0, 1e5 * 0.2), rel=1e-3)


def test_a_pulled_limb_stretches_like_a_rod_and_balances_its_load():
    limbs = five_limbs()
    mesh = voxel_hexes(limbs.inside, limbs.bounds, 14)
    held, pulled = LIMB_TIPS[1], LIMB_TIPS[0]
    result = simulate(
        mesh, SOFT, dt=0.1, steps=30, gravity=(0, 0, 0),
        clamps=[Clamp(lambda X: np.linalg.norm(X - held, axis=1) < 0.12)],
        loads=[Load(lambda X: np.linalg.norm(X - pulled, axis=1) < 0.12, (40.0, 0.0, 0.0))],
    )  # fmt: skip
    moved = result.evaluate(LIMB_TIPS) - LIMB_TIPS
    assert np.linalg.norm(moved[1]) < 1e-9
    rod = 40.0 * 0.7 / (1e5 * np.pi * 0.09**2)  # F L / E A: the two limbs as one straight rod
    assert 0.5 * rod < moved[0, 0] < 2 * rod
    assert moved[0, 0] > moved[1:, 0].max() > 0
    reaction = Elasticity(mesh, SOFT).gradient(result.positions[-1])
    clamped = np.linalg.norm(mesh.nodes - held, axis=1) < 0.12
    assert reaction[clamped].sum(0) == pytest.approx([-40.0, 0.0, 0.0], abs=0.4)


def test_a_moving_clamp_carries_a_body_that_moves_with_it(mesh):
    lift = Clamp(lambda X: X[:, 0] < 1e-9, lambda t: np.array([0.0, t, 0.0]))
    result = simulate(mesh, RUBBER, dt=0.1, steps=3, gravity=(0, 0, 0), clamps=[lift], velocity=(0, 1.0, 0))
    np.testing.assert_allclose(
        result.positions[-1] - mesh.nodes, np.tile([0, 0.3, 0], (len(mesh.nodes), 1)), atol=1e-9
    )
