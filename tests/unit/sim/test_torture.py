"""A short version of tests/bench/torture.py: nothing a hand can do breaks a body."""

import sys
from pathlib import Path

import numpy as np
from sample_bodies import BEAM, box_shape, make_body

from sim import World

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from torture import torment


def test_violence_leaves_no_nan_and_no_damage():
    body = make_body(box_shape(BEAM, count=1024), handles=6)
    world = World(device="cpu")
    world.floor(-1.0)
    world.add(body)
    found = torment(world, body, 2500, np.random.default_rng(7))
    assert found["not_finite"] == 0
    assert found["away_from_rest"] < 1e-3
