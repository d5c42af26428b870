"""From nothing to the first step, in a fresh process: `python tests/bench/startup.py [--mesh FILE]`."""

from __future__ import annotations

import argparse
import time

BEGAN = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mesh", default="scenes/meshes/gummy_bear.obj")
    parser.add_argument("--handles", type=int, default=32)
    options = parser.parse_args()
    marks = {}

    def mark(name: str) -> None:
        marks[name] = time.perf_counter() - BEGAN - sum(marks.values())

    from sim import Body, HandleBasis, Material, World, load_shape
    from sim.fields import CosineField

    mark("import_s")
    shape = load_shape(options.mesh)
    mark("load_s")
    basis = HandleBasis(CosineField.lowest(shape.samples, options.handles - 1))
    body = Body(shape, Material.preset("gummy"), basis, "clusters")
    mark("body_s")
    world = World(device="cpu")
    world.add(body)
    world.step()
    body.positions()
    mark("first_step_s")
    from figures import emit

    emit("startup", mesh=options.mesh, vertices=len(shape.vertices), total_s=sum(marks.values()), **marks)


if __name__ == "__main__":
    main()
