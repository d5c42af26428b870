"""The bound on handle energy: against known spectra, from above under refinement, never beaten by a candidate."""

import numpy as np
import pytest
from oracle.bodies import box, five_limbs
from oracle.bound import (
    Quadrature,
    dirichlet_form,
    fe_spectrum,
    frame,
    gauss_quadrature,
    linear_elastic_form,
    rayleigh_quotients,
    rbf_spectrum,
    spline_spectrum,
)
from oracle.meshes import hex_box, inside_grid, voxel_hexes

BEAM = box((0, -0.125, -0.125), (1, 0.125, 0.125))
SIDES = np.ptp(BEAM.bounds, axis=0)
CENTRE = BEAM.bounds.mean(0)


def beam_mesh(n, order=1):
    return hex_box(*BEAM.bounds, (n, max(n // 4, 1), max(n // 4, 1)), order=order)


def training_form(points):
    """The training energy with `lambda/2 + 2 mu = 1`, in the beam's frame."""
    return linear_elastic_form(points, 0.5, 0.0, centre=CENTRE, scale=1.0)


def cosine_spectrum(sides, count):
    """Lowest positive eigenvalues of the Laplacian on a box with free ends: `sum (k_i pi / L_i)^2`."""
    k = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.sort((np.pi**2 * (k / sides) ** 2).sum(1))[1 : count + 1]


def cosine_modes(points, sides, low, count):
    """The eigenfunctions themselves and their gradients, (n, count), (n, count, 3)."""
    k = np.stack(np.meshgrid(*[np.arange(12)] * 3, indexing="ij"), -1).reshape(-1, 3)
    k = k[np.argsort(((k / sides) ** 2).sum(1), kind="stable")][1 : count + 1]
    angle = np.pi * k / sides * (points - low)[:, None, :]
    cosines, sines = np.cos(angle), -np.sin(angle) * np.pi * k / sides
    gradients = [
        np.stack([sines[..., d] if d == e else cosines[..., d] for d in range(3)], -1).prod(-1)
        for e in range(3)
    ]
    return cosines.prod(-1), np.stack(gradients, -1)


def test_dirichlet_spectrum_of_a_box_is_the_cosines():
    volume = SIDES.prod()
    expected = volume * cosine_spectrum(SIDES, 9)
    errors = []
    for n in (8, 16):
        mesh = beam_mesh(n, order=2)
        energies, _ = fe_spectrum(mesh, dirichlet_form, gauss_quadrature(mesh), 9)
        assert (energies > expected * (1 - 1e-9)).all()
        errors.append((energies / expected - 1).max())
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 8


def test_cosines_have_their_own_rayleigh_quotients():
    points, volumes = inside_grid(BEAM.inside, BEAM.bounds, 64)
    values, gradients = cosine_modes(points, SIDES, BEAM.bounds[0], 20)
    mixed = np.random.default_rng(0).standard_normal((20, 20))
    energies = rayleigh_quotients(
        values @ mixed + 3.0,
        np.einsum("nka,kl->nla", gradients, mixed),
        dirichlet_form(points),
        Quadrature(points, volumes),
    )
    np.testing.assert_allclose(energies, volumes.sum() * cosine_spectrum(SIDES, 20), rtol=5e-3)


def test_dependent_functions_are_dropped_and_the_constant_too():
    points, volumes = inside_grid(BEAM.inside, BEAM.bounds, 32)
    values, gradients = cosine_modes(points, SIDES, BEAM.bounds[0], 5)
    doubled = np.concatenate((np.ones((len(points), 1)), values, values[:, :2] + values[:, 2:4]), 1)
    slopes = np.concatenate(
        (np.zeros((len(points), 1, 3)), gradients, gradients[:, :2] + gradients[:, 2:4]), 1
    )
    quadrature, form = Quadrature(points, volumes), training_form(points)
    once = rayleigh_quotients(values, gradients, form, quadrature)
    assert len(once) == 5
    np.testing.assert_allclose(rayleigh_quotients(doubled, slopes, form, quadrature), once, rtol=1e-8)


def test_bound_decreases_with_refinement_and_orders_agree():
    figures = {}
    for order, sizes in ((1, (8, 16, 32)), (2, (8, 16))):
        for n in sizes:
            mesh = beam_mesh(n, order)
            figures[order, n] = fe_spectrum(mesh, training_form, gauss_quadrature(mesh), 9)[0].sum()
    assert figures[1, 8] > figures[1, 16] > figures[1, 32] > figures[2, 16]
    assert figures[2, 8] > figures[2, 16]
    extrapolated = figures[1, 32] + (figures[1, 32] - figures[1, 16]) / 3
    assert extrapolated == pytest.approx(figures[2, 16], rel=2e-3)


def test_gaussians_come_to_the_same_bound():
    points, volumes = inside_grid(BEAM.inside, BEAM.bounds, 32)
    centres, _ = inside_grid(BEAM.inside, BEAM.bounds, 12)
    energies = rbf_spectrum(centres, 0.15, training_form, Quadrature(points, volumes))
    mesh = beam_mesh(16, order=2)
    bound = fe_spectrum(mesh, training_form, gauss_quadrature(mesh), 9)[0].sum()
    assert energies[:9].sum() == pytest.approx(bound, rel=0.02)


def test_modes_are_orthonormal_and_reproduce_their_energies():
    mesh = beam_mesh(16, order=2)
    quadrature = gauss_quadrature(mesh)
    energies, modes = fe_spectrum(mesh, training_form, quadrature, 9)
    values = mesh.interpolation(quadrature.points) @ modes
    gradients = np.stack([d @ modes for d in mesh.differentiation(quadrature.points)], -1)
    np.testing.assert_allclose(values.T @ (quadrature.masses[:, None] * values), np.eye(9), atol=1e-8)
    np.testing.assert_allclose(quadrature.masses @ values, 0, atol=1e-8)
    again = rayleigh_quotients(values, gradients, training_form(quadrature.points), quadrature)
    np.testing.assert_allclose(again, energies, rtol=1e-8)


def test_no_candidate_beats_the_bound():
    mesh = beam_mesh(16, order=2)
    quadrature = gauss_quadrature(mesh)
    bound = fe_spectrum(mesh, training_form, quadrature, 9)[0].sum()
    form = training_form(quadrature.points)
    cosines = rayleigh_quotients(*cosine_modes(quadrature.points, SIDES, BEAM.bounds[0], 9), form, quadrature)
    x = quadrature.points - CENTRE
    polynomials = np.concatenate((x, x**2, x[:, :1] * x, x[:, :1] ** 3), 1)
    slopes = np.zeros((*polynomials.shape, 3))
    for d in range(3):
        slopes[:, d, d] = 1
        slopes[:, 3 + d, d] = 2 * x[:, d]
        slopes[:, 6 + d, d] = x[:, 0]
        slopes[:, 6 + d, 0] += x[:, d]
    slopes[:, 9, 0] = 3 * x[:, 0] ** 2
    powers = rayleigh_quotients(polynomials, slopes, form, quadrature)
    assert cosines.sum() > bound
    assert powers[:9].sum() > bound


def test_the_form_is_the_expected_energy_of_random_transforms():
    """Sampling `T ~ N(0, 1)` in linear elasticity gives the quadratic form, per point and on average."""
    rng = np.random.default_rng(0)
    points = np.array([[0.3, -0.2, 0.1], [0.9, 0.1, 0.0]])
    centre, scale = np.array([0.1, 0.0, 0.2]), 2.0
    mu, lambda_0 = 3.0, 5.0
    state = rng.standard_normal((2, 4))
    form = linear_elastic_form(points, mu, lambda_0, centre=centre, scale=scale)
    expected = np.einsum("ni,nij,nj->n", state, form, state)
    X = (points - centre) / scale
    G = scale * state[:, 1:]
    T = rng.standard_normal((400_000, 3, 4))
    for i in range(2):
        g = state[i, 0] * np.eye(4, 3) + np.outer(np.append(X[i], 1), G[i])
        H = T @ g
        strain = (H + H.transpose(0, 2, 1)) / 2
        energy = mu * (strain**2).sum((1, 2)) + lambda_0 / 2 * np.trace(strain, axis1=1, axis2=2) ** 2
        assert energy.mean() == pytest.approx(expected[i], abs=5 * energy.std() / np.sqrt(len(T)))


def test_materials_that_vary_count_where_they_are():
    """Twice the stiffness everywhere doubles the bound; in one half it is between."""
    mesh = beam_mesh(8, order=2)
    quadrature = gauss_quadrature(mesh)

    def energy(mu):
        def form(X):
            return linear_elastic_form(X, mu(X), 0.0, centre=CENTRE, scale=1.0)

        return fe_spectrum(mesh, form, quadrature, 9)[0].sum()

    soft, hard = energy(lambda X: np.full(len(X), 0.5)), energy(lambda X: np.full(len(X), 1.0))
    mixed = energy(lambda X: np.where(X[:, 0] > 0.5, 1.0, 0.5))
    assert hard == pytest.approx(2 * soft, rel=1e-9)
    assert 1.1 * soft < mixed < 0.95 * hard


def test_a_cut_body_converges_too():
    limbs = five_limbs()
    centre, scale = frame(Quadrature(*inside_grid(limbs.inside, limbs.bounds, 64)))

    def form(X):
        return linear_elastic_form(X, 0.5, 0.0, centre=centre, scale=scale)

    figures = []
    for n in (10, 15, 20):
        mesh = voxel_hexes(limbs.inside, limbs.bounds, n)
        figures.append(fe_spectrum(mesh, form, gauss_quadrature(mesh), 9)[0].sum())
    assert figures[0] > figures[1] > figures[2]
    assert figures[1] / figures[2] - 1 < 0.05


def brick_quadrature(n):
    """Five Gauss points a direction in each of n bricks: places, sides, and the points."""
    cells = np.stack(np.meshgrid(*[np.arange(k) for k in n], indexing="ij"), -1).reshape(-1, 3)
    side = SIDES / n
    t, w = np.polynomial.legendre.leggauss(5)
    unit = np.stack(np.meshgrid(t, t, t, indexing="ij"), -1).reshape(-1, 3) / 2 + 0.5
    volumes = np.einsum("i,j,k->ijk", w, w, w).ravel() / 8 * side.prod()
    points = BEAM.bounds[0] + (cells[:, None] + unit).reshape(-1, 3) * side
    return cells, side, Quadrature(points, np.tile(volumes, len(cells)))


def test_splines_come_to_the_bound_of_finite_elements():
    cells, side, quadrature = brick_quadrature((16, 4, 4))
    none = np.zeros(len(quadrature.points))
    energies = spline_spectrum(cells, side, training_form(quadrature.points), none, quadrature, 9)
    mesh = beam_mesh(16, order=2)
    bound = fe_spectrum(mesh, training_form, gauss_quadrature(mesh), 9)[0].sum()
    assert energies.sum() == pytest.approx(bound, rel=1e-3)
    assert energies.sum() < bound


def test_functions_that_bend_have_the_energies_of_a_free_beam():
    """Of the squared Hessian alone: linear functions are free, and the lowest of x has `(4.7300 / L)^4` (Rayleigh)."""
    cells, side, quadrature = brick_quadrature((8, 2, 2))
    none, one = np.zeros((len(quadrature.points), 4, 4)), np.ones(len(quadrature.points))
    energies = spline_spectrum(cells, side, none, one, quadrature, 4) / SIDES.prod()
    np.testing.assert_allclose(energies[:3], 0, atol=1e-5)
    assert energies[3] == pytest.approx((4.7300407 / SIDES[0]) ** 4, rel=1e-4)


def test_hessians_count_in_rayleigh_quotients():
    """Twice `x y` has 8 in its squared Hessian, and the mass of a product of two centred coordinates."""
    _, _, quadrature = brick_quadrature((2, 2, 2))
    x, y, _ = (quadrature.points - CENTRE).T
    hessians = np.zeros((len(x), 1, 3, 3))
    hessians[:, 0, 0, 1] = hessians[:, 0, 1, 0] = 2.0
    energies = rayleigh_quotients(
        (2 * x * y)[:, None],
        np.zeros((len(x), 1, 3)),
        np.zeros((len(x), 4, 4)),
        quadrature,
        hessians=hessians,
        bend=np.full(len(x), 3.0),
    )
    mass = 4 * SIDES[0] ** 2 / 12 * SIDES[1] ** 2 / 12
    assert energies == pytest.approx(3.0 * 8 * SIDES.prod() / mass, rel=1e-9)
