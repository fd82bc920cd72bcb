"""Rounding layers: the numbers of still/reference.py going forward, the straight-through estimator going back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from potstill.quantize.fake_quant import FakeQuantEmbedding, FakeQuantGelu, FakeQuantLinear, int8_grid, quantize_rows
from potstill.still import core_math, reference, schemes
from potstill.still.int4 import quantize_rows_int4


def heavy(rows: int, columns: int, seed: int = 0) -> Any:
    """Rows of very different size with outliers, one of zeros, one of tiny values, one of exact halves."""
    random = np.random.default_rng(seed)
    found = (random.standard_t(4, (rows, columns)) * np.exp(random.normal(0, 2, (rows, 1)))).astype(np.float32)
    found[0], found[1] = 0.0, 1e-35
    found[2] = (np.arange(columns) % 9 - 4) * 0.5
    return found


def make_linear(dtype: str, *, asymmetric: bool = False, factor: float = 1.0, bias: bool = True) -> FakeQuantLinear:
    torch.manual_seed(1)
    original = nn.Linear(77, 40, bias=bias)
    with torch.no_grad():
        original.weight.copy_(torch.from_numpy(heavy(40, 77)))
    layer = FakeQuantLinear(original, asymmetric=asymmetric, factor=factor)
    steps = None
    if dtype == "i4":
        steps = torch.from_numpy(quantize_rows_int4(original.weight.detach().numpy() * np.float32(factor))[1])
    layer.set_dtype(dtype, steps)
    return layer


def test_int8_rows_are_the_compilers() -> None:
    weight = heavy(60, 50)
    q, scale = int8_grid(torch.from_numpy(weight))
    wanted_q, wanted_scale = schemes.quantize_rows(weight)
    np.testing.assert_array_equal(q.numpy(), wanted_q)
    np.testing.assert_array_equal(scale.numpy(), wanted_scale)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_input_rows_are_the_cores(asymmetric: bool) -> None:
    x = heavy(200, 64, 3)
    x[3:60] = np.maximum(x[3:60], -0.17)  # as after GELU
    x[60:70] = np.abs(x[60:70])
    q, scale = quantize_rows(torch.from_numpy(x), asymmetric)
    wanted_q, wanted_scale, zero = (reference.quantize_asymmetric if asymmetric else reference.quantize_symmetric)(x)
    np.testing.assert_array_equal(q.numpy(), wanted_q.astype(int) - zero[:, None])
    np.testing.assert_array_equal(scale.numpy(), wanted_scale)


@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("dtype", ["i8", "i4"])
def test_linear_computes_what_the_reference_does(dtype: str, asymmetric: bool) -> None:
    layer = make_linear(dtype, asymmetric=asymmetric)
    x, weight, bias = heavy(30, 77, 5), layer.weight.detach().numpy(), layer.bias.detach().numpy()
    if dtype == "i4":
        scale = layer.step().detach().numpy()  # type: ignore[union-attr]
        inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1).astype(np.float64), 0.0)
        q = np.clip(np.rint(weight * inverse[:, None]), -7, 7).astype(np.int8)
    else:
        q, scale = schemes.quantize_rows(weight)
    rows, row_scale, zero = (reference.quantize_asymmetric if asymmetric else reference.quantize_symmetric)(x)
    sums = rows.astype(np.int64) @ q.T.astype(np.int64) - zero[:, None].astype(np.int64) * q.sum(axis=1, dtype=int)
    wanted = core_math.fma(sums.astype(np.float32), row_scale[:, None] * scale[None, :], bias)
    found = layer(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_array_equal(found, wanted)


def test_a_factor_is_taken_out_again() -> None:
    x = torch.from_numpy(heavy(9, 77, 5))
    plain, folded = make_linear("i8"), make_linear("i8", factor=0.25)
    # A power of two changes no rounding.
    torch.testing.assert_close(folded(x), plain(x), rtol=1e-6, atol=0)
    odd = make_linear("i4", factor=1 / math.sqrt(6))
    plain = make_linear("i4")
    difference = (odd(x) - plain(x)).norm() / plain(x).norm()
    assert difference < 0.05


def test_f32_is_the_plain_layer() -> None:
    layer, x = make_linear("f32"), torch.from_numpy(heavy(9, 77, 5))
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias), rtol=0, atol=0)


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_gradients_go_straight_through(factor: float) -> None:
    layer = make_linear("i8", factor=factor)
    x = torch.from_numpy(heavy(9, 77, 5)).requires_grad_()
    g = torch.randn(9, 40, generator=torch.Generator().manual_seed(2))
    layer(x).backward(g)
    q, scale = int8_grid(layer.weight.detach())
    rows, row_scale = quantize_rows(x.detach(), False)
    torch.testing.assert_close(x.grad, g @ (q * scale[:, None]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.weight.grad, g.T @ (rows * row_scale[:, None]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.bias.grad, g.sum(0))


def test_int4_steps_have_the_gradient_of_lsq() -> None:
    original = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        original.weight.copy_(torch.tensor([[2.3, -9.0, 0.4]]))
    layer = FakeQuantLinear(original, asymmetric=False, factor=1.0)
    layer.set_dtype("i4", torch.tensor([1.0]))
    layer(torch.tensor([[127.0, 127.0, 127.0]])).backward(torch.tensor([[1.0]]))
    # d(s q) / ds: q - w / s inside (2 - 2.3, 0 - 0.4), q at the clipping point (-7); damped by 1 / sqrt(3 * 7).
    wanted = 127 * (-0.3 - 7.0 - 0.4) / math.sqrt(21)
    assert layer.log_step is not None and layer.log_step.grad is not None
    assert float(layer.log_step.grad) == pytest.approx(wanted, rel=1e-5)
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, torch.tensor([[127.0, 0.0, 127.0]]))


@pytest.mark.parametrize("dtype", ["i8", "i4"])
def test_embedding_rows(dtype: str) -> None:
    table = nn.Embedding(50, 24, padding_idx=0)
    with torch.no_grad():
        table.weight.copy_(torch.from_numpy(heavy(50, 24)))
    q, scale = (quantize_rows_int4 if dtype == "i4" else schemes.quantize_rows)(table.weight.detach().numpy())
    layer = FakeQuantEmbedding(table)
    layer.set_dtype(dtype, torch.from_numpy(scale) if dtype == "i4" else None)
    ids = torch.tensor([[3, 4, 3], [49, 0, 1]])
    found = layer(ids)
    np.testing.assert_allclose(found.detach().numpy(), (q * scale[:, None])[ids.numpy()], rtol=1e-6)
    found.sum().backward()
    gradient = table.weight.grad
    assert gradient is not None
    # Row 3 stands twice in the ids; the padding row learns nothing; rows that are not read have no gradient.
    assert float(gradient[3].max()) == 2.0
    assert not gradient[0].any() and not gradient[5].any()


def test_gelu_follows_its_layer() -> None:
    layer = make_linear("i8")
    gelu = FakeQuantGelu(nn.GELU(), layer)
    x = torch.linspace(-6, 6, 5001, requires_grad=True)
    np.testing.assert_allclose(gelu(x).detach(), core_math.gelu_poly(x.detach().numpy()), rtol=1e-5, atol=1e-5)
    gelu(x).sum().backward()
    exact = x.detach().clone().requires_grad_()
    nn.functional.gelu(exact).sum().backward()
    torch.testing.assert_close(x.grad, exact.grad)
    layer.set_dtype("f32")
    torch.testing.assert_close(gelu(x), nn.functional.gelu(x), rtol=0, atol=0)
    assert not list(gelu.parameters())
