"""Materials: textbook relations, and limits said in words."""

import pytest
import torch

from sim import Material
from sim.errors import MaterialError
from sim.material import PRESETS


def test_lames_parameters_are_the_textbooks():
    mu, lam = Material(young=2.6, poisson=0.3).lame(2)
    assert mu.tolist() == pytest.approx([1.0, 1.0])
    assert lam.tolist() == pytest.approx([1.5, 1.5])
    bulk = lam + 2 * mu / 3
    assert bulk[0].item() == pytest.approx(2.6 / (3 * (1 - 2 * 0.3)))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"poisson": 0.5}, "0.4999"),
        ({"poisson": -1.0}, "-0.999"),
        ({"young": -1.0}, "pascal"),
        ({"young": float("nan")}, "pascal"),
        ({"density": 0.0}, "kg/m3"),
        ({"density": torch.tensor([1.0, -1.0])}, "kg/m3"),
        ({"young": "stiff"}, "number"),
        ({"young": torch.zeros(2, 2)}, "one number or one per sample"),
        ({"law": "jelly"}, "neo-hookean"),
    ],
)
def test_impossible_values_are_refused_with_the_range(values, told):
    with pytest.raises(MaterialError, match=told):
        Material(**values)


def test_per_sample_values_must_fit():
    material = Material(young=torch.tensor([1e5, 2e5]))
    assert material.heterogeneous
    assert material.per_sample("young", 2).tolist() == [1e5, 2e5]
    with pytest.raises(MaterialError, match="2 values, but the shape has 3"):
        material.lame(3)


def test_presets_are_named_and_sane():
    for name, material in PRESETS.items():
        assert Material.preset(name.upper()) is material
        assert material.name == name
    assert Material.preset("soft_rubber").young < Material.preset("hard rubber").young
    with pytest.raises(MaterialError, match="soft rubber"):
        Material.preset("cheese")


def test_the_callers_array_is_not_shared():
    young = torch.tensor([1e5, 2e5])
    material = Material(young=young)
    young[0] = -1
    assert material.per_sample("young", 2)[0] == 1e5
