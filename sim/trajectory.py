"""Trajectory: a motion that was simulated once, to be shown again at any time, rate and size.

A frame holds handle transforms `T_h` in metres (12 H numbers a body), not reduced coordinates: those depend on an
eigenvalue solver's choice of signs, the transforms only on the handle weights, which the file carries with the
rest surface. So a trajectory needs no other file, and means the same on every machine:

    x(X, t) = X + sum_h w_h(X) T_h(t) [X; 1]                        (Modi et al. 2024, eq. 2)

Between frames the transforms are interpolated linearly. That is the motion which implicit Euler assumes (its rate
over a step is the difference of the ends), and it keeps bodies that rest on a floor above it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from sim.basis import HandleBasis
from sim.body import Body
from sim.errors import StudioError, TrajectoryError
from sim.state import WorldState
from sim.tensor_files import write_tensors

Tensor = torch.Tensor
FORMAT_VERSION = 1
_KEY = "simplicits_studio_trajectory"
_MOST_BODIES = 10_000
_MOST_SCENE_TEXT = 1_000_000  # characters; a scene is a page or two


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """One body through time.

    Attributes:
        name: as in the scene. basis: its handle weights.
        vertices: rest positions [m], float64, shape (V, 3). faces: int64, shape (F, 3), F may be 0.
        transforms: `T_h` of each frame [m], float64, shape (T, H, 3, 4).
    """

    name: str
    basis: HandleBasis
    vertices: Tensor
    faces: Tensor
    transforms: Tensor


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Bodies through time.

    Attributes:
        times: of the frames [s], float64, strictly increasing, shape (T,), T >= 1.
        motions: of the bodies, in the scene's order.
        timestep: of the simulation that made it [s].
        scene_text: YAML of the scene it came from, or empty; its paths start at the file's folder.

    Raises:
        TrajectoryError: parts that do not fit together.
    """

    times: Tensor
    motions: tuple[BodyMotion, ...]
    timestep: float = 1 / 60
    scene_text: str = ""

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        """Frames."""
        return len(self.times)

    @property
    def start(self) -> float:
        """Time of the first frame [s]."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """Time of the last frame [s]."""
        return float(self.times[-1])

    def transforms_at(self, time: float) -> tuple[Tensor, ...]:
        """`T_h` of each body at a time [s], (H, 3, 4) each; before the first and after the last frame, theirs."""
        index, share = place_in(self.times.numpy(), time)
        if share == 0.0:
            return tuple(motion.transforms[index] for motion in self.motions)
        return tuple(torch.lerp(m.transforms[index], m.transforms[index + 1], share) for m in self.motions)

    def velocities_at(self, frame: int) -> tuple[Tensor, ...]:
        """Rates of `T_h` at a frame [1/s], by implicit Euler's own difference; zero at the first frame."""
        if frame == 0:
            return tuple(torch.zeros_like(motion.transforms[0]) for motion in self.motions)
        step = float(self.times[frame] - self.times[frame - 1])
        return tuple((m.transforms[frame] - m.transforms[frame - 1]) / step for m in self.motions)

    def cut(self, time: float) -> Trajectory:
        """The frames up to a time [s], at least the first."""
        count = max(1, int(np.searchsorted(self.times.numpy(), time, side="right")))
        motions = tuple(replace(m, transforms=m.transforms[:count]) for m in self.motions)
        return replace(self, times=self.times[:count], motions=motions)

    @staticmethod
    def of(
        bodies: Sequence[Body], states: Iterable[WorldState], *, timestep: float, scene_text: str = ""
    ) -> Trajectory:
        """From states of a world with these bodies, in the order of time.

        Raises:
            TrajectoryError: no state, times that do not increase, or states of other bodies.
        """
        log = TrajectoryLog(bodies, timestep=timestep, scene_text=scene_text)
        for state in states:
            log.append_state(state)
        return log.trajectory()

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file, beside and then renamed: never a half-written one.

        Raises:
            TrajectoryError: the place cannot be written. BasisError: weights that come from a Python function.
        """
        path = Path(path)
        tensors: dict[str, Tensor] = {"times": self.times.contiguous()}
        bodies = []
        for index, motion in enumerate(self.motions):
            header, parts = motion.basis.parts()
            bodies.append({"name": motion.name, "basis": header})
            arrays = {"vertices": motion.vertices, "faces": motion.faces, "transforms": motion.transforms}
            arrays |= {f"basis.{name}": tensor for name, tensor in parts.items()}
            tensors |= {f"body.{index}.{name}": tensor.contiguous() for name, tensor in arrays.items()}
        about = {
            "version": FORMAT_VERSION,
            "timestep": self.timestep,
            "scene": self.scene_text,
            "bodies": bodies,
        }
        try:
            write_tensors(path, tensors, {_KEY: json.dumps(about, allow_nan=False)})
        except (OSError, SafetensorError) as error:
            raise TrajectoryError(f"Cannot write the motion to {path}: {error}") from error

    @staticmethod
    def load(path: str | os.PathLike) -> Trajectory:
        """Read a file that `save` wrote.

        Raises:
            TrajectoryError: missing or damaged file, another version, or parts that do not fit together.
        """
        path = Path(path)
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                text = (file.metadata() or {}).get(_KEY)
                tensors = {n: file.get_tensor(n) for n in file.keys()} if text is not None else {}  # noqa: SIM118
        except FileNotFoundError as error:
            raise TrajectoryError(f"There is no recorded motion at {path}.") from error
        except (OSError, SafetensorError) as error:
            raise TrajectoryError(
                f"{path} is not a readable recorded motion (safetensors): {error}"
            ) from error
        if text is None:
            raise TrajectoryError(
                f"{path} is not a recorded motion of Simplicits Studio; record one with "
                "record SCENE --trajectory FILE.safetensors."
            )
        try:
            return _from_parts(json.loads(text), tensors)
        except (StudioError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise TrajectoryError(f"The recorded motion {path} is damaged: {error}") from error


def is_trajectory(path: str | os.PathLike) -> bool:
    """Whether a file says that it is a recorded motion (handle weights are safetensors files, too)."""
    try:
        with safe_open(Path(path), framework="pt", device="cpu") as file:
            return _KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def place_in(times: Sequence[float] | np.ndarray, time: float) -> tuple[int, float]:
    """Frame before a time and how far on the way to the next one, 0 <= share < 1; held at both ends."""
    last = len(times) - 1
    index = int(np.searchsorted(times, time, side="right")) - 1
    if index < 0 or index >= last:
        return min(max(index, 0), last), 0.0
    share = (time - times[index]) / (times[index + 1] - times[index])
    return index, float(share)


class TrajectoryLog:
    """A trajectory that grows while bodies move: `append` after each step.

    Args:
        bodies: of the world, in its order. timestep, scene_text: see `Trajectory`.
    """

    def __init__(self, bodies: Sequence[Body], *, timestep: float, scene_text: str = "") -> None:
        self._bodies = tuple(bodies)
        self._timestep, self._scene_text = timestep, scene_text
        self._times: list[float] = []
        self._transforms: list[tuple[np.ndarray, ...]] = []

    def __len__(self) -> int:
        """Frames so far."""
        return len(self._times)

    @property
    def end(self) -> float:
        """Time of the newest frame [s]; minus infinity when there is none."""
        return self._times[-1] if self._times else -np.inf

    def append(self, time: float) -> None:
        """Keep where the bodies are now, at `time` [s]."""
        self._append(time, tuple(body.space.raw_transforms(body.position) for body in self._bodies))

    def append_state(self, state: WorldState) -> None:
        """Keep a state of the same bodies.

        Raises:
            TrajectoryError: it has another number of bodies or coordinates.
        """
        if len(state.bodies) != len(self._bodies):
            raise TrajectoryError(
                f"A state of {len(state.bodies)} bodies is not one of these {len(self._bodies)}."
            )
        found = []
        for body, part in zip(self._bodies, state.bodies, strict=True):
            if tuple(part.position.shape) != (3, body.space.rank):
                raise TrajectoryError(f"A state does not fit the handles of {body.name!r}.")
            found.append(body.space.raw_transforms(part.position.numpy()))
        self._append(state.time, tuple(found))

    def extend(self, trajectory: Trajectory) -> None:
        """Take over the frames of a trajectory of the same bodies, before any of one's own."""
        for frame, time in enumerate(trajectory.times.tolist()):
            self._append(time, tuple(motion.transforms[frame].numpy() for motion in trajectory.motions))

    def transforms_at(self, time: float) -> tuple[Tensor, ...]:
        """As `Trajectory.transforms_at`."""
        # Frames are asked for in the order of time, so the end is where to look.
        start = len(self._times) - 1
        while start > 0 and self._times[start] > time:
            start -= 1
        index, share = place_in(self._times[start : start + 2], time)
        here = self._transforms[start + index]
        if share == 0.0:
            return tuple(map(torch.from_numpy, here))
        there = self._transforms[start + index + 1]
        return tuple(torch.from_numpy(a + share * (b - a)) for a, b in zip(here, there, strict=True))

    def trajectory(self) -> Trajectory:
        """The frames so far.

        Raises:
            TrajectoryError: there are none.
        """
        if not self._times:
            raise TrajectoryError("Nothing was recorded yet: there is no motion to keep.")
        motions = tuple(
            BodyMotion(
                body.name,
                body.basis,
                body.shape.vertices.double().cpu(),
                body.shape.faces.long().cpu(),
                torch.from_numpy(np.stack([frame[index] for frame in self._transforms])),
            )
            for index, body in enumerate(self._bodies)
        )
        times = torch.tensor(self._times, dtype=torch.float64)
        return Trajectory(times, motions, self._timestep, self._scene_text)

    def _append(self, time: float, transforms: tuple[np.ndarray, ...]) -> None:
        if time <= self.end:
            raise TrajectoryError(
                f"Frames must come in the order of time; {time:g} s is after {self.end:g} s."
            )
        self._times.append(float(time))
        self._transforms.append(transforms)


