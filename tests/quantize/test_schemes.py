"""Quantization of weight rows: error at most half a step, symmetric range, zero rows."""

from __future__ import annotations

import numpy as np
import pytest

from potstill.errors import CompileError
from potstill.still.schemes import Scheme, quantize_rows, scheme_by_name


def test_rows_are_within_half_a_step() -> None:
    random = np.random.default_rng(0)
    weight = (random.standard_normal((40, 77)) * np.exp(random.normal(0, 3, (40, 1)))).astype(np.float32)
    q, scale = quantize_rows(weight)
    assert q.dtype == np.int8 and scale.dtype == np.float32
    np.testing.assert_array_equal(np.abs(q.astype(int)).max(axis=1), 127)
    error = np.abs(q * scale[:, None].astype(np.float64) - weight)
    assert (error <= scale[:, None] * 0.5001).all()


def test_exact_values_stay_exact() -> None:
    weight = np.array([[127.0, -127.0, 1.0, 0.0], [0.5, -0.25, 0.0, 0.0]], np.float32)
    q, scale = quantize_rows(weight)
    np.testing.assert_array_equal(q[0], [127, -127, 1, 0])
    assert scale[0] == 1.0
    assert scale[1] == np.float32(0.5 / 127)


def test_empty_rows_have_scale_zero() -> None:
    q, scale = quantize_rows(np.array([[0.0, 0.0], [1e-38, -1e-39]], np.float32))
    assert not q.any() and not scale.any()


def test_scheme_rules() -> None:
    int8, fp32 = scheme_by_name("int8"), scheme_by_name("fp32")
    assert int8.input_quant("gelu", dtype="i8") == int8.input_quant("relu", dtype="i8") == "asymmetric"
    assert int8.input_quant("none", dtype="i8") == int8.input_quant("tanh", dtype="i8") == "symmetric"
    assert fp32.input_quant("gelu", dtype="f32") == int8.input_quant("gelu", dtype="f32") == "none"
    assert int8.activation("gelu", dtype="i8") == "gelu_poly"
    assert int8.activation("gelu", dtype="f32") == "gelu"
    assert int8.activation("gelu_tanh", dtype="i8") == "gelu_tanh"
    int4 = scheme_by_name("int4")
    assert (int4.linear, int4.embedding) == ("i4", "i4")
    assert int4.activation("gelu", dtype="i4") == "gelu_poly" and int4.activation("gelu", dtype="f32") == "gelu"
    assert int4.input_quant("gelu", dtype="i4") == "asymmetric" and int4.input_quant("none", dtype="f32") == "none"


def test_embedding_apart() -> None:
    found = scheme_by_name("int4", embedding="int8")
    assert (found.name, found.linear, found.embedding) == ("int4+embedding-int8", "i4", "i8")
    assert (
        scheme_by_name("int4", embedding="int4") == scheme_by_name("int4") == scheme_by_name("int4", embedding="auto")
    )
    assert found.has_int4 and scheme_by_name("int8", embedding="int4").has_int4
    assert not scheme_by_name("int8", embedding="fp32").has_int4


def test_layers_of_their_own() -> None:
    found = Scheme("mixed", "i8", "i8", {"a": "i4", "b": "f32"})
    assert [found.linear_dtype(name) for name in "abc"] == ["i4", "f32", "i8"]
    assert found.has_int4


@pytest.mark.parametrize("given", [{"embedding": "int3"}, {"clip": "largest"}])
def test_unknown_choices(given: dict[str, str]) -> None:
    with pytest.raises(CompileError) as caught:
        scheme_by_name("int8", **given)
    assert caught.value.code == "C026"


def test_clipping_by_squared_error() -> None:
    random = np.random.default_rng(2)
    weight = random.standard_normal((200, 1200)).astype(np.float32)
    weight[:100, 0] = 8.0  # outliers

    def error(clip: str) -> np.ndarray:
        q, scale = quantize_rows(weight, clip)
        assert q.min() >= -127 and q.max() <= 127
        return np.asarray(((q * scale[:, None].astype(np.float64) - weight) ** 2).sum(axis=1))

    absmax, mse = error("absmax"), error("mse")
    assert (mse <= absmax * (1 + 1e-6)).all() and mse.sum() < 0.995 * absmax.sum()


def test_exact_rows_are_not_clipped() -> None:
    q = np.random.default_rng(3).integers(-127, 128, (50, 40)).astype(np.int8)
    q[:, 0] = 127
    weight = (q * np.float32(0.013)).astype(np.float32)
    for clip in ("absmax", "mse"):
        found, scale = quantize_rows(weight, clip)
        np.testing.assert_array_equal(found, q)
        np.testing.assert_allclose(scale, 0.013, rtol=1e-6)


def test_unknown_scheme() -> None:
    with pytest.raises(CompileError) as caught:
        scheme_by_name("int3")
    assert caught.value.code == "C022" and "fp32, int8, int4" in caught.value.next_step
