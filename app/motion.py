"""Motions that can be filmed or exported: simulated as they are asked for, or recorded before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from scenes.build import build_world
from scenes.events import ScriptedHands
from scenes.load import load_scene, parse_scene
from scenes.save import scene_text
from scenes.schema import Scene
from scenes.shipped import find_scene
from sim.body import CubatureChoice
from sim.errors import TrajectoryError
from sim.playback import PlayedBody, played_bodies, show
from sim.state import BodyState, WorldState
from sim.trajectory import Trajectory, TrajectoryLog
from sim.world import World


class Motion(Protocol):
    """Bodies through time.

    Attributes:
        scene: what it is of, or None when a recorded motion does not say. bodies: to draw, in the scene's order.
    """

    scene: Scene | None
    bodies: tuple[PlayedBody, ...]

    def show(self, time: float) -> None:
        """Put the bodies where they are at `time` [s]; times are asked for in increasing order."""

    def trajectory(self) -> Trajectory:
        """What is known of the motion so far."""


class RecordedMotion:
    """A trajectory, shown again without simulating.

    Args:
        trajectory: what moves. folder: where its scene's paths start.
    """

    def __init__(self, trajectory: Trajectory, *, folder: Path | None = None) -> None:
        self._trajectory = trajectory
        self.scene = _scene_of(trajectory, folder)
        self.bodies = played_bodies(trajectory)
        self.seconds = trajectory.end - trajectory.start

    def show(self, time: float) -> None:
        """Time counts from the trajectory's first frame."""
        show(self.bodies, self._trajectory.transforms_at(self._trajectory.start + time))

    def trajectory(self) -> Trajectory:
        """The whole of it."""
        return self._trajectory


class SimulatedMotion:
    """A scene with its scripted hands, simulated as far as it is asked for.

    Args:
        scene: with absolute paths. device: where it computes. cubature: instead of the scene's.
        resume: a part of this scene's motion that is already known. It is taken as it is up to the last moment at
            which no hand holds anything (a hand's grip is no part of a state); from there it is simulated.

    Raises:
        SceneError: the scene cannot be built. TrajectoryError: `resume` is of other bodies or handles.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        device: str = "auto",
        cubature: CubatureChoice | None = None,
        resume: Trajectory | None = None,
    ) -> None:
        self.scene = scene
        self._world = build_world(scene, device=device, cubature=cubature)
        self._hands = ScriptedHands(self._world, scene.events)
        text = scene_text(scene, Path(os.sep))
        self._log = TrajectoryLog(self._world.bodies, timestep=scene.timestep, scene_text=text)
        if resume is None:
            self._log.append(0.0)
        else:
            self._take_up(resume)
        self.bodies = tuple(
            PlayedBody(
                body.name,
                body.basis,
                body.shape.vertices.double(),
                body.shape.faces.long(),
                torch.device("cpu"),
            )
            for body in self._world.bodies
        )
        self.resumed = self._log.end
        """Time up to which the motion was known [s]."""

    def advance(self, time: float) -> None:
        """Simulate until the world's clock says `time` [s] or more."""
        while self._log.end < time - 1e-9:
            self._hands.follow()
            self._world.step()
            self._log.append(self._world.time)

    def show(self, time: float) -> None:
        """Simulates as far as needed; between two steps bodies move along a line."""
        self.advance(time)
        show(self.bodies, self._log.transforms_at(time))

    def trajectory(self) -> Trajectory:
        """What has been simulated so far."""
        return self._log.trajectory()

    def _take_up(self, known: Trajectory) -> None:
        _require_same_bodies(known, self._world)
        frame = len(known) - 1
        while frame > 0 and self._held(float(known.times[frame])):
            frame -= 1
        known = known.cut(float(known.times[frame]))
        self._log.extend(known)
        states = []
        for body, motion, rate in zip(
            self._world.bodies, known.motions, known.velocities_at(frame), strict=True
        ):
            position = torch.from_numpy(body.space.state_of(motion.transforms[frame].numpy()))
            velocity = torch.from_numpy(body.space.state_of(rate.numpy()))
            states.append(BodyState(position, velocity))
        if frame > 0:  # before the first step the scene's own velocities hold
            self._world.set_state(WorldState(float(known.times[frame]), tuple(states)))

    def _held(self, time: float) -> bool:
        return any(event.at < time < event.until for event in self.scene.events)


def open_motion(source: str | os.PathLike, *, device: str = "auto") -> Motion:
    """A motion by the name of a scene (file or shipped) or of a recorded motion's file.

    Raises:
        StudioError: neither, or it is wrong.
    """
    path = Path(source)
    if path.suffix == ".safetensors":
        return RecordedMotion(Trajectory.load(path), folder=path.absolute().parent)
    return SimulatedMotion(load_scene(find_scene(source)), device=device)


def simulate(
    motion: SimulatedMotion, seconds: float, on_progress: Callable[[float], None] | None = None
) -> Trajectory:
    """Run a scene for so long [s]; `on_progress` is told the time reached after each step."""
    step = motion.scene.timestep
    for number in range(1, round(seconds / step) + 1):
        motion.advance(number * step)
        if on_progress is not None:
            on_progress(number * step)
    return motion.trajectory()


def _scene_of(trajectory: Trajectory, folder: Path | None) -> Scene | None:
    if not trajectory.scene_text:
        return None
    # Its meshes need not be there any more: the trajectory has surfaces of its own.
    scene = parse_scene(trajectory.scene_text, source="the motion's scene", folder=folder, check=False)
    names = [motion.name for motion in trajectory.motions]
    if [part.name for part in scene.bodies] != names:
        raise TrajectoryError(f"This motion is of {', '.join(names)}, which is not what its scene says.")
    return scene


def _require_same_bodies(trajectory: Trajectory, world: World) -> None:
    for body, motion in zip(world.bodies, trajectory.motions, strict=False):
        same = (
            body.name == motion.name
            and body.basis.handles == motion.basis.handles
            and torch.equal(body.shape.vertices.double(), motion.vertices)
            and torch.equal(body.basis.mix, motion.basis.mix)
        )
        if not same:
            raise TrajectoryError(
                f"That motion cannot be gone on with: its body {motion.name!r} has another mesh or other handles "
                f"than the scene's {body.name!r}."
            )
    if len(world.bodies) != len(trajectory.motions):
        raise TrajectoryError(
            f"That motion has {len(trajectory.motions)} bodies, the scene has {len(world.bodies)}."
        )
