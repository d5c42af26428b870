"""Regions as predicates: each against arithmetic written out by hand, and the laws that tie them together."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scenes.regions import contains
from scenes.schema import Box, HalfSpace, Plane, Sphere, Where

POINTS = torch.rand(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def by_hand(test):
    return torch.tensor([test(x, y, z) for x, y, z in POINTS.tolist()])


@pytest.mark.parametrize(
    ("where", "test"),
    [
        (
            Where(box=Box(min=(-0.5, 0.0, -1.0), max=(0.5, 0.4, 0.9))),
            lambda x, y, z: -0.5 <= x <= 0.5 and 0 <= y <= 0.4 and -1 <= z <= 0.9,
        ),
        (
            Where(sphere=Sphere(center=(0.2, -0.1, 0.3), radius=0.6)),
            lambda x, y, z: math.dist((x, y, z), (0.2, -0.1, 0.3)) <= 0.6,
        ),
        (
            Where(plane=Plane(point=(0.1, 0.0, 0.0), normal=(1.0, 2.0, 0.0))),
            lambda x, y, z: (x - 0.1) + 2 * y >= 0,
        ),
        (Where(half_space=HalfSpace(axis="z", below=0.3)), lambda x, y, z: z <= 0.3),
        (Where(half_space=HalfSpace(axis="x", above=-0.2, below=0.3)), lambda x, y, z: -0.2 <= x <= 0.3),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_region_holds_the_points_arithmetic_says(where, test, dtype):
    inside = contains(where, POINTS.to(dtype))
    assert inside.dtype == torch.bool
    assert 20 < inside.sum() < 380
    assert torch.equal(inside, by_hand(test))


def test_borders_belong_to_the_region():
    corner = torch.tensor([[1.0, 1.0, 1.0]])
    for where in (
        Where(box=Box(min=(0.0, 0.0, 0.0), max=(1.0, 1.0, 1.0))),
        Where(sphere=Sphere(center=(1.0, 1.0, 0.0), radius=1.0)),
        Where(plane=Plane(point=(0.0, 1.0, 0.0), normal=(0.0, 1.0, 0.0))),
        Where(half_space=HalfSpace(axis="y", above=1.0)),
    ):
        assert contains(where, corner).all()


@given(
    value=st.floats(-1, 1),
    axis=st.sampled_from("xyz"),
    length=st.floats(0.01, 100),
)
def test_a_half_space_is_a_plane_along_an_axis(value, axis, length):
    unit = tuple(float(a == axis) for a in "xyz")
    plane = Plane(point=tuple(value * u for u in unit), normal=tuple(length * u for u in unit))
    half_space = HalfSpace(axis=axis, above=value)
    away = (POINTS[:, "xyz".index(axis)] - value).abs() > 1e-12
    same = contains(Where(plane=plane), POINTS) == contains(Where(half_space=half_space), POINTS)
    assert same[away].all()


def test_any_is_the_union():
    first = Where(sphere=Sphere(center=(0.5, 0.0, 0.0), radius=0.4))
    second = Where(half_space=HalfSpace(axis="y", above=0.5))
    union = contains(Where(any=(first, Where(any=(second, first)))), POINTS)
    assert torch.equal(union, contains(first, POINTS) | contains(second, POINTS))


def test_no_points_give_no_answers():
    assert contains(Where(half_space=HalfSpace(axis="y", above=0.5)), torch.zeros(0, 3)).shape == (0,)
