"""Attention over q, k and v as one linear: rows of its weights picked by column, the score scale folded into q."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.compile import matmul
from potstill.compile.expr import Columns, Context, Expr, Tensor, plain_name
from potstill.compile.ir import Op
from potstill.compile.ops.linear import Linear
from potstill.compile.reading import Handler, Reader, unsupported
from potstill.still import core_math, reference
from potstill.still.arrays import Array
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.load import Node
    from potstill.compile.lower import Lowering
    from potstill.runtime.oplist import OpFacts


def _read(it: Reader, node: Node) -> list[Tensor]:
    """The operator Attention of opset 23, without cache, causality or soft capping."""
    at = node.attributes
    mask = it.constant(node, 3)
    plain = mask is None or (mask.all() if mask.dtype == bool else not mask.any())
    if len([n for n in node.inputs if n]) > 4 or at.get("is_causal", 0) or at.get("softcap", 0.0) or not plain:
        raise unsupported(node, "only plain attention without cache, causal or other masks")
    return [matmul.attention(node, *(it.tensor(node, i) for i in range(3)))]


@dataclass(frozen=True, eq=False)
class Attention(Op):
    """Over fused rows q | k | v; the score scale, 1/sqrt(head size), is already in q's weights: those were
    multiplied with `scale`."""

    qkv: Linear
    heads: int
    scale: float = 1.0

    reads: ClassVar[Mapping[tuple[str, str], Handler]] = {("", "Attention"): _read}

    @property
    def width(self) -> int:
        return self.qkv.width // 3

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        if not isinstance(expr, Context):
            return None
        scores = expr.probabilities.scores
        operands: list[Columns] = [scores.q, scores.k, expr.v]
        parts = [(fuser.op(c.expr), c.index) for c in operands]
        result = fuse_qkv(parts, expr.probabilities.scale, plain_name(expr.node))
        if isinstance(result, str):
            raise fuser.refusal("C012", f"this attention is not understood: {result}", expr.node)
        return result

    def lower(self, to: Lowering, name: str) -> Any:
        return made(fb.AttentionT, heads=self.heads)

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        return (core_math.attention if run.exact else reference.attention)(inputs[0], body.heads)

    def facts(self, base: OpFacts) -> OpFacts:
        return base._replace(heads=self.heads)


def fuse_qkv(parts: list[tuple[Op, Array]], scale: float, name: str) -> Attention | str:
    """The attention over q, k, v, or the reason why it cannot be built.

    Args:
        parts: for q, k and v the operator that makes it and its column numbers [heads, head size].
        scale: what the scores are multiplied with, 1/sqrt(head size) as a rule.
    """
    weights, biases = [], []
    source: Op | None = None
    for (op, index), factor in zip(parts, (scale, 1.0, 1.0), strict=True):
        if not isinstance(op, Linear) or not op.bare:
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
