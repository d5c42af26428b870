"""`train`: from a shape and a material to a HandleBasis, without any data.

A network's features span a space of weight functions; a Rayleigh-Ritz head finds the best handles in it; the
optimizer moves the network so that their elastic energy falls. The equations are in docs/training.md.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from optim.baselines import build_optimizer
from optim.checkpoint import Checkpoint, versions
from optim.config import TrainConfig
from optim.distributed import Workers
from optim.head import HEADS, rayleigh_ritz
from optim.looks import LOOKS, bound_estimate, has_exploded, is_plateau
from optim.problem import Problem, first_handles, initial_network
from sim.basis import HandleBasis
from sim.device import resolve_device
from sim.errors import TrainingError
from sim.material import Material
from sim.network import WeightNetwork
from sim.orthonormal import effective_rank, orthonormality_defect
from sim.shape import Shape
from sim.threads import single_torch_thread

_LOOK_SAMPLES = 2048
_NOTHING_SEEN = {"energy": math.nan, "effective_rank": math.nan, "orthonormality": math.nan}
_ROLLBACKS = 5  # divergences after which training gives up


@dataclass(frozen=True)
class Progress:
    """Where training is, handed to `on_progress` after every step, in the training thread.

    Attributes:
        step, steps: done, and to do at the most. loss: energy on this step's samples, in units of the mean
            stiffness. energy: the same at the last look, on samples kept for looking. bound_estimate: what it
            seems to end with. effective_rank, orthonormality: of the handles at the last look (H - 1
            and 0 are perfect). rate: steps a second. seconds, remaining_seconds: spent training (not in
            `on_progress`; those before a resumed run included), and expected.
        snapshot: call it, inside `on_progress` only, for the handles as they are now, quickly: solved over few
            samples. finished: the same as `train` would return them now, solved over all.
    """

    step: int
    steps: int
    loss: float
    energy: float
    bound_estimate: float
    effective_rank: float
    orthonormality: float
    rate: float
    seconds: float
    remaining_seconds: float
    snapshot: Callable[[], HandleBasis]
    finished: Callable[[], HandleBasis]


def train(
    shape: Shape,
    material: Material,
    config: TrainConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    *,
    checkpoint: str | os.PathLike | None = None,
    resume: str | os.PathLike | None = None,
    workers: Workers | None = None,
) -> HandleBasis:
    """Learn the handles of a body.

    Args:
        shape, material: the body; material values may differ from sample to sample.
        config: all settings; `TrainConfig()` when None.
        on_progress: called after every step, and once before the first, when `snapshot` already gives handles
            of the untrained network that can be simulated.
        cancel: when set, training ends within one step and returns what was learned so far.
        checkpoint: write the state of training there at the end, to go on later. resume: go on from there.
        workers: the processes that train together (optim/distributed.py); each calls this with the same
            arguments, takes its part of every batch, and returns the same handles.

    Returns:
        Mass-orthonormal handles, ordered by energy, with `history` (one entry a look), `diagnostics` (how it
        ended, rank, orthonormality, energies) and `metadata` (config, versions, seed).

    Raises:
        TrainingError: settings that make no sense, a checkpoint that does not fit, or repeated divergence.
        MaterialError, DeviceError: values that do not fit the shape; a device that is not there.

    On the CPU everything runs in one thread, which is fastest for matrices of this size.
    """
    with single_torch_thread():
        run = _Run(shape, material, config or TrainConfig(), resume, workers or Workers())
        run.loop(on_progress, cancel)
        if checkpoint is not None and run.workers.rank == 0:
            run.state().save(checkpoint)
        return run.result()


class _Run:
    """One training run: the network, its optimizer, and what is known of how well they do."""

    def __init__(
        self,
        shape: Shape,
        material: Material,
        config: TrainConfig,
        resume: str | os.PathLike | None,
        workers: Workers,
    ) -> None:
        self.config = config
        self.workers = workers
        self.device = resolve_device(config.device)
        self.problem = Problem.build(shape, material, self.device, config.bending)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network: WeightNetwork | None = None  # until `prepare`
        self._optimizer: torch.optim.Optimizer | None = None
        self.step_done = 0
        self.history: list[dict] = []
        self.rate_factor = 1.0
        self.rollbacks = 0
        self._most = 0  # handles that a look has told apart, the constant left out: a small body has few
        self.ended = "all steps taken"
        if resume is not None:
            self._prepare(Checkpoint.load(resume))

    def _prepare(self, start: Checkpoint | None = None, cancel: threading.Event | None = None) -> None:
        """Make everything that steps need, or find it in a checkpoint; leave off when cancelled."""
        problem, config = self.problem.dense(), self.config
        if config.body_modes != 0 and not self._cancelled(cancel):
            count = config.handles - 1 if config.body_modes is None else config.body_modes
            modes = problem.find_modes(count) if start is None else start.modes()
            coefficients = modes.coefficients.to(self.device)  # where the processes can exchange it
            self.workers.broadcast([coefficients])
            problem = problem.reading(replace(modes, coefficients=coefficients.cpu()))
        if self._cancelled(cancel):
            return
        self.problem = problem
        self.network = initial_network(config, problem, self.generator)
        self._look_index = problem.subset(_LOOK_SAMPLES).to(self.device)
        if start is not None:
            self._restore(start)
        self.workers.broadcast(self.network.parameters())
        self._good = self.state()

    def _cancelled(self, cancel: threading.Event | None) -> bool:
        return self.workers.any(cancel is not None and cancel.is_set())

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Made when first needed: torch loads a second's worth of modules with a process's first optimizer, and
        the untrained handles shall not wait for that."""
        if self._optimizer is None:
            settings = {"workers": self.workers} if self.config.optimizer == "ns" else {}
            self._optimizer = build_optimizer(
                self.config.optimizer, self.network, lr=self.config.learning_rate, **settings
            )
            self._start_rate = float(self._optimizer.param_groups[0]["lr"])
        return self._optimizer

    def loop(self, on_progress: Callable[[Progress], None] | None, cancel: threading.Event | None) -> None:
        config = self.config
        if config.handles == 1:
            self.ended = "one handle is the constant: nothing to learn"
            return
        first = self.step_done
        # Only time spent training counts: a window that pauses it does so by staying in on_progress.
        began, before = time.perf_counter(), self._seconds_so_far()
        every = max(1, config.total_steps // LOOKS)
        may_stop = config.stop_early and config.head != "none"

        def tell(loss: float) -> None:
            nonlocal began
            if on_progress is not None:
                seconds = time.perf_counter() - began
                on_progress(self._progress(loss, before, seconds, self.step_done - first))
                began = time.perf_counter() - seconds

        tell(math.nan)
        if self.network is None and not self._cancelled(cancel):
            self._prepare(cancel=cancel)
        if self.network is not None and not self.history:
            self._look(before + time.perf_counter() - began)
        while not self._cancelled(cancel):
            if self.step_done >= config.total_steps:
                return
            loss = self._step()
            look = self.step_done % every == 0 or self.step_done == config.total_steps
            if look and self.workers.any(not self._look(before + time.perf_counter() - began)):
                self._roll_back()
            tell(loss)
            if look and may_stop and is_plateau(self._looks(), config.total_steps):
                self.ended = "more steps no longer help"
                return
        self.ended = "stopped by hand"

    def result(self) -> HandleBasis:
        """The handles, with everything that made them."""
        basis = self._finished()
        diagnostics = {
            **basis.diagnostics,
            "steps": self.step_done,
            "ended": self.ended,
            "rollbacks": self.rollbacks,
            "device": str(self.device),
        }
        return HandleBasis(
            basis.field,
            basis.mix,
            localizer=basis.localizer,
            handle_points=basis.handle_points,
            history=tuple(self.history),
            diagnostics=diagnostics,
            metadata={"config": self.config.as_dict(), "versions": versions()},
        )

    # -- one step -------------------------------------------------------------------------------------------

    def _step(self) -> float:
        """One optimizer step; after a loss that is not finite, back to the last good state instead."""
        config, problem = self.config, self.problem
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        index = torch.randint(len(problem.points), (config.batch,), generator=self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        energy = math.nan
        try:
            part = index[self.workers.rank :: self.workers.size].to(self.device)
            A, M = problem.grams(self.network, part, centred=config.head != "none")
            objective, energy = HEADS[config.head](A, M, config.handles - 1)
            # Divided by its own size, so that one clip and one rate fit every body.
            (objective / energy.abs().clamp_min(1e-30)).backward()
            # An energy is never negative, unless the features have outgrown their precision.
            energy = float(energy) if energy >= 0 else math.nan
        except torch.linalg.LinAlgError:
            pass  # Gram matrices that are not finite, or have no positive part: as bad as a NaN loss
        self.workers.average_gradients(self.network.parameters())
        if self.workers.any(not (math.isfinite(energy) and self._gradients_are_finite())):
            self._roll_back()
            return math.nan
        if config.optimizer != "ns":  # NS clips by itself
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        self.optimizer.step()
        self.step_done += 1
        return energy

    def _gradients_are_finite(self) -> bool:
        return all(
            bool(torch.isfinite(p.grad).all()) for p in self.network.parameters() if p.grad is not None
        )

    def _rate(self) -> float:
        total = max(1, self.config.total_steps)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step_done / total)))
        return self._start_rate * self.rate_factor * fall

    def _roll_back(self) -> None:
        self.rollbacks += 1
        if self.rollbacks > _ROLLBACKS:
            raise TrainingError(
                f"Training diverged {self.rollbacks} times, the last at step {self.step_done}; lower "
                f"learning_rate (now {self._start_rate * self.rate_factor:.2g})."
            )
        random, history = self.generator.get_state(), self.history
        self._restore(self._good)
        # Other samples and a smaller rate: the same again would diverge again.
        self.generator.set_state(random)
        self.history = history
        self.rate_factor *= 0.5
        self.history.append({"step": self.step_done, "rolled_back": True, "rate_factor": self.rate_factor})

    # -- how well it does -----------------------------------------------------------------------------------

    @torch.no_grad()
    def _look(self, seconds: float) -> bool:
        """Note how well the handles do; False, and nothing noted, where the energy has exploded or handles are gone."""
        config, problem = self.config, self.problem
        outputs = problem.jet(self.network, self._look_index)[0].double()
        A, M = problem.grams(self.network, self._look_index, centred=config.head != "none")
        mass = problem.mass[self._look_index]
        mass = mass / mass.sum()
        if config.head == "none":
            energies = A.diagonal()
        else:
            try:
                energies, C = rayleigh_ritz(A, M, config.handles - 1)
            except torch.linalg.LinAlgError:
                return False  # Gram matrices that are not finite
            outputs = (outputs - mass @ outputs) @ C
        energy = float(energies.sum())
        if len(energies) < self._most or energy < 0 or has_exploded(energy, self._looks()):
            return False
        self._most = len(energies)
        self.history.append(
            {
                "step": self.step_done,
                "seconds": round(seconds, 4),
                "energy": energy,
                "effective_rank": effective_rank(outputs, mass),
                "orthonormality": orthonormality_defect(outputs, mass),
            }
        )
        self._good = self.state()
        return True

    def _looks(self) -> list[dict]:
        return [entry for entry in self.history if "energy" in entry]

    def _seconds_so_far(self) -> float:
        return max((entry["seconds"] for entry in self._looks()), default=0.0)

    def _progress(self, loss: float, before: float, seconds: float, steps: int) -> Progress:
        # No look has given numbers yet when already the untrained network is beyond float32.
        last = self._looks()[-1] if self._looks() else _NOTHING_SEEN
        rate = steps / seconds if seconds > 0 and steps else 0.0
        left = self.config.total_steps - self.step_done
        return Progress(
            step=self.step_done,
            steps=self.config.total_steps,
            loss=loss,
            energy=last["energy"],
            bound_estimate=bound_estimate(self._looks(), self.config.total_steps),
            effective_rank=last["effective_rank"],
            orthonormality=last["orthonormality"],
            rate=rate,
            seconds=before + seconds,
            remaining_seconds=left / rate if rate else math.nan,
            snapshot=self._snapshot,
            finished=self._finished,
        )

    def _snapshot(self) -> HandleBasis:
        if self.network is None:
            return first_handles(self.problem, self.config)
        return self.problem.quick_basis(self.network, self.config.handles)

    def _finished(self) -> HandleBasis:
        if self.network is None:
            basis = first_handles(self.problem, self.config)
            return basis.orthonormalized(self.problem.shape, self.problem.material)
        return self.problem.basis(self.network, self.config.handles)

    # -- going back, and going on later ---------------------------------------------------------------------

    def state(self) -> Checkpoint:
        """Everything a later run needs to go on as if it had never stopped."""
        if self.network is None:
            self._prepare()
        return Checkpoint.of(
            self.network,
            self._optimizer,
            self.generator,
            self.step_done,
            self.history,
            self.config,
            self.problem.modes,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.step_done = checkpoint.restore(self.network, self.optimizer, self.generator, self.config)
        self.history = [dict(entry) for entry in checkpoint.history]


__all__ = ["Progress", "TrainConfig", "train"]
