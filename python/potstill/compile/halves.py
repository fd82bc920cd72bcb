"""Numbers in half precision as f32, which holds each of them exactly."""

from __future__ import annotations

import math
from typing import Any

from potstill.compile.bounds import array_of

# Numbers of the GELUs. In half precision they are off by up to 3e-4, and no known function any more.
_FORMULAS = (2**0.5, 0.5**0.5, 0.044715, (2 / math.pi) ** 0.5, 0.044715 * (2 / math.pi) ** 0.5, (8 / math.pi) ** 0.5)


def widen_halves(model: Any, where: str) -> bool:
    """Rewrite float16 and bfloat16 to float32 everywhere; whether there were any.

    Every half-precision value is exact in float32. Only a single number that is the rounding of one of `_FORMULAS`
    becomes that number again.
    """
    from onnx import TensorProto, numpy_helper

    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)

    def widen(tensor: Any) -> None:
        if tensor.data_type in halves:
            half = array_of(tensor, where)
            wide = half.astype("float32")
            if half.size == 1:
                value = half.reshape(-1)[0]
                for number in _FORMULAS:
                    if value == half.dtype.type(number):
                        wide[...] = number
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))

    def widen_graph(graph: Any) -> bool:
        found = any(t.data_type in halves for t in graph.initializer)
        for tensor in graph.initializer:
            widen(tensor)
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type in halves:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
                found = True
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == attribute.TENSOR and attribute.t.data_type in halves:
                    widen(attribute.t)
                    found = True
                elif attribute.type == attribute.GRAPH:
                    found |= widen_graph(attribute.g)
                elif attribute.name in ("to", "dtype", "stash_type") and attribute.i in halves:
                    attribute.i = TensorProto.FLOAT
                    found = True
        if found:
            # Recorded types of inner values would contradict the widened ones.
            del graph.value_info[:]
        return found

    return widen_graph(model.graph)
