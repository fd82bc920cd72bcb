"""The recipe's section `[export]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from potstill.recipe.base import Section


class Export(Section):
    """Which exchange formats are written."""

    onnx: bool = Field(
        default=True,
        description="Write ONNX. The compiler reads it, so it is always made; `false` does not publish it.",
    )
    opset: Literal[13, 18] = Field(default=18, description="ONNX operator set; 13 for old runtimes.")
    tflite: bool = Field(default=True, description="Write TFLite too (needs the extra `tflite`).")
    onnx_static: bool = Field(
        default=False,
        description="Also write `model.static-int8.onnx`, whose activation ranges are fixed on training texts, for "
        "engines that want it; the usual `model.int8.onnx` scales activations while it runs.",
    )
