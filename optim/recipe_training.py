"""The loop that trains by a recipe of others (optim/recipes.py), with `train`'s face and progress."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import torch

from optim.baselines import build_optimizer
from optim.checkpoint import versions
from optim.config import TrainConfig
from optim.recipes import (
    Recipe,
    exact_gradients,
    finite_difference_gradients,
    frozen_gradients,
    interpolated_energy,
    orthonormality_penalty,
)
from optim.train import Progress
from sim.basis import HandleBasis
from sim.device import resolve_device
from sim.errors import TrainingError
from sim.material import Material
from sim.network import NetworkField, WeightNetwork
from sim.orthonormal import effective_rank, orthonormality_defect
from sim.shape import Shape

Tensor = torch.Tensor

_LOOK_SAMPLES = 1024


def train_by_recipe(
    recipe: Recipe,
    shape: Shape,
    material: Material,
    config: TrainConfig,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> HandleBasis:
    """Learn handles as a recipe says; of `config` only handles, steps, learning rate, seed and device count.

    Returns:
        The network's outputs as they came out, neither centred nor orthonormal: whatever they are is the result.
        Handle h is `sqrt(samples)` times output h, because the recipes ask for `W^T W = I` summed over a batch.

    Raises:
        TrainingError: the loss is no longer finite. MaterialError, DeviceError: as `train`.
    """
    run = RecipeRun(recipe, shape, material, config)
    # Only time spent training counts, as in `train`.
    began = time.perf_counter()
    loss = math.nan
    for step in range(config.total_steps + 1):
        if on_progress is not None:
            seconds = time.perf_counter() - began
            on_progress(run.progress(step, loss, seconds))
            began = time.perf_counter() - seconds
        if cancel is not None and cancel.is_set():
            break
        if step < config.total_steps:
            loss = run.step(step / max(1, config.total_steps - 1))
            if not math.isfinite(loss):
                raise TrainingError(f"The loss is no longer finite at step {step}; lower the learning rate.")
    return run.basis()


class RecipeRun:
    """A network, its optimizer and one body, in Kaolin's coordinates: the bounding box made a unit cube."""

    def __init__(self, recipe: Recipe, shape: Shape, material: Material, config: TrainConfig) -> None:
        self.recipe, self.config = recipe, config
        self.device = resolve_device(config.device)
        self.generator = torch.Generator().manual_seed(config.seed)
        self._low = shape.samples.amin(0)
        self._lengths = (shape.samples.amax(0) - self._low).clamp_min(1e-12)
        self.points = ((shape.samples - self._low) / self._lengths).float().to(self.device)
        self.volume = float(shape.volume)
        mu, lam = material.lame(len(self.points))
        self.mu, self.lam = mu.float().to(self.device), lam.float().to(self.device)
        mass = shape.sample_volumes * material.per_sample("density", len(self.points))
        order = torch.randperm(len(self.points), generator=torch.Generator().manual_seed(0))
        self._look = order[:_LOOK_SAMPLES].to(self.device)
        look_mass = mass.to(self.device)[self._look]
        self._look_mass = look_mass / look_mass.sum()
        self.network = WeightNetwork(
            recipe.layers,
            recipe.width,
            gain=1.0,
            generator=self.generator,
            activation="elu",
            outputs=config.handles - 1,
        ).to(self.device)
        _usual_start(self.network, self.generator)
        rate = recipe.learning_rate if config.learning_rate is None else config.learning_rate
        self.optimizer = build_optimizer(recipe.optimizer, self.network, lr=rate, **recipe.settings)
        self._rank, self._defect, self._looked = 0.0, math.nan, -1

    def step(self, progress: float) -> float:
        """One optimizer step; `progress`, 0 to 1, is how far the energy has become Neo-Hookean."""
        recipe = self.recipe
        index = torch.randint(len(self.points), (recipe.samples,), generator=self.generator).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(index, progress)
        loss.backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        return loss.item()

    def loss(self, index: Tensor, progress: float) -> Tensor:
        """Elastic energy of drawn motions, and the penalty, over the samples `index`."""
        recipe, points = self.recipe, self.points[index]
        motions = (
            torch.randn(recipe.motions, self.config.handles - 1, 3, 4, generator=self.generator)
            * recipe.spread
        )
        motions = motions.to(points)
        if recipe.gradients == "exact":
            values, gradients = self.network.value_and_gradient(points)
            F = exact_gradients(values, gradients, points, motions)
        else:
            values = self._outputs(points)
            F = (
                frozen_gradients(values, motions)
                if recipe.gradients == "frozen"
                else finite_difference_gradients(self._outputs, points, motions, blend=recipe.blend)
            )
        energy = interpolated_energy(F, self.mu[index], self.lam[index], self.volume, progress)
        loss = recipe.elastic * energy
        return loss + recipe.penalty * orthonormality_penalty(values) if recipe.penalty else loss

    def basis(self) -> HandleBasis:
        """The outputs as they are now."""
        # The box's own scale goes into the first layer, so that the network reads one scale for all axes.
        folded = WeightNetwork(
            self.recipe.layers,
            self.recipe.width,
            gain=1.0,
            generator=torch.Generator(),
            activation="elu",
            outputs=self.config.handles - 1,
        ).double()
        folded.load_state_dict({k: v.detach().cpu() for k, v in self.network.state_dict().items()})
        longest = float(self._lengths.max())
        first = folded.linears[0]
        first.weight.data *= longest / self._lengths
        field = NetworkField(folded, self._low, longest)
        scale = torch.full((self.config.handles,), math.sqrt(self.recipe.samples), dtype=torch.float64)
        scale[0] = 1
        return HandleBasis(
            field, torch.diag(scale), metadata={"config": self.config.as_dict(), "versions": versions()}
        )

    def progress(self, step: int, loss: float, seconds: float) -> Progress:
        """As `train` reports it; rank and defect are looked at twenty times a run."""
        total = self.config.total_steps
        if self._looked < 0 or step - self._looked >= max(1, total // 20):
            self._judge(step)
        rate = step / seconds if seconds > 0 else 0.0
        return Progress(
            step=step,
            steps=total,
            loss=loss,
            energy=loss,
            bound_estimate=loss,
            effective_rank=self._rank,
            orthonormality=self._defect,
            rate=rate,
            seconds=seconds,
            remaining_seconds=(total - step) / rate if rate else math.nan,
            snapshot=self.basis,
            finished=self.basis,
        )

    @torch.no_grad()
    def _judge(self, step: int) -> None:
        outputs = self._outputs(self.points[self._look]).double() * math.sqrt(self.recipe.samples)
        self._looked = step
        self._rank = effective_rank(outputs, self._look_mass) if self.config.handles > 1 else 0.0
        self._defect = orthonormality_defect(outputs, self._look_mass)

    def _outputs(self, points: Tensor) -> Tensor:
        """Values alone: what a network gives that knows nothing of its derivative."""
        x = points
        *hidden, last = self.network.linears
        for linear in hidden:
            x = torch.nn.functional.elu(linear(x))
        return last(x)


def _usual_start(network: WeightNetwork, generator: torch.Generator) -> None:
    """The start that torch gives a linear layer: all entries uniform within `1 / sqrt(inputs)`."""
    for linear in network.linears:
        bound = 1 / math.sqrt(linear.in_features)
        for tensor in (linear.weight, linear.bias):
            uniform = torch.rand(tensor.shape, generator=generator)
            tensor.data.copy_(bound * (2 * uniform - 1))
