"""Time to place all vertices of a body: `python tests/bench/deform.py --vertices 50000 --handles 32`."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from figures import emit, median_ms, single_thread

from sim.skinning import Skin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertices", type=int, default=50_000)
    parser.add_argument("--handles", type=int, default=32)
    options = parser.parse_args()
    single_thread()
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.normal(size=(options.vertices, 3)))
    weights = torch.from_numpy(rng.normal(size=(options.vertices, options.handles)))
    skin = Skin(X, weights, torch.device("cpu"))
    T = 0.1 * rng.normal(size=(options.handles, 3, 4))
    homogeneous = torch.cat([X, torch.ones(len(X), 1)], dim=1)
    phi = (weights[:, :, None] * homogeneous[:, None, :]).reshape(len(X), -1).float()
    flat = torch.from_numpy(T.transpose(0, 2, 1).reshape(-1, 3)).float()
    rest = X.float()
    emit(
        "deform",
        vertices=options.vertices,
        handles=options.handles,
        median_ms=median_ms(lambda: skin.positions(T)),
        naive_product_ms=median_ms(lambda: rest + phi @ flat, runs=7),
    )


if __name__ == "__main__":
    main()
