"""Static int8 ONNX: it runs at every length, its ranges come from the texts, and wrong input is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import tiny
from potstill.errors import ExportError
from potstill.export.onnx_static import quantize_onnx_static


@pytest.fixture(scope="module")
def static(base: Path) -> Path:
    rows = [np.random.default_rng(n).integers(4, tiny.VOCABULARY, 1 + n % tiny.MAX_TOKENS).tolist() for n in range(40)]
    return quantize_onnx_static(tiny.onnx_file(base, "mean"), base / "mean.static.onnx", rows)


def test_it_answers_nearly_as_fp32(base: Path, static: Path) -> None:
    sessions = [
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for path in (static, tiny.onnx_file(base, "mean"))
    ]
    for row in tiny.ragged():
        ids = np.array([row], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        found, wanted = (session.run(["logits", "embedding"], feed) for session in sessions)
        for a, b in zip(found, wanted, strict=True):
            assert np.dot(a[0], b[0]) / np.linalg.norm(a) / np.linalg.norm(b) > 0.98


def test_activations_have_fixed_ranges(base: Path, static: Path) -> None:
    model = onnx.load(str(static))
    kinds = [node.op_type for node in model.graph.node]
    assert "QuantizeLinear" in kinds and "DynamicQuantizeLinear" not in kinds
    before = onnx.load(str(tiny.onnx_file(base, "mean")))
    assert {e.key: e.value for e in model.metadata_props} == {e.key: e.value for e in before.metadata_props}
    assert static.stat().st_size < tiny.onnx_file(base, "mean").stat().st_size


def test_refusals(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="X007"):
        quantize_onnx_static(tiny.onnx_file(base, "mean"), tmp_path / "q.onnx", [])
    (tmp_path / "m.onnx").write_bytes(b"not a protobuf")
    with pytest.raises(ExportError, match="X005"):
        quantize_onnx_static(tmp_path / "m.onnx", tmp_path / "q.onnx", [[1, 2]])
    assert not (tmp_path / "q.onnx").exists()
