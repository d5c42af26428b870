"""Scenes become worlds: placed, held, made of and named as the file says."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from scenes import schema as s
from scenes.build import build_material, build_shape, build_world, placement
from sim.basis import HandleBasis
from sim.errors import SceneError
from sim.fields import RbfField
from sim.material import PRESETS, Material

MESHES = Path(s.__file__).parent / "meshes"
ABOVE = s.Where(half_space=s.HalfSpace(axis="y", above=0.5))


def bump_handles(part, shape, material):
    """A few bumps at fixed samples: what a body needs to be built, without learning any."""
    reach = 0.8 * (shape.samples.amax(0) - shape.samples.amin(0)).max()
    return HandleBasis(RbfField(shape.samples[:4], reach)).orthonormalized(shape, material)


def cube(**changes):
    return s.BodyPart(
        **{"name": "cube", "mesh": str(MESHES / "cube.obj"), "samples": 512, "cubature": 32, **changes}
    )


def build(*bodies, **changes):
    return build_world(s.Scene(bodies=bodies, **changes), device="cpu", make_handles=bump_handles)


def test_size_and_scale_are_in_metres():
    for changes, side in (({"size": 0.3}, 0.3), ({"scale": 0.5}, 0.5), ({}, 1.0)):
        vertices = build_shape(cube(**changes)).vertices
        np.testing.assert_allclose((vertices.amax(0) - vertices.amin(0)).numpy(), side, rtol=1e-6)


def test_the_same_scene_is_sampled_the_same():
    assert torch.equal(build_shape(cube()).samples, build_shape(cube()).samples)


def test_rotation_is_about_x_then_y_then_z_in_degrees():
    matrix = placement(s.Transform(translate=(1.0, 2.0, 3.0), rotate=(90.0, 90.0, 0.0)))
    np.testing.assert_allclose(matrix[:, 3], [1, 2, 3])
    # x: y -> z; then y: z -> x. So up ends along +x.
    np.testing.assert_allclose(matrix[:, :3] @ [0, 1, 0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(matrix[:, :3] @ matrix[:, :3].T, np.eye(3), atol=1e-12)
    assert math.isclose(np.linalg.det(matrix[:, :3]), 1.0)


def test_bodies_stand_where_the_scene_puts_them():
    world = build(
        cube(size=0.2, transform=s.Transform(translate=(0.5, 1.0, 0.0), rotate=(0.0, 0.0, 90.0))),
        cube(name="other", transform=s.Transform(translate=(-3.0, 0.0, 0.0))),
        gravity=(0.0, -1.0, 0.0),
        timestep=0.01,
    )
    assert [body.name for body in world.bodies] == ["cube", "other"]
    assert world.timestep == 0.01
    np.testing.assert_array_equal(world.gravity, [0.0, -1.0, 0.0])
    low, high = (getattr(world.bodies[0].positions(), f)(0).numpy() for f in ("amin", "amax"))
    # The cube stands on y = 0; a quarter turn about z lays that face to the right.
    np.testing.assert_allclose(low, [0.3, 0.9, -0.1], atol=1e-5)
    np.testing.assert_allclose(high, [0.5, 1.1, 0.1], atol=1e-5)
    np.testing.assert_allclose(world.bodies[1].positions().amin(0).numpy(), [-3.5, 0.0, -0.5], atol=1e-5)


def test_a_body_falls_as_newton_says_and_a_floor_stops_it():
    free = build(cube(size=0.2, transform=s.Transform(translate=(0, 1.0, 0))), timestep=0.01)
    for _ in range(20):
        free.step()
    fallen = 1.0 - float(free.bodies[0].positions()[:, 1].amin())
    assert fallen == pytest.approx(9.81 * 0.01**2 * 20 * 21 / 2, rel=1e-3)  # implicit Euler's own sum
    stopped = build(cube(size=0.2, material="silicone"), floor=s.FloorPart(height=0.0), timestep=0.01)
    for _ in range(50):
        stopped.step()
    assert float(stopped.bodies[0].positions()[:, 1].amin()) > -0.02


def test_velocity_and_kinematic_bodies():
    world = build(cube(size=0.2, velocity=(1.0, 0.0, 0.0), kinematic=True), timestep=0.01)
    before = world.bodies[0].positions()
    for _ in range(10):
        world.step()
    moved = (world.bodies[0].positions() - before).numpy()
    np.testing.assert_allclose(moved, np.broadcast_to([0.1, 0.0, 0.0], moved.shape), atol=1e-5)


def test_pins_are_in_the_world_and_regions_in_the_body():
    """The same words 'above 0.5' hold another part of a body that stands elsewhere."""
    raised = s.Transform(translate=(0.0, 0.25, 0.0))
    pin = build(cube(pins=(s.PinRegion(where=ABOVE),), transform=raised)).pins[0]
    assert pin.rest[:, 1].min() == pytest.approx(0.25, abs=0.1)
    region = build(cube(regions=(s.Region(where=ABOVE, pinned=True),), transform=raised)).pins[0]
    assert region.rest[:, 1].min() == pytest.approx(0.5, abs=0.1)


def test_a_pinned_body_hangs():
    world = build(
        cube(
            size=0.2,
            material="silicone",
            pins=(s.PinRegion(where=s.Where(half_space=s.HalfSpace(axis="y", above=0.15))),),
        )
    )
    for _ in range(60):
        world.step()
    assert float(world.bodies[0].positions()[:, 1].amax()) == pytest.approx(0.2, abs=0.01)


def test_regions_give_their_samples_another_material_and_later_ones_win():
    hard = s.Region(where=ABOVE, material="hard rubber")
    soft = s.Region(where=s.Where(sphere=s.Sphere(center=(0.5, 1.0, 0.5), radius=0.4)), material="jelly")
    part = cube(material="silicone", regions=(hard, soft), samples=2000)
    shape = build_shape(part)
    material = build_material(part, shape)
    upper = shape.samples[:, 1] >= 0.5
    corner = (shape.samples - torch.tensor([0.5, 1.0, 0.5], dtype=torch.float64)).norm(dim=1) <= 0.4
    assert corner.any()
    for field in ("young", "poisson", "density"):
        values = material.per_sample(field, len(shape.samples))
        assert set(values[~upper].tolist()) == {getattr(PRESETS["silicone"], field)}
        assert set(values[upper & ~corner].tolist()) == {getattr(PRESETS["hard rubber"], field)}
        assert set(values[corner].tolist()) == {getattr(PRESETS["jelly"], field)}


def test_a_plain_body_keeps_its_named_material():
    part = cube(material="silicone")
    assert build_material(part, build_shape(part)) == Material.preset("silicone")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"pins": (s.PinRegion(where=s.Where(sphere=s.Sphere(center=(9.0, 0.0, 0.0), radius=0.1))),)},
            r"bodies\[0\] \('cube'\): pins\[0\]",
        ),
        (
            {
                "regions": (
                    s.Region(
                        where=s.Where(sphere=s.Sphere(center=(9.0, 0.0, 0.0), radius=0.1)), material="jelly"
                    ),
                )
            },
            r"regions\[0\]: no part of the body lies there; the body reaches from \[-0\.[45]",
        ),
        ({"mesh": str(MESHES / "README.md")}, r"bodies\[0\] \('cube'\): "),
    ],
)
def test_what_does_not_fit_is_told_with_body_and_place(changes, told):
    with pytest.raises(SceneError, match=told):
        build(cube(**changes))
