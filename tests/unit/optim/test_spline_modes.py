"""The body's modes: against the oracle's finite elements, and on bodies that make trouble."""

import numpy as np
import pytest
import torch
from oracle.bound import Quadrature, fe_spectrum, linear_elastic_form
from oracle.meshes import hex_box
from scipy.stats import qmc

from optim.spline_modes import spline_modes

SIDES = np.array([1.0, 0.3, 0.2])


def modes_of(samples, count, **options):
    samples = torch.from_numpy(samples)
    share = torch.full((len(samples),), 1 / len(samples), dtype=torch.float64)
    return spline_modes(samples, share, share, count, centre=samples.mean(0), scale=1.0, **options)


def energies_of(field, samples):
    """By numpy alone: the form of the oracle on the functions as they are."""
    values, gradients = (t.numpy() for t in field.value_and_gradient(torch.from_numpy(samples)))
    form = linear_elastic_form(samples, 2 / 5, 2 / 5, centre=samples.mean(0), scale=1.0)
    state = np.concatenate((values[:, :, None], gradients), 2)
    return np.einsum("nki,nij,nkj->k", state, form, state) / len(samples)


@pytest.mark.parametrize(
    ("cells", "above"), [(70, 0.05), (600, 0.004)], ids=["dense solver", "sparse solver"]
)
def test_modes_come_down_on_the_energies_of_finite_elements(cells, above):
    samples = qmc.Sobol(3, seed=0).random(2**16) * SIDES
    field = modes_of(samples, 9, cells=cells)
    places = np.floor((samples - field.grid.low.numpy()) / field.grid.spacing)
    assert 0.7 * cells < len(np.unique(places, axis=0)) <= cells
    mesh = hex_box((0, 0, 0), SIDES, (12, 4, 3), order=2)
    points, volumes = mesh.quadrature_points.reshape(-1, 3), mesh.weights.ravel()
    form = linear_elastic_form(points, 2 / 5, 2 / 5, centre=samples.mean(0), scale=1.0)
    exact, _ = fe_spectrum(mesh, lambda _: form, Quadrature(points, volumes / volumes.sum()), 9)
    over = energies_of(field, samples) / exact - 1
    assert over.min() > -0.002  # the splines' space is part of all functions; this much is quadrature
    assert over.max() < above


def test_modes_are_orthonormal_and_have_no_mean():
    samples = qmc.Sobol(3, seed=0).random(4096) * SIDES
    w = modes_of(samples, 12).value(torch.from_numpy(samples)).numpy()
    np.testing.assert_allclose(w.mean(0), 0, atol=1e-8)
    np.testing.assert_allclose(w.T @ w / len(w), np.eye(12), atol=1e-7)


def test_modes_go_on_smoothly_to_the_surface_they_are_covered_to():
    """Splines that hardly overlap the samples follow their neighbours instead of falling to zero."""
    samples = qmc.Sobol(3, seed=0).random(8192) * SIDES * 0.97
    corner = torch.from_numpy(SIDES[None])
    field = modes_of(samples, 3, cover=corner)
    inner = field.value(corner * 0.97)
    # The first mode runs along the body and is steepest in its middle: at the end it hardly changes any more.
    assert float((field.value(corner) / inner)[0, 0]) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("count", [16, 40])
def test_bodies_of_few_samples_give_what_they_can_tell_apart(count):
    samples = qmc.Sobol(3, seed=0).random(64)[:count] * SIDES
    field = modes_of(samples, 31)
    assert 1 <= field.outputs <= min(31, count - 1)
    assert torch.isfinite(field.coefficients).all()


def test_two_pieces_far_apart_are_no_trouble():
    half = qmc.Sobol(3, seed=0).random(2048) * 0.01
    samples = np.concatenate([half, half + 50.0])
    field = modes_of(samples, 5)
    first = field.value(torch.from_numpy(samples)).numpy()[:, 0]
    # The cheapest function of all tells one piece from the other.
    np.testing.assert_allclose(np.abs(first), 1.0, atol=1e-3)
    assert first[0] * first[-1] < 0
