"""ONNX in half precision: computed with in f32, its formulas recognised for what they are."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from onnx_graphs import encoder
from potstill.compile import compile_onnx
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ops import Linear
from potstill.errors import CompileError
from potstill.runtime.backends.native import NativeBackend
from potstill.runtime.rows import TokenRows

IDS = [20, 9, 51, 33, 12, 40, 7]


def to_half(path: Path, *, io: bool = True) -> Path:
    """As people do it, with onnxruntime's own converter."""
    import logging
    import warnings

    from onnxruntime.transformers.float16 import convert_float_to_float16

    out = path.with_suffix(".half.onnx")
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values beyond half precision are clipped: the mask's lowest number
            onnx.save(convert_float_to_float16(onnx.load(str(path)), keep_io_types=io), str(out))
    finally:
        logging.disable(logging.NOTSET)
    return out


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [("erf_div", "gelu"), ("erf_mul", "gelu"), ("erf_late", "gelu"), ("tanh_form", "gelu_tanh"), ("relu", "relu")],
)
def test_the_activation_of_a_half_precision_graph(tmp_path: Path, spelling: str, kind: str) -> None:
    half = to_half(encoder(tmp_path / "m.onnx", activation=spelling), io=spelling != "erf_mul")
    report = compile_onnx(half, tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 5e-6
    assert any("half precision" in note for note in report.notes)
    graph = import_onnx(half).graph
    assert [op.activation for op in graph.ordered() if isinstance(op, Linear)].count(kind) == 1
    # The file answers as the half-precision graph does, but for that graph's own rounding.
    session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
    wanted = session.run(["logits"], {"input_ids": [IDS], "attention_mask": [[1] * len(IDS)]})[0].astype(np.float32)
    found = np.asarray(NativeBackend(tmp_path / "m.still", 1).run(TokenRows([IDS])).logits)
    assert np.abs(found - wanted).max() < 2e-2 * np.abs(wanted).max()


def test_bfloat16_weights(tmp_path: Path) -> None:
    model = onnx.load(str(encoder(tmp_path / "m.onnx")))
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            finite = np.clip(numpy_helper.to_array(tensor), -3e38, 3e38)  # the mask's lowest number would be infinite
            rounded = finite.astype(ml_dtypes.bfloat16)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    for value in model.graph.output:
        value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.BFLOAT16
    onnx.save(model, str(tmp_path / "b.onnx"))
    report = compile_onnx(tmp_path / "b.onnx", tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 5e-6
    assert any("half precision" in note for note in report.notes)


def test_an_activation_that_rounding_hides_names_the_rounding(tmp_path: Path) -> None:
    """SiLU is none of the core's, half precision or not; its numbers may have been another function's."""
    half = to_half(encoder(tmp_path / "m.onnx", activation="silu"))
    with pytest.raises(CompileError, match="C103") as caught:
        compile_onnx(half, tmp_path / "m.still")
    assert "half precision" in caught.value.what and "fp32" in caught.value.next_step
