"""Every way to get handles behind one interface: learned by any optimizer or by others' recipes, or written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from optim.baselines import DEFAULT_LEARNING_RATES, FOREIGN_LEARNING_RATE, build_optimizer
from optim.config import TrainConfig
from optim.recipe_training import train_by_recipe
from optim.recipes import RECIPES
from optim.train import Progress, train
from optim.untrained import cosine_basis, kaolin_rkpm_basis, rkpm_basis, spline_basis
from sim.basis import HandleBasis
from sim.errors import TrainingError
from sim.material import Material
from sim.shape import Shape

OnProgress = Callable[[Progress], None] | None
Learn = Callable[[Shape, Material, TrainConfig, OnProgress, threading.Event | None], HandleBasis]


@dataclass(frozen=True)
class Method:
    """A way to get handles.

    Attributes:
        name: as one asks for it. what: the same in a few words.
        learn: `learn(shape, material, config, on_progress, cancel) -> HandleBasis`; of the config each takes what
            it has a use for.
        learning_rate: where the search for a good one starts; None where nothing is learned.
    """

    name: str
    what: str
    learn: Learn
    learning_rate: float | None = None


_WORDS = {
    "ns": "the NS optimizer, handles orthonormal by construction",
    "ns-bending": "the same with strain gradients in the energy, as `train` has by default",
    "adam": "Adam, handles orthonormal by construction",
    "muon": "torch's Muon, handles orthonormal by construction",
    "curvature": "isotropic curvature (Su 2025), handles orthonormal by construction",
    "ns-text": "the NS design note's text as it stands: no penalty, nothing else",
    "ns-author": "the same with the loss of the note's author",
    "adam-penalty": "the paper's Adam and penalty, derivatives exact",
    "kaolin": "the paper's Adam and penalty by finite differences, as Kaolin",
    "rkpm": "reproducing kernels, no training",
    "kaolin-rkpm": "the same by Kaolin's recipe",
    "spline": "the body's modes over splines, which the network reads, no training",
    "cosine": "cosine modes of the box, no training",
}


_UNTRAINED = {
    "rkpm": rkpm_basis,
    "kaolin-rkpm": kaolin_rkpm_basis,
    "spline": spline_basis,
    "cosine": cosine_basis,
}


def find_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        TrainingError: nobody knows it; the message lists who is known and what to install for more.
    """
    name = name.strip().lower()
    if name in RECIPES:
        recipe = RECIPES[name]

        def learn(shape, material, config, on_progress=None, cancel=None):
            return train_by_recipe(recipe, shape, material, config, on_progress, cancel)

        return Method(name, _WORDS[name], learn, recipe.learning_rate)
    if name == "ns-bending":
        return Method(name, _WORDS[name], _with_strain_gradients, DEFAULT_LEARNING_RATES["ns"])
    if name in _UNTRAINED:
        return Method(name, _WORDS[name], _untrained(_UNTRAINED[name]))
    # Asked once in advance: a name nobody knows must not cost the methods before it.
    try:
        build_optimizer(name, nn.ModuleList([nn.Linear(3, 8), nn.Linear(8, 8)]))
    except TrainingError as error:
        others = ", ".join(n for n in _WORDS if n not in DEFAULT_LEARNING_RATES)
        raise TrainingError(f"{error} To compare with there are also {others}.") from error

    def learn_with(shape, material, config, on_progress=None, cancel=None):
        return train(shape, material, replace(config, optimizer=name), on_progress, cancel)

    rate = DEFAULT_LEARNING_RATES.get(name, FOREIGN_LEARNING_RATE)
    what = _WORDS.get(name, f"{name} of pytorch-optimizer, handles orthonormal by construction")
    return Method(name, what, learn_with, rate)


def find_methods(names: str) -> list[Method]:
    """Those of a list with commas.

    Raises:
        TrainingError: no name, or one that nobody knows.
    """
    asked = list(dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip()))
    if not asked:
        raise TrainingError(f"Name the optimizers to compare, with commas: {','.join(_WORDS)}.")
    return [find_method(name) for name in asked]


def _with_strain_gradients(shape, material, config, on_progress=None, cancel=None) -> HandleBasis:
    return train(
        shape, material, replace(config, optimizer="ns", bending=TrainConfig.bending), on_progress, cancel
    )


def _untrained(build: Callable[[Shape, Material, int], HandleBasis]) -> Learn:
    @torch.no_grad()
    def learn(shape, material, config, on_progress=None, cancel=None):
        return build(shape, material, config.handles)

    return learn
