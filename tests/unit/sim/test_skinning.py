"""Drawing: the blocked product against the formula, and the points bodies touch with."""

import numpy as np
import torch
from sample_bodies import box_shape, make_body, subdivided_box

from sim.contact_points import contact_points
from sim.skinning import Skin


def test_blocks_give_the_formula():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 3))
    w = rng.normal(size=(20000, 5))
    w[:, 0] = 1
    T = 0.3 * rng.normal(size=(5, 3, 4))
    skin = Skin(torch.from_numpy(X), torch.from_numpy(w), torch.device("cpu"))
    X1 = np.concatenate([X, np.ones((len(X), 1))], axis=1)
    expected = X + np.einsum("nh,hac,nc->na", w, T, X1)
    np.testing.assert_allclose(skin.positions(T).numpy(), expected, atol=2e-5)
    assert skin.positions(T).dtype == torch.float32


def test_far_bodies_keep_their_shape():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    w = np.ones((100, 1))
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    far = X + 1e4
    T = np.concatenate([R - np.eye(3), (np.full(3, 1e4) - R @ np.full(3, 1e4))[:, None]], axis=1)[None]
    moved = Skin(torch.from_numpy(far), torch.from_numpy(w), torch.device("cpu")).positions(T).numpy()
    np.testing.assert_allclose(moved - 1e4, X @ R.T, atol=4e-3)


def test_contact_points_spread_over_the_surface():
    points = contact_points(subdivided_box(1.0, 12))
    assert len(points.rest) == 384
    assert abs(points.area.sum() - 6.0) < 1e-9
    corners = {tuple(p) for p in points.rest.round(6)}
    assert len(corners & {(x, y, z) for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)}) == 8
    flat = points.rest[:, 1] == 1.0
    inner = flat & (np.abs(points.rest[:, [0, 2]] - 0.5) < 0.45).all(1)
    np.testing.assert_allclose(points.normals[inner], np.tile([0.0, 1.0, 0.0], (inner.sum(), 1)), atol=1e-9)


def test_shapes_without_faces_touch_with_their_samples():
    from sim import Shape

    shape = Shape.from_samples(box_shape(count=256).samples, 1.0)
    points = contact_points(shape)
    assert len(points.rest) == 256
    np.testing.assert_allclose(points.area, (1 / 256) ** (2 / 3))


def test_a_body_tells_the_weights_it_draws_with():
    body = make_body()
    given = body.skinning_weights
    np.testing.assert_allclose(given, body.basis.weights(body.shape.vertices), atol=1e-6)
    assert given.dtype == torch.float32
