"""Handle bases: orthonormal, ordered, savable, and suspicious of files."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from sample_bodies import box_shape, cosine_basis

from sim import HandleBasis, Material
from sim.errors import BasisError
from sim.fields import CosineField, FunctionField, RbfField, build_field
from sim.orthonormal import effective_rank, elastic_gram, orthonormality_defect, varimax


@pytest.fixture(scope="module")
def shape():
    return box_shape((1.0, 0.5, 0.25), count=1024)


@pytest.fixture(scope="module")
def basis(shape):
    return cosine_basis(shape, 8).orthonormalized(shape, Material())


@pytest.fixture
def saved(basis, tmp_path):
    path = tmp_path / "weights.safetensors"
    basis.save(path)
    return path


def shares(shape):
    return shape.sample_volumes / shape.sample_volumes.sum()


def rbf(points):
    return RbfField(points[:20], torch.tensor(0.4, dtype=torch.float64))


@pytest.mark.parametrize("make", [lambda x: CosineField.lowest(x, 9), rbf], ids=["cosine", "rbf"])
def test_field_gradients_are_finite_differences(shape, make):
    field = make(shape.samples)
    points = shape.samples[100:150]
    value, gradient = field.value_and_gradient(points)
    torch.testing.assert_close(value, field.value(points))
    for axis in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[axis] = 1e-6
        difference = (field.value(points + step) - field.value(points - step)) / 2e-6
        torch.testing.assert_close(gradient[..., axis], difference, atol=1e-6, rtol=1e-6)


def test_lowest_cosines_are_the_boxs_lowest_laplacian_modes():
    points = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.25]], dtype=torch.float64)
    field = CosineField.lowest(points, 40)
    inverse = 1 / (points[1] - points[0])
    energy = (field.wavenumbers * inverse).square().sum(1)
    every = torch.cartesian_prod(*(torch.arange(41.0, dtype=torch.float64),) * 3)
    best = (every * inverse).square().sum(1).sort().values[1:41]
    torch.testing.assert_close(energy.sort().values, best)


def test_any_function_has_gradients_with_and_without_forward_mode(shape):
    points = shape.samples[:30]
    field = CosineField.lowest(shape.samples, 5)
    torch.testing.assert_close(
        FunctionField(field.value, 5).value_and_gradient(points)[1], field.value_and_gradient(points)[1]
    )
    bumps = rbf(shape.samples)  # made of cdist, which knows reverse mode only
    torch.testing.assert_close(
        FunctionField(bumps.value, 20).value_and_gradient(points)[1], bumps.value_and_gradient(points)[1]
    )


def test_handles_are_orthonormal_ordered_and_start_with_the_constant(shape, basis):
    w, dw = basis.weights_and_gradients(shape.samples)
    mass = shares(shape)
    assert torch.equal(w[:, 0], torch.ones_like(w[:, 0]))
    assert orthonormality_defect(w, mass) < 1e-12
    assert effective_rank(w[:, 1:], mass) == pytest.approx(7)
    mu, lam = Material().lame(1)
    stiffness = shape.sample_volumes * (lam / 2 + 2 * mu)
    gram = elastic_gram(w, dw, shape.samples, stiffness, centre=mass @ shape.samples, scale=1.0)
    inner = gram[1:, 1:]
    assert (inner - torch.diag(inner.diagonal())).abs().max() < 1e-3 * inner.diagonal().max()
    assert (inner.diagonal().diff() > 0).all()


def test_the_energy_is_that_of_random_affine_motions(shape, basis):
    """The closed form against its definition: strains of drawn transforms, with another random stream."""
    rng = np.random.default_rng(1)
    w, dw = (t.numpy()[:200, :3] for t in basis.weights_and_gradients(shape.samples))
    X = shape.samples.numpy()[:200] - 0.1
    mu, lam = 2.0, 3.0
    gram = elastic_gram(
        *(torch.tensor(a) for a in (w, dw, X + 0.1)),
        torch.full((200,), lam / 2 + 2 * mu, dtype=torch.float64),
        centre=torch.full((3,), 0.1, dtype=torch.float64),
        scale=1.0,
    )
    h, draws = 1, 4000
    T = rng.normal(size=(draws, 3, 4))
    X1 = np.concatenate([X, np.ones((200, 1))], axis=1)
    H = w[:, h, None, None, None] * T[None, :, :, :3]
    H = H + np.einsum("bac,nc->nba", T, X1)[..., None] * dw[:, h, None, None, :]
    strain = (H + H.swapaxes(-1, -2)) / 2
    trace = np.trace(strain, axis1=-2, axis2=-1)
    energy = (mu * np.square(strain).sum((-1, -2)) + lam / 2 * trace**2).mean(1).sum()
    assert gram[h, h].item() == pytest.approx(energy, rel=0.03)


def test_collapsed_weights_lose_handles_and_say_so(shape):
    same = HandleBasis.from_function(lambda x: x[:, :1].repeat(1, 4), handles=5)
    out = same.orthonormalized(shape, Material())
    assert out.handles == 2
    assert out.diagnostics["dropped"] == 3


def test_localised_handles_span_the_same_space_as_bumps(shape, basis):
    w, bumps = basis.weights(shape.samples), basis.localized_weights(shape.samples)
    R = basis.localizer
    torch.testing.assert_close(R.T @ R, torch.eye(8, dtype=torch.float64))
    torch.testing.assert_close(bumps @ R.T, w)
    # Varimax makes the fourth powers as large as a rotation can.
    assert bumps.pow(4).sum() > w.pow(4).sum()
    peaks = basis.localized_weights(basis.handle_points).diagonal()
    torch.testing.assert_close(peaks, bumps.amax(0))
    assert torch.cdist(basis.handle_points, basis.handle_points).fill_diagonal_(9).min() > 0.05


def test_varimax_recovers_bumps_that_were_rotated():
    bumps = torch.block_diag(*(torch.full((50, 1), 2.0, dtype=torch.float64),) * 4)
    Q = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    found = bumps @ Q @ varimax(bumps @ Q, torch.full((200,), 1 / 200, dtype=torch.float64))
    order = found.argmax(0) // 50
    torch.testing.assert_close(found, bumps[:, order], atol=1e-5, rtol=0)


def test_a_saved_basis_comes_back(shape, basis, saved):
    again = HandleBasis.load(saved)
    assert torch.equal(again.weights(shape.samples), basis.weights(shape.samples))
    assert torch.equal(again.gradients(shape.samples), basis.gradients(shape.samples))
    assert torch.equal(again.localizer, basis.localizer)
    assert torch.equal(again.handle_points, basis.handle_points)
    assert again.diagnostics == basis.diagnostics
    assert list(saved.parent.iterdir()) == [saved]


def test_functions_cannot_be_saved_and_leave_nothing_behind(tmp_path):
    with pytest.raises(BasisError, match="Python function"):
        HandleBasis.from_function(lambda x: x[:, :1], handles=2).save(tmp_path / "f.safetensors")
    assert list(tmp_path.iterdir()) == []


def rewrite(path, change_tensors=lambda t: t, change_header=lambda h: h):
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["simplicits_studio"])
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    save_file(change_tensors(tensors), path, {"simplicits_studio": json.dumps(change_header(header))})


@pytest.mark.parametrize(
    ("tensors", "header", "told"),
    [
        (lambda t: t, lambda h: h | {"version": 99}, "version 99"),
        (lambda t: t, lambda h: h | {"kind": "magic"}, "unknown kind"),
        (lambda t: t | {"mix": t["mix"][:3].contiguous()}, lambda h: h, "mix"),
        (lambda t: t | {"mix": t["mix"] * float("nan")}, lambda h: h, "not finite"),
        (lambda t: t | {"mix": t["mix"] * 2}, lambda h: h, "constant"),
        (lambda t: t | {"localizer": torch.eye(3)}, lambda h: h, "localizer"),
        (lambda t: t | {"field.lengths": -t["field.lengths"]}, lambda h: h, "not positive"),
        (lambda t: {k: v for k, v in t.items() if k != "field.low"}, lambda h: h, "missing"),
        (lambda t: t, lambda h: {"version": 1}, "damaged"),
        (lambda t: t, lambda h: [1, 2], "damaged"),
    ],
)
def test_tampered_files_are_refused_with_the_reason(saved, tensors, header, told):
    rewrite(saved, tensors, header)
    with pytest.raises(BasisError, match=told):
        HandleBasis.load(saved)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_file_does_more_than_refuse(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "w.safetensors"
    cosine_basis(box_shape(count=64), 3).save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        loaded = HandleBasis.load(path)
    except BasisError as error:
        assert str(path) in str(error)  # noqa: PT017 (most damage must raise, some may not)
    else:
        assert loaded.weights(torch.zeros(2, 3)).shape == (2, loaded.handles)


def test_missing_and_foreign_files_are_told_apart(tmp_path):
    with pytest.raises(BasisError, match="no weights file"):
        HandleBasis.load(tmp_path / "none.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(2)}, foreign)
    with pytest.raises(BasisError, match="not one of Simplicits Studio's"):
        HandleBasis.load(foreign)
    with pytest.raises(BasisError, match="Cannot write"):
        cosine_basis(box_shape(count=64), 3).save(foreign / "inside" / "a" / "file.safetensors")


def test_wrong_results_and_points_are_refused():
    wrong = HandleBasis.from_function(lambda x: x, handles=3)
    with pytest.raises(BasisError, match="shape \\(5, 2\\)"):
        wrong.weights(torch.zeros(5, 3))
    with pytest.raises(BasisError, match=r"\(n, 3\)"):
        wrong.weights(torch.zeros(5, 2))
    with pytest.raises(BasisError, match="at least the constant"):
        HandleBasis.from_function(lambda x: x, handles=0)
    with pytest.raises(BasisError, match="unknown kind"):
        build_field("none", {}, {})


def test_many_points_are_evaluated_in_chunks_alike(shape, basis):
    many = shape.samples.repeat(40, 1)
    w = basis.weights(many)
    torch.testing.assert_close(w[: len(shape.samples)], basis.weights(shape.samples))
    torch.testing.assert_close(w[-len(shape.samples) :], basis.weights(shape.samples))
    assert basis.weights(many[:0]).shape == (0, 8)
    assert basis.weights(many[:4].float()).dtype == torch.float32
    assert basis.weights(many[:4].numpy()).shape == (4, 8)
