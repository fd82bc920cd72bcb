"""Quantized graphs: their weights are what they stand for, their rounding is left out, and what it did is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType

from fused_graphs import fused_encoder
from onnx_graphs import encoder
from potstill.compile import compile_onnx
from potstill.compile.rewrites import ROUNDED
from potstill.errors import CompileError
from potstill.runtime.backends.native import NativeBackend
from potstill.runtime.rows import TokenRows
from quantized_graphs import dequantized, dynamic, few_bits, quiet, static

IDS = [20, 9, 51, 33, 12, 40, 7]

ROUNDING: dict[str, Callable[[Path], Path]] = {
    "dynamic": dynamic,
    "static": static,
    "static, signed": lambda plain: static(plain, activation_type=QuantType.QInt8),
    "operators": lambda plain: static(plain, "QOperator"),
}
BY_COLUMN: dict[str, Callable[[Path], Path]] = {
    "dynamic": lambda plain: dynamic(plain, per_channel=True),
    "static": lambda plain: static(plain, per_channel=True),
    "operators": lambda plain: static(plain, "QOperator", per_channel=True),
    "products of few bits on rounded rows": lambda plain: few_bits(plain, level=4),
}
WEIGHTS_ALONE: dict[str, Callable[[Path], Path]] = {
    "4 bits": few_bits,
    "4 bits with zero points": lambda plain: few_bits(plain, symmetric=False),
    "8 bits": lambda plain: few_bits(plain, 8),
    "4 bits, by blocks": lambda plain: few_bits(plain, style="QDQ"),
}


def answers(model: Path) -> Any:
    """Without optimisations: one of them rounds the rows of products with weights of 4 bits."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input_ids": [IDS], "attention_mask": [[1] * len(IDS)]})[0]


@pytest.mark.parametrize("activation", ["erf_div", "relu"])
@pytest.mark.parametrize("case", ROUNDING)
def test_the_file_is_the_dequantized_model(tmp_path: Path, case: str, activation: str) -> None:
    """Also where the quantizer leaves the ReLU to the grid (static ones do)."""
    plain = encoder(tmp_path / "m.onnx", activation=activation)
    quantized = ROUNDING[case](plain)
    report = compile_onnx(quantized, tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 1e-5
    wanted = answers(dequantized(plain, quantized))
    found = np.asarray(NativeBackend(tmp_path / "m.still", 1).run(TokenRows([IDS])).logits)
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()  # biases were rounded as well, to i32
    beside = [row for row in report.rounding if row["output"] == "logits"]
    assert len(beside) == 3 and all(row["relative"] > 0 and row["cosine"] > 0.9 for row in beside)
    assert any("roundings of activations are left out" in note for note in report.notes)
    assert any("beside onnxruntime's answers" in note for note in report.notes)


@pytest.mark.parametrize("case", BY_COLUMN)
def test_a_scale_for_each_column(tmp_path: Path, case: str) -> None:
    quantized = BY_COLUMN[case](encoder(tmp_path / "m.onnx", head="tagger"))
    report = compile_onnx(quantized, tmp_path / "m.still", scheme="int8")
    assert max(row["relative"] for row in report.differences) < 1e-5
    assert min(row["cosine"] for row in report.rounding) > 0.95


@pytest.mark.parametrize("case", WEIGHTS_ALONE)
def test_weights_alone(tmp_path: Path, case: str) -> None:
    """Nothing but weights is rounded: the file gives onnxruntime's own answers to the quantized ONNX."""
    quantized = WEIGHTS_ALONE[case](encoder(tmp_path / "m.onnx"))
    report = compile_onnx(quantized, tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 1e-5 and report.rounding == []
    assert any("quantized" in note for note in report.notes)
    wanted = answers(quantized)
    found = np.asarray(NativeBackend(tmp_path / "m.still", 1).run(TokenRows([IDS])).logits)
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("saved", [False, True], ids=["by the tool", "saved by a session"])
def test_fused_and_quantized(tmp_path: Path, saved: bool) -> None:
    """QAttention and, after onnxruntime's own optimizer, products of f32 rows with integers."""
    asked = ["Attention", "EmbedLayerNormalization", "MatMul"]
    quantized = dynamic(fused_encoder(tmp_path / "m.onnx"), op_types_to_quantize=asked)
    if saved:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "saved.onnx")
        options.log_severity_level = 4
        onnxruntime.InferenceSession(str(quantized), options, providers=["CPUExecutionProvider"])
        quantized = tmp_path / "saved.onnx"
    kinds = {node.op_type for node in onnx.load(str(quantized)).graph.node}
    assert {"QAttention", "QEmbedLayerNormalization", "DynamicQuantizeMatMul" if saved else "MatMulInteger"} <= kinds
    report = compile_onnx(quantized, tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 1e-5
    assert min(row["cosine"] for row in report.rounding) > 0.95


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(path))
    return path


def test_another_grid_is_refused(tmp_path: Path) -> None:
    def spoil(model: Any) -> None:
        """A DequantizeLinear that reads an activation with a scale of its own."""
        made = {node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
        node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in made)
        model.graph.initializer.append(numpy_helper.from_array(np.float32(0.25), "other"))
        node.input[1] = "other"

    quantized = changed(static(encoder(tmp_path / "m.onnx")), spoil)
    with pytest.raises(CompileError, match=r"C005.*another grid"):
        compile_onnx(quantized, tmp_path / "m.still")


def test_integers_used_otherwise_are_refused(tmp_path: Path) -> None:
    def spoil(model: Any) -> None:
        """A sum of integers between the product and its scale."""
        node = next(n for n in model.graph.node if n.op_type == "MatMulInteger")
        cast = next(n for n in model.graph.node if n.op_type == "Cast" and n.input[0] == node.output[0])
        at = list(model.graph.node).index(cast)
        model.graph.node.insert(at, helper.make_node("Add", [node.output[0], node.output[0]], ["twice"]))
        cast.input[0] = "twice"

    with pytest.raises(CompileError, match=r"C005.*Add works on its integers"):
        compile_onnx(changed(dynamic(encoder(tmp_path / "m.onnx")), spoil), tmp_path / "m.still")


def test_answers_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    """Grids far too narrow for what they hold: the quantized model is nothing like the one without rounding."""

    def spoil(model: Any) -> None:
        used = {n.input[1] for n in model.graph.node if n.op_type == "QuantizeLinear"}
        for tensor in model.graph.initializer:
            if tensor.name in used:
                narrow = numpy_helper.to_array(tensor) / 40
                tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))

    with pytest.raises(CompileError, match="C180"), quiet():
        compile_onnx(changed(static(encoder(tmp_path / "m.onnx")), spoil), tmp_path / "m.still", scheme="fp32")


def test_every_rewrite_is_listed() -> None:
    """The families above make all of these; a new one gets its case here."""
    by_dynamic = {"DynamicQuantizeLinear", "MatMulInteger", "DequantizeLinear"}
    by_operators = {"QuantizeLinear", "QLinearMatMul", "QLinearAdd", "QLinearMul", "QLinearSoftmax", "QGemm"}
    by_optimizer = {"QAttention", "QEmbedLayerNormalization", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
    assert set(ROUNDED) == by_dynamic | by_operators | by_optimizer
