"""Fixtures of the core's tests."""

import numpy as np
import pytest
import torch
from sample_bodies import BEAM, box_shape

from sim import Shape, World


@pytest.fixture
def beam() -> Shape:
    return box_shape(BEAM, origin=(0.0, -0.125, -0.125))


@pytest.fixture
def world() -> World:
    return World(device="cpu")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