def _from_parts(about: Mapping, tensors: dict[str, Tensor]) -> Trajectory:
    if about["version"] != FORMAT_VERSION:
        raise TrajectoryError(
            f"it was written in format version {about['version']!r}, this program reads {FORMAT_VERSION}"
        )
    bodies = list(about["bodies"])
    if len(bodies) > _MOST_BODIES:
        raise TrajectoryError(f"it names {len(bodies)} bodies")
    grouped: dict[int, dict[str, Tensor]] = {index: {} for index in range(len(bodies))}
    for name, tensor in tensors.items():
        if name.startswith("body."):
            _, index, rest = name.split(".", 2)
            grouped[int(index)][rest] = tensor
    motions = []
    for index, body in enumerate(bodies):
        parts = grouped[index]
        weights = {n.removeprefix("basis."): t for n, t in parts.items() if n.startswith("basis.")}
        basis = HandleBasis.from_parts(body["basis"], weights)
        motions.append(
            BodyMotion(str(body["name"])[:200], basis, parts["vertices"], parts["faces"], parts["transforms"])
        )
    return Trajectory(tensors["times"], tuple(motions), float(about["timestep"]), str(about["scene"]))


def _check(trajectory: Trajectory) -> None:
    times = trajectory.times
    if times.ndim != 1 or times.dtype != torch.float64 or len(times) == 0:
        raise TrajectoryError("its times are not a list of float64 numbers")
    if not torch.isfinite(times).all() or (times.diff() <= 0).any():
        raise TrajectoryError("its times do not increase")
    if not (np.isfinite(trajectory.timestep) and trajectory.timestep > 0):
        raise TrajectoryError(f"its time step is {trajectory.timestep}")
    if len(trajectory.scene_text) > _MOST_SCENE_TEXT:
        raise TrajectoryError("its scene is longer than any scene")
    for motion in trajectory.motions:
        _check_motion(motion, len(times))


def _check_motion(motion: BodyMotion, frames: int) -> None:
    wanted = {
        "vertices": (motion.vertices, torch.float64, (None, 3)),
        "faces": (motion.faces, torch.int64, (None, 3)),
        "transforms": (motion.transforms, torch.float64, (frames, motion.basis.handles, 3, 4)),
    }
    for name, (tensor, dtype, shape) in wanted.items():
        fits = tensor.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape, tensor.shape, strict=True)
        )
        if tensor.dtype != dtype or not fits:
            raise TrajectoryError(
                f"{motion.name!r}: its {name} have shape {tuple(tensor.shape)}, {tensor.dtype}"
            )
        if dtype.is_floating_point and not torch.isfinite(tensor).all():
            raise TrajectoryError(f"{motion.name!r}: its {name} are not all finite")
    faces = motion.faces
    if faces.numel() and (int(faces.min()) < 0 or int(faces.max()) >= len(motion.vertices)):
        raise TrajectoryError(f"{motion.name!r}: a face names a vertex that is not there")
