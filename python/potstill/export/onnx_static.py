"""Static int8 ONNX: activation ranges fixed on calibration texts, for engines that want them (NPUs, old runtimes).

A `.still` has none of this: the core scales every row of activations while it runs (still/schemes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from potstill.errors import ExportError, missing_package
from potstill.export.onnx import write_quantized

CALIBRATION_ROWS = 128
# Matrix products and the word table; layer norms, softmax and GELU stay f32.
_OPERATORS = ["MatMul", "Gemm", "Gather"]


def quantize_onnx_static(
    fp32: Path, out: Path, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
) -> Path:
    """Quantize an ONNX file with static activation ranges (QDQ form): uint8 activations, int8 weights per channel.

    Args:
        fp32: what `export_onnx` wrote.
        out: path of the new file; replaced only when it is whole.
        ids: token ids of calibration texts, one list a text, each run alone; the ranges are the least and the largest
            value seen.
        types: token types of these texts, for a graph that reads pairs.

    Returns:
        `out`.

    Raises:
        ExportError: no texts; and as `write_quantized`.
        SystemFailure: a file cannot be written; onnxruntime or onnx is missing.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    except ImportError as error:
        raise missing_package(error.name or "onnxruntime", "build", "static int8 ONNX") from error
    if not ids:
        raise ExportError("X007", "no calibration texts", str(out), "give some texts like those of the task")
    feeds = _feeds(ids, types)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, Any] | None:
            return next(feeds, None)

    def quantize(made: str) -> None:
        quantize_static(
            str(fp32), made, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=_OPERATORS, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip

    return write_quantized(fp32, out, quantize)


def _feeds(ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None) -> Iterator[dict[str, Any]]:
    import numpy as np

    for index, row in enumerate(ids):
        given = np.asarray([list(row)], np.int64)
        feed = {"input_ids": given, "attention_mask": np.ones_like(given)}
        if types is not None:
            feed["token_type_ids"] = np.asarray([list(types[index])], np.int64)
        yield feed
