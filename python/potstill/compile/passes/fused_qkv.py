"""q, k and v as one linear: rows of the weights picked by column number, the score scale folded into q."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.ir import Attention, Linear, Op

Array = NDArray[Any]


def fuse_qkv(parts: list[tuple[Op, Array]], scale: float, name: str) -> Attention | str:
    """The attention over q, k, v, or the reason why it cannot be built.

    Args:
        parts: for q, k and v the operator that makes it and its column numbers [heads, head size].
        scale: what the scores are multiplied with, 1/sqrt(head size) as a rule.
    """
    weights, biases = [], []
    source: Op | None = None
    for (op, index), factor in zip(parts, (scale, 1.0, 1.0), strict=True):
        if not isinstance(op, Linear) or op.activation != "none" or op.residual is not None:
            return "queries, keys and values must come straight from linear layers"
        if source is not None and op.x is not source:
            return "queries, keys and values must be made from the same rows (no cross attention)"
        source = op.x
        rows = index.reshape(-1)
        if rows.max() >= op.width:
            return "a head reaches beyond the columns of its linear layer"
        bias = np.zeros(op.width, np.float32) if op.bias is None else op.bias
        weights.append((op.weight[rows].astype(np.float64) * factor).astype(np.float32))
        biases.append((bias[rows].astype(np.float64) * factor).astype(np.float32))
    heads, size = parts[0][1].shape
    if any(index.shape != (heads, size) for _, index in parts):
        return "queries, keys and values have different head sizes"
    assert source is not None
    linear = Linear(f"{name}.qkv", source, np.concatenate(weights), np.concatenate(biases))
    return Attention(name, linear, heads, float(scale))
