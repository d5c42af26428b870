"""What `compare` found: report.md with a table, report.json with everything, and the plots."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.comparison_plots import PLOTS, draw
from optim.checkpoint import versions
from optim.comparison import RATES
from optim.config import TrainConfig
from optim.yardstick import Yardstick
from sim.errors import TrainingError


@dataclass
class Report:
    """Everything a report says, JSON-able.

    Attributes:
        settings: what was compared, and how. reference: the two references and their figures.
        methods: `optim.comparison.Comparison.as_dict()` of each. stopped: whether Ctrl-C ended it.
    """

    scene: str
    body: str
    settings: dict
    reference: dict
    methods: list[dict] = field(default_factory=list)
    stopped: bool = False

    @staticmethod
    def of(
        scene: str, body: str, yardstick: Yardstick, config: TrainConfig, seeds: int, tune_steps: int
    ) -> Report:
        """A report without methods yet."""
        return Report(
            scene,
            body,
            {
                "handles": config.handles,
                "steps": config.total_steps,
                "seeds": seeds,
                "tune_steps": tune_steps,
                "samples": len(yardstick.shape.samples),
                "versions": versions(),
            },
            {"least_energy": yardstick.least_energy, "motion_handles": yardstick.motion_handles},
        )

    def table(self) -> str:
        """A Markdown table, a row a method: medians over the seeds, at the end of the runs."""
        head = (
            "method",
            "learning rate",
            "energy over the reference",
            "motion error",
            "effective rank",
            "orthonormality defect",
            "CPU s",
            "remark",
        )
        rows = [head] + [_row(method, self.settings["handles"]) for method in self.methods]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def text(self) -> str:
        """report.md."""
        s = self.settings
        words = [
            f"# {self.scene}: handles of {self.body} by different methods",
            f"{s['handles']} handles, {s['steps']} steps, {s['seeds']} seeds (medians in the table), learning rates "
            f"chosen among {len(RATES)} after {s['tune_steps']} steps each with another seed. Times are CPU time of "
            "one thread, the finish included and tuning left out.",
            self.table(),
            "\n".join(f"- `{m['name']}`: {m['what']}." for m in self.methods),
            "**Energy over the reference**: expected elastic energy of the best orthonormal handles in the span of "
            "what came out, over that of the best handles within a rich space of reproducing kernels or splines, less "
            "one. The reference is an upper bound of the true minimum, so a little under 0 is possible and the "
            "distance from the true minimum is larger than the figure. Handles that are linearly dependent have none.",
            "**Motion error**: the body held at an end of its longest side hangs under gravity across it, for either "
            f"end. RMS distance from the same solver with {self.reference['motion_handles']} handles, over the RMS "
            "of that one's displacement. The reference is a reduced model too, not finite elements.",
            "**Effective rank** (perfect: handles less one) and **orthonormality defect** (perfect: 0) are those of "
            "the handles as the method hands them out.",
            "A point of a curve is what the method would have handed out had it been finished there.",
            *(f"![{plot.title}]({plot.file})" for plot in PLOTS),
        ]
        if self.stopped:
            words.insert(1, "**Stopped by hand: some runs are short or missing.**")
        return "\n\n".join(words) + "\n"

    def as_dict(self) -> dict:
        """report.json."""
        return {
            "scene": self.scene,
            "body": self.body,
            "settings": self.settings,
            "reference": self.reference,
            "stopped": self.stopped,
            "methods": self.methods,
        }


def write_report(report: Report, folder: Path) -> None:
    """Write everything into `folder`, each file beside and then renamed; report.md, which names all, comes last.

    Raises:
        TrainingError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in PLOTS:
            _beside(folder / plot.file, lambda path, plot=plot: draw(plot, report.as_dict(), path))
        text = json.dumps(report.as_dict(), indent=1, allow_nan=False)
        _beside(folder / "report.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))
        _beside(folder / "report.md", lambda path: path.write_text(report.text(), encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"Cannot write the report to {folder}: {error}") from error


def _beside(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _row(method: dict, handles: int) -> tuple[str, ...]:
    ends = [run["points"][-1] for run in method["runs"] if run["points"]]
    remarks = {run["note"] for run in method["runs"] if run["note"]}

    def middle(name: str) -> float | None:
        values = [end["measures"][name] for end in ends]
        return statistics.median(values) if values and None not in values else None

    above, motion, rank, defect = (middle(name) for name in ("above", "motion", "rank", "defect"))
    if ends and above is None:
        remarks.add("some handles are not independent of the others")
    rate = method["learning_rate"]
    return (
        method["name"],
        "none" if rate is None else f"{rate:.2g}",
        "-" if above is None else f"{100 * above:+.1f} %",
        "-" if motion is None else f"{100 * motion:.1f} %",
        "-" if rank is None else f"{rank:.2f} of {handles - 1}",
        "-" if defect is None else f"{defect:.1e}",
        f"{statistics.median(end['seconds'] for end in ends):.1f}" if ends else "-",
        "; ".join(sorted(remarks)).replace("|", "/").replace("\n", " "),
    )
