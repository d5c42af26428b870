"""`simplicits-studio train`: handles for a mesh, or for every body of a scene that names a weights file."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from app.interrupt import until_interrupted
from sim.errors import TrainingError
from sim.material import Material
from sim.shape import Shape, load_shape


def run(
    source: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    handles: int | None = None,
    optimizer: str = "ns",
    preset: Literal["draft", "good", "best"] = "good",
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    device: str = "auto",
    material: str = "soft rubber",
    size: float | None = None,
    resume: Path | None = None,
    checkpoint: Path | None = None,
    cubature: bool = True,
) -> int:
    """Learn the handles of a mesh, or of the bodies of a scene.

    Ctrl-C keeps what was learned so far.

    Args:
        source: mesh file, scene file, or the name of a shipped scene.
        output: weights file to write; each body's own for a scene file, else in this folder, when left out.
        handles: how many, counting the constant one; 32, or what the scene says.
        optimizer: ns, adam, muon, curvature, or one of pytorch-optimizer's.
        preset: how long: draft, good or best.
        steps: instead of the preset's.
        learning_rate: instead of the optimizer's own.
        seed: the same gives the same weights.
        device: auto, cpu, cuda.
        material: preset for a mesh; a scene brings its own.
        size: longest side of a mesh in metres; its numbers are metres when left out.
        resume: a checkpoint to go on from.
        checkpoint: write the state of training there, to go on later.
        cubature: whether cubature points are chosen as well and kept with the weights.
    """
    from optim.config import TrainConfig
    from optim.distributed import connect
    from sim.device import resolve_device

    overrides = {
        "optimizer": optimizer,
        "preset": preset,
        "steps": steps,
        "learning_rate": learning_rate,
        "seed": seed,
        "device": device,
    }
    with connect(device=resolve_device(device).type) as workers:
        for path, shape, made_of, count in _bodies(source, output, handles, material, size):
            config = TrainConfig(handles=count, **overrides)
            _train_one(path, shape, made_of, config, workers, resume, checkpoint, cubature)
    return 0


def _bodies(
    source: Path, output: Path | None, handles: int | None, material: str, size: float | None
) -> Iterator[tuple[Path, Shape, Material, int]]:
    """What to train: where to write, what it fills, what it is made of, and how many handles."""
    from scenes.build import build_material, build_shape
    from scenes.load import load_scene
    from scenes.shipped import find_scene
    from sim.mesh_files import FORMATS

    if source.suffix.lower() in FORMATS:
        made_of = Material.preset(material)
        path = _writable(output or Path(f"{source.stem}.safetensors"))
        shape = load_shape(source, size=size)
        print(shape.report)
        yield path, shape, made_of, 32 if handles is None else handles
        return
    scene = load_scene(find_scene(str(source)))
    if output is not None and len(scene.bodies) > 1:
        raise TrainingError(
            f"{source} has {len(scene.bodies)} bodies; name their weights files in the scene."
        )
    for part in scene.bodies:
        own = Path(part.weights or f"{part.name}.safetensors")
        # A shipped scene named in short is the program's: its own weights stay as they are.
        path = _writable(output or (own if source.exists() else Path(own.name)))
        shape = build_shape(part)
        yield path, shape, build_material(part, shape), part.handles if handles is None else handles


def _writable(path: Path) -> Path:
    """A place for weights, made ready: better told now than after training.

    Raises:
        TrainingError: another kind of file, or a folder that cannot be written.
    """
    if path.suffix.lower() != ".safetensors":
        raise TrainingError(
            f"Weights are written to a .safetensors file: -o {path.stem}.safetensors, not {path}."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TrainingError(
            f"The folder {path.parent} cannot be written to: {error.strerror or error}."
        ) from error
    return path


def _train_one(path, shape, material, config, workers, resume, checkpoint, cubature) -> None:
    from optim.train import train

    talk = workers.rank == 0
    bar = tqdm(total=config.total_steps, desc=path.stem, unit="step", disable=not talk)

    def show(progress) -> None:
        bar.update(progress.step - bar.n)
        if not math.isfinite(progress.energy):
            bar.set_postfix_str("finding the body's modes")
            return
        above = progress.energy / progress.bound_estimate - 1
        energy = f"{100 * above:.1f} % to go" if math.isfinite(above) else f"{progress.energy:.4g}"
        bar.set_postfix_str(f"energy {energy}, rank {progress.effective_rank:.1f}", refresh=False)

    with bar, until_interrupted() as cancel:
        basis = train(
            shape, material, config, show, cancel, checkpoint=checkpoint, resume=resume, workers=workers
        )
        stopped = cancel.is_set()
    if not talk:
        return
    basis.save(path)
    if cubature and not stopped:  # takes seconds more: the weights are safe already
        from sim.cubature_training import optimize_cubature
        from sim.reduction import reduce

        found = optimize_cubature(reduce(shape, material, basis), material, seed=config.seed)
        basis.with_cubature(found.keepable()).save(path)
    word = "what was learned so far" if stopped else basis.diagnostics["ended"]
    print(f"{path}: {basis.handles} handles ({word}, {basis.diagnostics['steps']} steps)")
