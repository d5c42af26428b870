"""The state of a training run, in memory for going back and on file for going on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from optim.config import TrainConfig
from sim.errors import BasisError, TrainingError
from sim.splines import SplineField
from sim.tensor_files import write_tensors

_VERSION = 1


def versions() -> dict[str, str]:
    """What computed: versions of this program, Python and the libraries that matter."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("simplicits-studio", "numpy", "warp-lang"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Checkpoint:
    """Tensors and plain values of a run; `tensors` are named `network.*`, `modes.*`, `optimizer.N.*` and `random`."""

    tensors: dict[str, torch.Tensor]
    step: int
    history: tuple[dict, ...]
    config: dict

    @staticmethod
    def of(
        network: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        generator: torch.Generator,
        step: int,
        history: list[dict],
        config: TrainConfig,
        modes: SplineField | None = None,
    ) -> Checkpoint:
        """A copy of a run's state; no optimizer yet is one without state. modes: what the network reads."""
        tensors = {f"network.{k}": v.detach().clone() for k, v in network.state_dict().items()}
        state = optimizer.state_dict()["state"] if optimizer is not None else {}
        for number, values in state.items():
            for name, value in values.items():
                tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value).detach().clone()
        tensors["random"] = generator.get_state()
        if modes is not None:
            tensors |= {f"modes.{name}": tensor for name, tensor in modes.tensors().items()}
            tensors["modes.spacing"] = torch.tensor(modes.grid.spacing, dtype=torch.float64)
            tensors["modes.degree"] = torch.tensor(modes.grid.degree)
        return Checkpoint(tensors, step, tuple(dict(entry) for entry in history), config.as_dict())

    def modes(self) -> SplineField:
        """The body's modes that the network reads.

        Raises:
            TrainingError: there are none, or they are damaged.
        """
        prefix = "modes."
        parts = {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}
        try:
            settings = {name: parts[name].item() for name in ("spacing", "degree") if name in parts}
            return SplineField.build(parts, settings)
        except (BasisError, KeyError, ValueError, RuntimeError) as error:
            raise TrainingError(f"The checkpoint does not hold the body's modes: {error}") from error

    def restore(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        config: TrainConfig,
    ) -> int:
        """Put a run into this state.

        Returns:
            The number of steps done.

        Raises:
            TrainingError: it belongs to a network or optimizer of another kind.
        """
        for name in (
            "handles",
            "optimizer",
            "layers",
            "width",
            "activation",
            "gain",
            "head",
            "body_modes",
            "bending",
        ):
            made_with = {"bending": 0.0, **self.config}.get(name)  # older files do not know of it
            if made_with != getattr(config, name):
                raise TrainingError(
                    f"The checkpoint was made with {name} = {made_with!r}, this run has "
                    f"{getattr(config, name)!r}; they must be the same to go on."
                )
        try:
            prefix = "network."
            network.load_state_dict(
                {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}
            )
            state: dict[int, dict] = {}
            for key, value in self.tensors.items():
                if key.startswith("optimizer."):
                    _, number, name = key.split(".", 2)
                    state.setdefault(int(number), {})[name] = value.clone()
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
            generator.set_state(self.tensors["random"].cpu().clone())
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise TrainingError(f"The checkpoint does not fit this run: {error}") from error
        return self.step

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file, beside and then renamed.

        Raises:
            TrainingError: the place cannot be written.
        """
        path = Path(path)
        header = {"version": _VERSION, "step": self.step, "history": self.history, "config": self.config}
        tensors = {name: t.cpu().contiguous() for name, t in self.tensors.items()}
        try:
            write_tensors(path, tensors, {"simplicits_studio_training": json.dumps(header)})
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"Cannot write the checkpoint {path}: {error}") from error

    @staticmethod
    def load(path: str | os.PathLike) -> Checkpoint:
        """Read what `save` wrote.

        Raises:
            TrainingError: missing, damaged, or of another version.
        """
        path = Path(path)
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                header = json.loads((file.metadata() or {})["simplicits_studio_training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if header["version"] != _VERSION:
                raise TrainingError(f"{path} has format version {header['version']}, this reads {_VERSION}.")
            return Checkpoint(tensors, int(header["step"]), tuple(header["history"]), dict(header["config"]))
        except FileNotFoundError as error:
            raise TrainingError(f"There is no checkpoint at {path}.") from error
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise TrainingError(f"{path} is not a readable training checkpoint: {error}") from error
