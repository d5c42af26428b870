"""Fixtures of the window's logic: a small solid in a file, a scene around it, a session that ends."""

from pathlib import Path

import pytest
import torch
from sample_bodies import subdivided_box
from sessions import write_obj

from app.session import Session
from app.settings import Settings

SCENE = """\
name: bar
floor: {height: -0.5, friction: 0.4}
bodies:
  - name: bar
    mesh: bar.obj
    material: jelly
    samples: 400
    handles: 6
    regions: [{where: {half_space: {axis: x, above: 0.3}}, material: gummy}]
    transform: {translate: [0.0, 0.1, 0.0], rotate: [0, 0, 90]}
    pins: [{where: {half_space: {axis: y, above: 0.42}}}]
camera: {position: [0, 1, 2], look_at: [0, 0.2, 0]}
"""


@pytest.fixture
def mesh(tmp_path) -> Path:
    """A bar of 0.4 x 0.1 x 0.1 m."""
    shape = subdivided_box((0.4, 0.1, 0.1), 4, count=64)
    return write_obj(tmp_path / "bar.obj", shape.vertices.numpy(), shape.faces.numpy())


@pytest.fixture
def scene(mesh) -> Path:
    """The bar, upright, made of two materials, held at its upper end."""
    file = mesh.with_name("scene.yaml")
    file.write_text(SCENE)
    return file


@pytest.fixture
def session():
    session = Session(device="cpu", settings=Settings(None))
    yield session
    session.close()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
