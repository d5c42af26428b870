"""The reduced space: mass, stiffness, affine motions, and the Jacobian it never forms."""

import numpy as np
import torch
from sample_bodies import box_shape, cosine_basis, make_body
from scipy.spatial.transform import Rotation

from sim.material import Material
from sim.reduction import reduce


def test_mass_is_the_identity_and_shear_diagonal(beam):
    material = Material(1e5, 0.45, 500.0)
    space = reduce(beam, material, cosine_basis(beam, 8))
    mass = 500.0 * beam.sample_volumes.numpy()
    np.testing.assert_allclose(space.phi.T @ (mass[:, None] * space.phi), np.eye(space.rank), atol=1e-9)
    mu = material.lame(1)[0].item()
    G = space.gradient
    shear = np.einsum("ibk,i,ibl->kl", G, mu * beam.sample_volumes.numpy(), G, optimize=True)
    np.testing.assert_allclose(shear, np.diag(space.shear), atol=1e-7 * space.shear.max())
    assert (np.diff(space.shear) >= 0).all()
    assert abs(space.shear[0]) < 1e-6  # translation


def test_gradient_is_the_derivative_of_phi(beam):
    space = reduce(beam, Material(), cosine_basis(beam, 6))
    points = beam.samples[:20].numpy()
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-6
        difference = (space.phi_at(points + step) - space.phi_at(points - step)) / 2e-6
        scale = np.abs(difference).max()
        np.testing.assert_allclose(space.gradient_at(points)[:, axis], difference, atol=1e-6 * scale)


def test_affine_motions_are_exact(beam, rng):
    body = make_body(beam)
    linear, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    body.position = body.space.affine_state(linear, shift)
    points = beam.samples.numpy()
    np.testing.assert_allclose(body.deform(points).numpy(), points @ linear.T + shift, atol=1e-9)
    np.testing.assert_allclose(
        body.deformation_gradients().numpy(), np.tile(linear, (len(points), 1, 1)), atol=1e-7
    )


def test_rigid_motion_costs_nothing(beam):
    body = make_body(beam)
    R = Rotation.from_rotvec([0.3, -1.2, 2.0]).as_matrix()
    body.position = body.space.affine_state(R, np.array([1.0, 2.0, 3.0]))
    bend = make_body(beam)
    bend.position = bend.space.affine_state(np.diag([1.1, 1, 1]), np.zeros(3))
    assert abs(body.elastic_energy()) < 1e-9 * bend.elastic_energy()


def test_dense_jacobian_equals_the_kronecker_path(beam, rng):
    """`dF/dT` written out as a 9N x 12H matrix, entry by entry from the definition."""
    basis = cosine_basis(beam, 5)
    space = reduce(beam, Material(), basis)
    points = beam.samples[:7]
    w, dw = (part.numpy() for part in basis.weights_and_gradients(points))
    handles = basis.handles
    J = np.zeros((7, 3, 3, handles, 3, 4))
    for i in range(7):
        X1 = np.append(points[i].numpy(), 1.0)
        for h in range(handles):
            for a in range(3):
                for c in range(4):
                    for b in range(3):
                        J[i, a, b, h, a, c] += X1[c] * dw[i, h, b] + (w[i, h] if c == b else 0.0)
    z = rng.normal(size=(3, space.rank))
    T = space.raw_transforms(z)
    F = np.eye(3) + (J.reshape(63, -1) @ T.reshape(-1)).reshape(7, 3, 3)
    expected = np.eye(3) + (space.gradient_at(points) @ z.T).transpose(0, 2, 1)
    np.testing.assert_allclose(F, expected, atol=1e-9 * np.abs(F).max())


def test_handle_transforms_give_the_positions(beam, rng):
    body = make_body(beam)
    body.position = body.position + 0.01 * rng.normal(size=body.position.shape)
    T = body.handle_transforms().numpy()
    X = beam.samples.numpy()[:50]
    w = body.basis.weights(torch.from_numpy(X)).numpy()
    X1 = np.concatenate([X, np.ones((50, 1))], axis=1)
    expected = X + np.einsum("nh,hac,nc->na", w, T, X1)
    np.testing.assert_allclose(body.deform(X).numpy(), expected, atol=1e-10)
    before = body.position.copy()
    body.pose(body.handle_transforms())
    np.testing.assert_allclose(body.position, before, atol=1e-9 * np.abs(before).max())


def test_positions_far_from_the_origin_keep_their_digits():
    far = box_shape(origin=(1e6, -1e6, 1e6))
    near, distant = make_body(box_shape()), make_body(far)
    R = Rotation.from_rotvec([0, 0, 0.5]).as_matrix()
    centre_near, centre_far = near.rest_centre, distant.rest_centre
    near.position = near.space.affine_state(R, centre_near - R @ centre_near)
    distant.position = distant.space.affine_state(R, centre_far - R @ centre_far)
    offset = np.array([1e6, -1e6, 1e6])
    moved = distant.deform(far.vertices).numpy() - offset
    np.testing.assert_allclose(moved, near.deform(near.shape.vertices).numpy(), atol=1e-6)
    np.testing.assert_allclose(distant.positions().numpy() - offset, moved, atol=0.07)  # float32 at a million
