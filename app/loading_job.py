"""Opening a file, in the worker: from a mesh or a scene to a world one can pull."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from app.jobs import JobContext
from app.mesh_units import scene_for_mesh
from app.timeline import Timeline
from optim.problem import Problem, first_handles
from scenes.build import build_world
from scenes.handles import load_handles, train_config
from scenes.load import load_scene, parse_scene
from scenes.schema import BodyPart, Scene
from sim.basis import HandleBasis
from sim.body import Body, PreparedBasis
from sim.errors import StudioError, TrajectoryError
from sim.material import Material
from sim.mesh_files import FORMATS
from sim.reduced_model import CubatureChoice
from sim.shape import Shape
from sim.trajectory import Trajectory, is_trajectory
from sim.world import World

SCENE_SUFFIXES = (".yaml", ".yml")
TENSORS_SUFFIX = ".safetensors"

FileKind = Literal["scene", "mesh", "tensors"]


def kind_of(path: str | os.PathLike) -> FileKind:
    """What a file is, by its extension; "tensors" are handle weights or a recorded motion.

    Raises:
        StudioError: nothing that can be opened; the message lists what can.
    """
    suffix = Path(path).suffix.lower()
    if suffix in SCENE_SUFFIXES:
        return "scene"
    if suffix in FORMATS:
        return "mesh"
    if suffix == TENSORS_SUFFIX:
        return "tensors"
    known = ", ".join((*SCENE_SUFFIXES, *FORMATS, TENSORS_SUFFIX))
    raise StudioError(f"{Path(path).name}: this kind of file cannot be opened. Readable: {known}.")


@dataclass(frozen=True)
class Stage:
    """What is being done, as a clause, and the share done of everything, 0 to 1."""

    text: str
    fraction: float


@dataclass(frozen=True)
class LoadedWorld:
    """A scene that can be played.

    Attributes:
        scene: what was read. path: its file, None for a bare mesh. world: its bodies, in order.
        untrained: numbers of the bodies whose handles are those of an untrained network.
        remarks: what the person should know (the unit that was guessed).
        timeline: of a recorded motion, else None.
    """

    scene: Scene
    path: Path | None
    world: World
    untrained: tuple[int, ...]
    remarks: tuple[str, ...]
    timeline: Timeline | None = None


@dataclass(frozen=True)
class LoadedWeights:
    """Handle weights for a body that is there already."""

    body: Body
    prepared: PreparedBasis
    path: Path


def load_world(
    context: JobContext,
    path: Path,
    *,
    device: str,
    size: float | None = None,
    scale: float | None = None,
    up: Literal["y", "z"] = "y",
) -> LoadedWorld:
    """Read a scene or a mesh and build its world; reports `Stage`s.

    Raises:
        StudioError: what is wrong with the file, in the person's words. Cancelled: the job was.
    """
    context.report(Stage("reading the file", 0.02))
    if kind_of(path) == "scene":
        return _built(context, load_scene(path), path, device=device)
    scene, remark = scene_for_mesh(path, size=size, scale=scale, up=up)
    return _built(context, scene, None, device=device, remarks=(remark,) if remark else ())


def _built(
    context: JobContext,
    scene: Scene,
    path: Path | None,
    *,
    device: str,
    remarks: tuple[str, ...] = (),
    bases: tuple[HandleBasis, ...] = (),
) -> LoadedWorld:
    """A scene's world, with these bases instead of the scene's own where there are any."""
    untrained: list[int] = []
    stages = 4 * len(scene.bodies)
    done = 0

    def on_stage(index: int, text: str) -> None:
        nonlocal done
        context.check()
        name = f"{scene.bodies[index].name}: " if len(scene.bodies) > 1 else ""
        context.report(Stage(name + text, 0.05 + 0.95 * done / stages))
        done += 1

    def make_handles(part: BodyPart, shape: Shape, material: Material) -> HandleBasis:
        index = [body.name for body in scene.bodies].index(part.name)
        if bases:
            return bases[index]
        basis = load_handles(part)
        if basis is None:
            untrained.append(index)
            basis = instant_handles(part, shape, material)
        return basis

    world = build_world(
        scene, device=device, make_handles=make_handles, cubature=quick_cubature, on_stage=on_stage
    )
    context.check()
    return LoadedWorld(scene, path, world, tuple(untrained), remarks)


def load_tensors(
    context: JobContext, path: Path, body: Body | None, *, device: str
) -> LoadedWorld | LoadedWeights:
    """Read a safetensors file: a recorded motion, with its scene, or handle weights for `body`.

    Raises:
        StudioError: the file is damaged, or holds weights and there is no body. Cancelled: the job was.
    """
    context.report(Stage("reading the file", 0.02))
    if is_trajectory(path):
        return load_motion(context, path, device=device)
    if body is None:
        raise StudioError(
            f"{path.name} is no recorded motion. If it holds handle weights, first open the mesh or the scene "
            "they are for."
        )
    return load_weights(context, path, body)


def load_motion(context: JobContext, path: Path, *, device: str) -> LoadedWorld:
    """Read a recorded motion: its scene's world, and a timeline with its frames.

    Raises:
        TrajectoryError: the file is damaged, carries no scene, or its scene has other bodies. SceneError: its
            scene's files are gone. Cancelled: the job was.
    """
    motion = Trajectory.load(path)
    if not motion.scene_text:
        raise TrajectoryError(
            f"{path.name} carries no scene, so it can be replayed and exported but not opened."
        )
    scene = parse_scene(motion.scene_text, source=path.name, folder=path.absolute().parent)
    names = [part.name for part in scene.bodies]
    if names != [m.name for m in motion.motions]:
        raise TrajectoryError(
            f"{path.name}: its motion is of other bodies than its scene's {', '.join(names)}."
        )
    bases = tuple(m.basis for m in motion.motions)
    loaded = _built(context, scene, None, device=device, bases=bases)
    timeline = Timeline()
    spaces = [body.space for body in loaded.world.bodies]
    for frame, time in enumerate(motion.times.tolist()):
        if frame % 100 == 0:
            context.check()
        frames = [m.transforms[frame].numpy() for m in motion.motions]
        positions = [space.state_of(T) for space, T in zip(spaces, frames, strict=True)]
        rates = motion.velocities_at(frame)
        velocities = [space.state_of(rate.numpy()) for space, rate in zip(spaces, rates, strict=True)]
        timeline.append(time, positions, velocities, motion.timestep)
    return replace(loaded, timeline=timeline)


def load_weights(context: JobContext, path: Path, body: Body) -> LoadedWeights:
    """Read handle weights for a body and compute what it needs of them; reports `Stage`s.

    Raises:
        BasisError: the file is damaged, or its weights were made for another shape. Cancelled: the job was.
    """
    context.report(Stage("reading weights", 0.05))
    basis = HandleBasis.load(path)
    context.check()
    context.report(Stage("reducing the body to its handles", 0.3))
    prepared = body.prepare(basis, cubature=kept_or_clusters(basis, body.shape))
    context.check()
    return LoadedWeights(body, prepared, path)


def instant_handles(part: BodyPart, shape: Shape, material: Material) -> HandleBasis:
    """Handles without training: the head solved once over an untrained network's features.

    The same as training's snapshot before its first step, in a tenth of a second.
    """
    config = train_config(part, device="cpu")
    return first_handles(Problem.build(shape, material, torch.device("cpu")), config)


def quick_cubature(part: BodyPart, shape: Shape, basis: HandleBasis) -> CubatureChoice:
    """A scene's own choice, but clusters instead of optimising for seconds while someone waits."""
    return kept_or_clusters(basis, shape) if part.cubature == "optimized" else part.cubature


def kept_or_clusters(basis: HandleBasis, shape: Shape) -> CubatureChoice:
    """The cubature that is kept with a basis where it fits the shape, else clusters."""
    kept = basis.cubature
    return "optimized" if kept is not None and kept.fits(shape.samples.numpy()) else "clusters"
