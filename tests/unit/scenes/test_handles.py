"""Where a scene's body gets its handles: its weights file first."""

from pathlib import Path

import pytest
import torch

from scenes import schema as s
from scenes.build import build_world
from scenes.handles import load_handles
from sim.basis import HandleBasis
from sim.errors import BasisError, SceneError
from sim.fields import RbfField
from sim.material import Material
from sim.shape import Shape

CUBE = str(Path(s.__file__).parent / "meshes" / "cube.obj")


def part(weights, handles=5):
    return s.BodyPart(name="cube", mesh=CUBE, samples=256, cubature=32, handles=handles, weights=str(weights))


@pytest.fixture
def weights(tmp_path):
    points = torch.rand(256, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shape = Shape.from_samples(points - torch.tensor([0.5, 0.0, 0.5]), volume=1.0)
    basis = HandleBasis(RbfField(shape.samples[:4], torch.tensor(0.9).double()))
    basis.orthonormalized(shape, Material()).save(tmp_path / "cube.safetensors")
    return tmp_path / "cube.safetensors"


def test_weights_on_file_move_the_body(weights):
    loaded = load_handles(part(weights))
    points = torch.rand(7, 3, dtype=torch.float64)
    assert torch.equal(loaded.weights(points), HandleBasis.load(weights).weights(points))
    world = build_world(s.Scene(bodies=(part(weights),)), device="cpu")
    assert world.bodies[0].basis.handles == 5


def test_no_file_yet_means_no_handles_yet(tmp_path):
    assert load_handles(part(tmp_path / "none.safetensors")) is None
    assert load_handles(s.BodyPart(name="cube", mesh=CUBE)) is None


def test_more_handles_than_the_scene_asks_for_are_refused(weights):
    with pytest.raises(SceneError, match=r"has 5 handles, the scene asks for 3; write handles: 5"):
        load_handles(part(weights, handles=3))
    assert load_handles(part(weights, handles=9)).handles == 5


def test_a_damaged_file_is_told_with_its_body(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(BasisError):
        load_handles(part(tmp_path / "broken.safetensors"))
    with pytest.raises(SceneError, match=r"bodies\[0\] \('cube'\): "):
        build_world(s.Scene(bodies=(part(tmp_path / "broken.safetensors"),)), device="cpu")
