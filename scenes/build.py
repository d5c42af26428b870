"""A `Scene` becomes a `World` that can be stepped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from scenes.check import material_of
from scenes.handles import handles_for
from scenes.regions import contains
from scenes.schema import BodyPart, Scene, Transform, Where
from sim.basis import HandleBasis
from sim.body import Body, CubatureChoice
from sim.errors import Cancelled, SceneError, StudioError
from sim.incremental_potential import Damping
from sim.material import Material
from sim.shape import Shape, load_shape
from sim.world import World

MakeHandles = Callable[[BodyPart, Shape, Material], HandleBasis]
"""Gives a body its handles."""
ChooseCubature = Callable[[BodyPart, Shape, HandleBasis], CubatureChoice]
"""Says how a body's elastic energy is summed."""


def build_world(
    scene: Scene,
    *,
    device: str = "auto",
    make_handles: MakeHandles = handles_for,
    cubature: CubatureChoice | ChooseCubature | None = None,
    on_stage: Callable[[int, str], None] | None = None,
) -> World:
    """Everything a scene describes but its events, camera and film.

    Args:
        scene: as `load_scene` gives it, with absolute paths.
        device: where it computes: "auto", "cpu", "cuda"...
        make_handles: gives each body its handles; by default its weights file, else training.
        cubature: instead of each body's own choice, or what chooses it once the handles are there.
        on_stage: told the body's number and what is done with it now, a clause; may raise to stop.

    Returns:
        The world; `world.bodies` are in the scene's order and bear its names.

    Raises:
        SceneError: a mesh, a region or weights that do not fit; the message names the body and the YAML path.
        DeviceError: a device this machine does not have.
        Cancelled: training was stopped.
    """
    world = World(scene.gravity, scene.timestep, device)
    if scene.floor is None:
        world.floor(None)
    else:
        world.floor(scene.floor.height, scene.floor.friction)
    for index, part in enumerate(scene.bodies):
        with _telling(f"bodies[{index}] ({part.name!r})"):
            tell = _silent if on_stage is None else partial(on_stage, index)
            body = build_body(part, make_handles=make_handles, cubature=cubature, on_stage=tell)
            tell("putting it in its place")
            add_body(world, part, body)
    return world


def _silent(stage: str) -> None:
    pass


def build_body(
    part: BodyPart,
    *,
    make_handles: MakeHandles = handles_for,
    cubature: CubatureChoice | ChooseCubature | None = None,
    on_stage: Callable[[str], None] = _silent,
) -> Body:
    """A scene's body, not in a world yet; the arguments are those of `build_world`.

    Raises:
        StudioError: of the step that failed (shape, material, handles, cubature).
    """
    on_stage("reading the mesh")
    shape = build_shape(part)
    on_stage("finding handles")
    material = build_material(part, shape)
    handles = make_handles(part, shape, material)
    on_stage("reducing it to its handles")
    damping = Damping(mass=part.damping.mass, stiffness=part.damping.stiffness)
    choice = part.cubature if cubature is None else cubature
    if callable(choice):
        choice = choice(part, shape, handles)
    return Body(shape, material, handles, choice, damping=damping, seed=part.train.seed, name=part.name)


def build_shape(part: BodyPart) -> Shape:
    """The body's mesh in metres, with its interior samples.

    Raises:
        ShapeError: the mesh is unusable.
    """
    return load_shape(part.mesh, samples=part.samples, seed=part.train.seed, size=part.size, scale=part.scale)


def build_material(part: BodyPart, shape: Shape) -> Material:
    """The body's material, with the values of its regions at their samples.

    Raises:
        MaterialError: impossible values.
        SceneError: a region that holds no sample of the body.
    """
    material = material_of(part.material)
    regions = [(i, region) for i, region in enumerate(part.regions) if region.material is not None]
    if not regions:
        return material
    count = len(shape.samples)
    values = {name: material.per_sample(name, count) for name in ("young", "poisson", "density")}
    for index, region in regions:
        inside = contains(region.where, shape.samples)
        if not inside.any():
            raise SceneError(
                f"regions[{index}]: no part of the body lies there; the body reaches from "
                f"{_corner(shape.samples.amin(dim=0))} to {_corner(shape.samples.amax(dim=0))} m "
                "(its own coordinates, before transform)."
            )
        other = material_of(region.material)
        for name, value in values.items():
            value[inside] = other.per_sample(name, count)[inside]
    return material.with_values(**values, name=material.name)


def add_body(world: World, part: BodyPart, body: Body) -> None:
    """Put a scene's body where the scene says, moving and held as it says.

    Raises:
        WorldError, SceneError: a pin that holds nothing.
    """
    matrix = placement(part.transform)
    world.add(body, matrix, part.velocity, part.kinematic, angular_velocity=part.angular_velocity)
    for index, region in enumerate(part.regions):
        if region.pinned:
            with _telling(f"regions[{index}]"):
                world.pin(body, region_mask(region.where, np.eye(4)[:3]))
    for index, pin in enumerate(part.pins):
        with _telling(f"pins[{index}] (world coordinates at time 0)"):
            world.pin(body, region_mask(pin.where, matrix), stiffness=pin.stiffness)


def placement(transform: Transform) -> np.ndarray:
    """The rigid motion of a `Transform`, shape (3, 4) [m]: x -> Rz Ry Rx x + translate."""
    rotation = np.eye(3)
    for axis, degrees in enumerate(transform.rotate):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[i, i, j, j], [i, j, i, j]] = cosine, -sine, sine, cosine
        rotation = turn @ rotation
    return np.column_stack([rotation, transform.translate])


def region_mask(where: Where, matrix: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that says whether rest points, moved by `matrix` (3, 4) [m], lie in a region."""

    def inside(points: torch.Tensor) -> torch.Tensor:
        moved = torch.as_tensor(matrix, dtype=points.dtype, device=points.device)
        return contains(where, points @ moved[:, :3].T + moved[:, 3])

    return inside


@contextlib.contextmanager
def _telling(where: str) -> Iterator[None]:
    """Adds the place in the scene to whatever goes wrong inside."""
    try:
        yield
    except Cancelled:
        raise
    except StudioError as error:
        raise SceneError(f"{where}: {error}") from error


def _corner(values: torch.Tensor) -> str:
    return "[" + ", ".join(f"{value:.3g}" for value in values.tolist()) + "]"
