"""Rays, pixels and planes, against brute force and projection's own inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.camera import framing, pose_looking, shifted_for_panels
from app.picking import inside_box, nearest_pixel, pick, pick_surface, plane_hit

numbers = st.floats(-1, 1, allow_nan=False)
places = st.tuples(numbers, numbers, numbers)


def soup(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Triangles anywhere."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (3 * count, 3)), np.arange(3 * count).reshape(-1, 3)


def by_moeller_trumbore(vertices, faces, origin, direction):
    """Nearest face hit and its distance, one triangle at a time (Moeller and Trumbore 1997)."""
    best = (None, np.inf)
    for number, (a, b, c) in enumerate(vertices[faces]):
        normal = np.cross(direction, c - a)
        determinant = (b - a) @ normal
        if abs(determinant) < 1e-14:
            continue
        u = (origin - a) @ normal / determinant
        q = np.cross(origin - a, b - a)
        v, t = direction @ q / determinant, (c - a) @ q / determinant
        if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < best[1]:
            best = (number, t)
    return best


@pytest.mark.parametrize("seed", range(20))
def test_picking_finds_what_brute_force_finds(seed):
    vertices, faces = soup(seed)
    rng = np.random.default_rng(100 + seed)
    for _ in range(10):
        origin = 3 * rng.normal(size=3)
        direction = rng.uniform(-0.6, 0.6, 3) - origin
        direction /= np.linalg.norm(direction)
        face, distance = by_moeller_trumbore(vertices, faces, origin, direction)
        hit = pick_surface(vertices, faces, origin, direction)
        assert (hit is None) == (face is None)
        if hit is not None:
            assert hit.face == face
            assert hit.distance == pytest.approx(distance, abs=1e-9)
            np.testing.assert_allclose(hit.barycentric @ vertices[faces[face]], hit.point, atol=1e-12)
            np.testing.assert_allclose(origin + hit.distance * direction, hit.point, atol=1e-9)


def test_the_nearest_of_several_surfaces_is_picked():
    flat = np.array([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    nearer = flat[0] + [0, 0, 1], flat[1]
    hit = pick([flat, nearer], np.array([0.0, 0, 5]), np.array([0.0, 0, -1]))
    assert (hit.surface, hit.distance) == (1, pytest.approx(4.0))


def test_what_lies_behind_is_not_picked():
    vertices, faces = np.array([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    assert pick_surface(vertices, faces, np.array([0.0, 0, 5]), np.array([0.0, 0, 1])) is None
    assert pick_surface(vertices, np.zeros((0, 3), int), np.zeros(3), np.array([0.0, 0, 1])) is None


@given(places, st.tuples(st.floats(0, 1000), st.floats(0, 600)))
def test_a_ray_through_a_pixel_projects_to_it(target, pixel):
    pose = pose_looking((2.0, 1.5, 3.0), np.array(target) * 0.5, 45.0, (1000.0, 600.0))
    origin, direction = pose.ray(pixel)
    (back,), (depth,) = pose.project((origin + 2.5 * direction)[None])
    np.testing.assert_allclose(back, pixel, atol=1e-6)
    assert depth > 0


def test_what_is_behind_the_camera_has_no_pixel():
    pose = pose_looking((0, 0, 2), (0, 0, 0), 45.0, (100, 100))
    assert np.isnan(pose.project(np.array([[0.0, 0, 5]]))[0]).all()


@given(places, places)
def test_a_box_that_is_framed_is_seen_whole(corner, size):
    low = np.array(corner)
    high = low + np.abs(size) + 0.01
    for aspect in (0.5, 1.0, 1.8):
        position = framing(low, high, (0.4, 0.3, 1.0), 45.0, aspect)
        pose = pose_looking(position, (low + high) / 2, 45.0, (600 * aspect, 600.0))
        corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low
        pixels, _ = pose.project(corners)
        assert (pixels >= 0).all()
        assert (pixels <= [600 * aspect, 600.0]).all()
        # And fills the picture in one direction.
        filled = np.abs(pixels / [600 * aspect, 600.0] - 0.5).max()
        assert 0.39 < filled < 0.42


def test_panels_leave_what_is_looked_at_in_the_middle_of_the_rest():
    target = np.array([0.1, 0.2, -0.1])
    pose = shifted_for_panels(pose_looking((1, 1, 2), target, 45.0, (1280.0, 720.0)), target, 330.0, 60.0)
    (pixel,), _ = pose.project(target[None])
    np.testing.assert_allclose(pixel, (330 + (1280 - 330) / 2, (720 - 60) / 2), atol=1e-6)
    back = shifted_for_panels(pose, target, -330.0, -60.0)
    np.testing.assert_allclose(back.position, (1, 1, 2), atol=1e-12)


def test_planes_and_pixels():
    point = plane_hit(np.array([0.0, 0, 5]), np.array([0.0, 0, -1]), np.zeros(3), np.array([0.0, 0.6, 0.8]))
    np.testing.assert_allclose(point, 0, atol=1e-12)
    assert plane_hit(np.array([0.0, 0, 5]), np.array([0.0, 0, 1]), np.zeros(3), np.array([0.0, 0, 1])) is None
    assert plane_hit(np.array([0.0, 0, 5]), np.array([1.0, 0, 0]), np.zeros(3), np.array([0.0, 0, 1])) is None
    pixels = np.array([[10.0, 10], [50, 50], [np.nan, np.nan]])
    assert nearest_pixel(pixels, (48, 52), 11) == 1
    assert nearest_pixel(pixels, (30, 30), 11) is None
    assert nearest_pixel(np.zeros((0, 2)), (0, 0), 11) is None
    assert inside_box(pixels, (60, 60), (0, 20)).tolist() == [False, True, False]
