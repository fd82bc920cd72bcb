"""The numpy evaluation: its functions against exact mathematics, its constants against the core's, and all of it
against the core, bit for bit."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_graphs import VOCABULARY, encoder
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.compile.verify import core_available
from potstill.runtime.rows import TokenRows
from potstill.still import core_math
from potstill.still.activations import erf, gelu, gelu_tanh
from potstill.still.reader import read_still
from potstill.still.reference import quantize_asymmetric, quantize_symmetric

ROOT = Path(__file__).parents[2]
POINTS = np.linspace(-9.0, 9.0, 20_001).astype(np.float32)


def test_erf() -> None:
    exact = np.array([math.erf(float(x)) for x in POINTS])
    assert np.abs(erf(POINTS) - exact).max() < 1e-12
    assert math.isnan(erf(np.array([np.nan]))[0])


@pytest.mark.parametrize(
    ("ours", "exact", "tolerance"),
    [
        (core_math.gelu, gelu, 3e-7),
        (core_math.gelu_poly, gelu, 2e-4),
        (core_math.gelu_tanh, gelu_tanh, 1e-6),
        (core_math.tanh, np.tanh, 3e-7),
        (core_math.relu, lambda x: np.maximum(x, 0), 0.0),
    ],
)
def test_activations(ours: Any, exact: Any, tolerance: float) -> None:
    assert np.abs(ours(POINTS) - exact(POINTS.astype(np.float64))).max() <= tolerance


def test_exp() -> None:
    x = np.linspace(-87.0, 80.0, 20_001).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(core_math.exp(x) - exact) / exact).max() < 3e-7
    assert core_math.exp(np.array([-1000.0], np.float32))[0] > 1e-38


def test_row_sum_and_dot() -> None:
    x = np.random.default_rng(0).standard_normal((5, 77)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((9, 77)).astype(np.float32)
    np.testing.assert_allclose(core_math.row_sum(x)[:, 0], x.astype(np.float64).sum(axis=1), rtol=0, atol=2e-5)
    squares = (x.astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(core_math.row_sum(x, squares=True)[:, 0], squares, rtol=1e-6)
    np.testing.assert_allclose(core_math.dot(x, w), x.astype(np.float64) @ w.T, rtol=0, atol=3e-5)


def test_quantized_rows() -> None:
    x = np.random.default_rng(0).standard_normal((6, 50)).astype(np.float32)
    x[1] = 0.0
    x[2] = np.abs(x[2])
    for quantize in (quantize_symmetric, quantize_asymmetric):
        q, scale, zero = quantize(x)
        back = (q.astype(np.float64) - zero[:, None]) * scale[:, None]
        assert (np.abs(back - x) <= scale[:, None] * 0.51 + 1e-12).all()
    q, scale, zero = quantize_asymmetric(x)
    assert (zero[2], zero[1], scale[1]) == (-128, 0, 0.0)
    assert (q[2].min(), q[2].max()) >= (-128, 126)


def test_constants_are_the_cores() -> None:
    """Every polynomial coefficient here is written in the header that all kernel sets share."""
    header = (ROOT / "cpp" / "src" / "kernels" / "coefficients.h").read_text(encoding="utf-8")
    theirs = dict(re.findall(r"constexpr float (k\w+) = ([^;]+)f;", header))

    def value(name: str) -> Any:
        text = theirs[name]
        return np.float32(float.fromhex(text) if "0x" in text else float(text))

    for stem, ours in (("kExp", core_math._EXP), ("kGelu", core_math._GELU), ("kGeluPoly", core_math._GELU_POLY)):
        assert [value(f"{stem}{i}") for i in reversed(range(len(ours)))] == ours
    names = ("kLog2E", "kLn2High", "kLn2Low", "kMagic", "kGeluP")
    singles = (core_math._LOG2_E, core_math._LN2_HIGH, core_math._LN2_LOW, core_math._MAGIC, core_math._GELU_P)
    assert tuple(value(name) for name in names) == singles


VARIANTS: list[dict[str, Any]] = [
    {},
    {"activation": "tanh_form", "pool": "cls"},
    {"activation": "relu", "head": "pooler"},
    {"positions": "none", "qkv": "interleaved"},
]


@pytest.mark.parametrize("scheme", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_core_computes_the_same_bits(tmp_path: Path, scheme: str, options: dict[str, Any]) -> None:
    if not core_available():
        pytest.skip("the native core is not built here")
    from potstill.runtime.backends import open_backend

    still = tmp_path / "m.still"
    compile_onnx(encoder(tmp_path / "m.onnx", **options), still, scheme=scheme, verify=False)
    core, ours = open_backend("native", still, 1), Evaluator(read_still(still), exact=True)
    different = total = 0
    for length in (1, 2, 7, 16, 24):
        ids = np.random.default_rng(length).integers(0, VOCABULARY, length).tolist()
        found, wanted = core.run(TokenRows([ids])), ours.run(ids)
        for name in ("logits", "embedding"):
            a, b = np.asarray(getattr(found, name))[0], getattr(wanted, name)
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 if scheme == "fp32" else 2e-3)
            different += int((a != b).any())
            total += 1
    # Emulated fma rounds twice about once in 2^29 operations: one text may differ, not more.
    assert different <= 2, f"{different} of {total} vectors differ"


@pytest.mark.parametrize(("scheme", "least"), [("int8", 0.999), ("int4", 0.97)])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_rounded_weights_stay_close_to_fp32(tmp_path: Path, options: dict[str, Any], scheme: str, least: float) -> None:
    onnx = encoder(tmp_path / "m.onnx", **options)
    for name in ("fp32", scheme):
        compile_onnx(onnx, tmp_path / f"{name}.still", scheme=name, verify=False)
    ids = np.random.default_rng(3).integers(0, VOCABULARY, 16).tolist()
    full, small = (Evaluator(read_still(tmp_path / f"{s}.still")).run(ids) for s in ("fp32", scheme))
    assert full.embedding is not None and small.embedding is not None
    cosine = np.dot(full.embedding, small.embedding) / np.linalg.norm(full.embedding) / np.linalg.norm(small.embedding)
    assert cosine > least
