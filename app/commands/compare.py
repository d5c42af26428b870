"""`simplicits-studio compare`: ways to get handles side by side on a scene's body."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro


def run(
    scene: Annotated[str, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("report"),
    optimizers: str = "ns,adam,muon,curvature,rkpm",
    body: str | None = None,
    handles: int | None = None,
    steps: int = 300,
    seeds: int = 2,
    tune_steps: int = 60,
    device: str = "cpu",
) -> int:
    """Compare optimizers: a table, plots and figures of quality against time.

    Ctrl-C keeps what is done.

    Args:
        scene: scene file, or the name of a shipped scene.
        output: folder for report.md, report.json and the plots.
        optimizers: with commas: ns, ns-bending (what train does), adam, muon, curvature, spline, rkpm, cosine; ns-text
            (the NS design note as it stands), ns-author, adam-penalty (the paper), kaolin, kaolin-rkpm; or any of
            pytorch-optimizer's.
        body: which of the scene's bodies; the first when left out.
        handles: how many, counting the constant one; what the scene says when left out.
        steps: of each run.
        seeds: runs of each, with seeds 0, 1, ...
        tune_steps: of each of four learning rates tried first; 0 takes each optimizer's own.
        device: auto, cpu, cuda.
    """
    from app.comparison_report import Report, write_report
    from app.interrupt import until_interrupted
    from optim.comparison import compare_method
    from optim.config import TrainConfig
    from optim.methods import find_methods
    from optim.yardstick import Yardstick
    from scenes.build import build_material, build_shape
    from scenes.load import load_scene
    from scenes.shipped import find_scene
    from sim.errors import TrainingError

    methods = find_methods(optimizers)
    if seeds < 1 or tune_steps < 0:
        raise TrainingError(f"At least one seed, and no less than 0 steps of tuning: {seeds}, {tune_steps}.")
    loaded = load_scene(find_scene(scene))
    names = [part.name for part in loaded.bodies]
    if body is not None and body not in names:
        raise TrainingError(f"The scene has no body {body!r}; it has {', '.join(names)}.")
    part = loaded.bodies[names.index(body) if body is not None else 0]
    shape = build_shape(part)
    material = build_material(part, shape)
    # The paper's energy, which every method can be measured by.
    config = TrainConfig(handles=handles or part.handles, steps=steps, device=device, bending=0.0)

    with until_interrupted() as cancel:
        _say("the references")
        yardstick = Yardstick(shape, material, config.handles)
        report = Report.of(loaded.name, part.name, yardstick, config, seeds, tune_steps)
        for method in methods:
            if cancel.is_set():
                break
            done = compare_method(
                method,
                yardstick,
                config,
                list(range(seeds)),
                tune_steps=tune_steps,
                cancel=cancel,
                on_stage=_say,
            )
            report.methods.append(done.as_dict())
        report.stopped = cancel.is_set()
    if not any(method["runs"] for method in report.methods):
        print("Stopped before anything was compared; nothing is written.", file=sys.stderr)
        return 130
    print(report.table())
    write_report(report, output)
    print(f"\n{output / 'report.md'}")
    return 130 if report.stopped else 0


def _say(stage: str) -> None:
    print(f"{stage} ...", file=sys.stderr, flush=True)
