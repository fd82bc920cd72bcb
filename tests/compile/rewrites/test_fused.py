"""Graphs of onnxruntime's own operators: rewritten, and equal to what onnxruntime gives for them as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from fused_graphs import fused_encoder
from onnx_graphs import encoder
from potstill.compile import compile_onnx
from potstill.compile.rewrites import FUSED
from potstill.errors import CompileError

CASES: dict[str, dict[str, Any]] = {
    "packed": {},
    "opset 11": {"opset": 11},
    "opset 20": {"opset": 20},
    "index": {"attention": "index"},
    "mask of three dimensions": {"attention": "mask3d"},
    "sizes": {"attention": "sizes", "extra": {"scale": 0.3}},
    "positions": {"embed": "positions"},
    "norm among the standard operators": {"embed": "plain"},
    "separate": {"attention": "multi"},
    "separate with a bias": {"attention": "multi_bias", "extra": {"scale": 0.3}},
    "onnx's attention": {"attention": "onnx", "opset": 23},
    "factor and transpose": {"product": "fused"},
    "transposed rows": {"product": "turned"},
    "fast gelu": {"gelu": "fast"},
    "gelu": {"gelu": "fused"},
    "product and tanh": {"head": "fused"},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "causal": ({"extra": {"unidirectional": 1}}, "C006.*causal attention"),
    "rotary": ({"attention": "rotary"}, "C006.*rotary positions"),
    "quick gelu": ({"gelu": "quick"}, "C010"),
}


@pytest.mark.parametrize("case", CASES)
def test_fused_operators(tmp_path: Path, case: str) -> None:
    model = fused_encoder(tmp_path / "m.onnx", **CASES[case])
    scheme = "int8" if case == "packed" else "int4" if case == "separate" else "fp32"
    report = compile_onnx(model, tmp_path / "m.still", scheme=scheme)
    assert max(row["relative"] for row in report.differences) < 1e-5
    assert report.max_tokens == 24 and report.ops["Attention"] == 1 and report.ops["LayerNorm"] == 3


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_the_cause(tmp_path: Path, case: str) -> None:
    options, cause = REFUSED[case]
    with pytest.raises(CompileError, match=cause):
        compile_onnx(fused_encoder(tmp_path / "m.onnx", **options), tmp_path / "m.still")


def test_what_a_session_saves(tmp_path: Path) -> None:
    """The optimized model of an onnxruntime session: layer norms of a later opset, factors inside products."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    plain = encoder(tmp_path / "m.onnx", opset=15, norm="pow", head="pooler")
    onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}
    assert {"LayerNormalization", "FusedMatMul"} <= kinds
    report = compile_onnx(tmp_path / "optimized.onnx", tmp_path / "m.still")
    assert max(row["relative"] for row in report.differences) < 1e-5


def test_a_wrong_rewrite_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is compared with the graph as it was given, not with the rewritten one."""

    def without_residual(w: Any) -> None:
        w.result(w.norm(w.add(w.needed(0), w.input(4)), w.needed(2), w.input(3), 1e-5))

    monkeypatch.setitem(FUSED, "com.microsoft.SkipLayerNormalization", without_residual)
    with pytest.raises(CompileError, match="C049"):
        compile_onnx(fused_encoder(tmp_path / "m.onnx"), tmp_path / "m.still")


def test_every_rewrite_is_tried(tmp_path: Path) -> None:
    """A new rewrite has a case here, or is one of those that only refuse (`fused/refused.py`)."""
    from potstill.compile.rewrites.fused import nbits, refused

    kinds = set()
    for options in (*CASES.values(), *(options for options, _ in REFUSED.values())):
        model = onnx.load(str(fused_encoder(tmp_path / "m.onnx", **options)))
        kinds |= {f"{n.domain}.{n.op_type}" for n in model.graph.node}
    assert set(FUSED) - set(refused.REWRITES) - set(nbits.REWRITES) <= kinds
