"""Encoders quantized by onnxruntime's own tools, as people do it."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from onnx_graphs import POSITIONS, VOCABULARY


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The quantizers log and warn about themselves."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


class _Texts(CalibrationDataReader):  # type: ignore[misc]
    """Texts of all lengths, so that the grids hold what short ones give."""

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        self.left = [
            {"input_ids": random.integers(3, VOCABULARY, (1, n)), "attention_mask": np.ones((1, n), np.int64)}
            for n in (*range(1, POSITIONS + 1), 2, 3)
        ]

    def get_next(self) -> dict[str, Any] | None:
        return self.left.pop() if self.left else None


def dynamic(plain: Path, **options: Any) -> Path:
    """MatMulInteger behind DynamicQuantizeLinear, tables as u8 rows."""
    out = plain.with_suffix(".dynamic.onnx")
    with quiet():
        # Shape inference does not know the outputs of onnxruntime's own operators.
        extra = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        given = {"weight_type": QuantType.QInt8, "extra_options": extra, **options}
        quantize_dynamic(str(plain), str(out), **given)
    return out


def static(plain: Path, style: str = "QDQ", **options: Any) -> Path:
    """QDQ: QuantizeLinear and DequantizeLinear around everything; QOperator: QLinearMatMul and others."""
    out = plain.with_suffix(f".{style}.onnx")
    given = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, **options}
    with quiet():
        quantize_static(str(plain), str(out), _Texts(), quant_format=QuantFormat[style], **given)
    return out


def few_bits(
    plain: Path, bits: int = 4, *, symmetric: bool = True, style: str = "QOperator", level: int | None = None
) -> Path:
    """MatMulNBits and, with 4 bits, GatherBlockQuantized; QDQ: DequantizeLinear by blocks."""
    out = plain.with_suffix(f".{bits}{style}.onnx")
    kinds = ("MatMul", "Gather") if bits == 4 and style == "QOperator" else ("MatMul",)
    with quiet():
        made = MatMulNBitsQuantizer(
            onnx.load(str(plain)), block_size=16, is_symmetric=symmetric, accuracy_level=level, bits=bits,
            quant_format=QuantFormat[style], op_types_to_quantize=kinds, quant_axes=(("MatMul", 0), ("Gather", 1)),
        )  # fmt: skip
        made.process()
    onnx.save(made.model.model, str(out))
    return out


def dequantized(plain: Path, quantized: Path) -> Path:
    """The plain encoder with the weights that the integers of the other stand for, a scale a weight; biases of i32
    have a scale in QDQ only, and are the plain ones elsewhere."""
    out = plain.with_suffix(".f32.onnx")
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(quantized)).graph.initializer}
    model = onnx.load(str(plain))
    for tensor in model.graph.initializer:
        for name, turn in ((tensor.name, False), (f"{tensor.name}_Transposed", True)):
            whole = stored.get(f"{name}_quantized")
            grid = name if f"{name}_scale" in stored else f"{name}_quantized"  # of biases
            if whole is not None and f"{grid}_scale" in stored:
                exact = (whole.astype(np.float32) - stored[f"{grid}_zero_point"]) * stored[f"{grid}_scale"]
                value = (exact.T if turn else exact).astype(np.float32).copy()
                tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    onnx.save(model, str(out))
    return out
