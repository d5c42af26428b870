"""Weights as colours, against what colours must be."""

import numpy as np
import pytest
from sample_bodies import make_body, subdivided_box

from app.weight_fields import (
    blended,
    coarse_mesh,
    dominant,
    facing,
    grid_places,
    handle_colors,
    one_handle,
    vertex_weights,
)


def test_handles_have_colours_that_differ():
    colors = handle_colors(64)
    assert ((colors >= 0) & (colors <= 1)).all()
    between = np.linalg.norm(colors[:-1] - colors[1:], axis=1)
    assert between.min() > 0.2


def test_where_one_handle_is_alone_its_colour_is_shown():
    weights = 3.0 * np.eye(5)
    colors = handle_colors(5)
    np.testing.assert_allclose(blended(weights, colors), colors)
    assert dominant(-weights).tolist() == [0, 1, 2, 3, 4]


def test_a_blend_lies_between_its_colours():
    rng = np.random.default_rng(0)
    colors = handle_colors(6)
    mixed = blended(rng.normal(size=(50, 6)), colors)
    assert (mixed >= colors.min(0) - 1e-12).all()
    assert (mixed <= colors.max(0) + 1e-12).all()
    assert np.isfinite(blended(np.zeros((2, 6)), colors)).all()


def test_one_handle_is_a_column_of_all():
    body = make_body()
    for localized in (False, True):
        every = vertex_weights(body, localized=localized)
        values, most = one_handle(body, 3, localized=localized)
        np.testing.assert_allclose(values, every[:, 3], atol=1e-6)
        assert most == np.abs(values).max()
    assert one_handle(body, 99, localized=False)[0].shape == (len(body.shape.vertices),)


def test_a_coarse_mesh_is_a_closed_mesh_of_the_same_place():
    shape = subdivided_box((1.0, 0.5, 0.5), 30, count=64)
    vertices, faces = shape.vertices.numpy(), shape.faces.numpy()
    kept, small = coarse_mesh(vertices, faces, 800)
    assert 200 < len(kept) < 1600
    assert small.max() < len(kept)
    assert (np.ptp(vertices[kept], axis=0) > 0.9 * np.ptp(vertices, axis=0)).all()
    edges = np.sort(small[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()
    assert coarse_mesh(vertices, faces, 10**6)[1] is faces
    assert len(np.unique(np.sort(small, axis=1), axis=0)) == len(small)


def test_grid_places_do_not_overlap_and_are_centred():
    places = grid_places(32, 1.0, 2.0, 1.5)
    apart = np.abs(places[:, None] - places[None])
    np.fill_diagonal(apart[..., 0], 9)
    assert ((apart[..., 0] > 0.99) | (apart[..., 1] > 1.99)).all()
    np.testing.assert_allclose(places[:, 0].min(), -places[:, 0].max())


def test_a_body_that_lies_flat_is_seen_from_above():
    corners = np.array([[x, y, z] for x in (0, 3) for y in (0, 1) for z in (0, 2.0)])
    tall = corners[:, [0, 2, 1]]
    assert facing(tall) is tall
    seen = facing(corners)
    np.testing.assert_allclose(np.ptp(seen, axis=0), [3, 2, 1])
    top = corners[:, 1] == 1
    assert seen[top, 2].min() > seen[~top, 2].max()  # its upper side is nearest to who looks along -z
    edges = np.stack([seen[b] - seen[0] for b in (4, 2, 1)])  # along x, y and z before
    assert np.linalg.det(edges) == pytest.approx(3 * 1 * 2)  # turned, not mirrored
