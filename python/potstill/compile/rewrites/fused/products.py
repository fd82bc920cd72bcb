"""Matrix products together with a transpose, a factor or an activation."""

from __future__ import annotations

from typing import Any

from potstill.compile.rewrites.writer import NotWritten, Writer

_ACTIVATIONS = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Softplus", "Elu")


def _matmul(w: Writer) -> None:
    """alpha * A' B', each of them transposed in its last two dimensions, or its first turned inwards."""
    operands = []
    for index, side in enumerate("AB"):
        name = w.needed(index)
        inner, outer = w.whole(f"trans{side}", 0), w.whole(f"transBatch{side}", 0)
        order = list(range(len(w.shape(name))))
        if outer and len(order) > 2:  # [rows, batch.., columns] -> [batch.., rows, columns]
            order = [*order[1:-1], order[0], order[-1]]
        if inner and len(order) > 1:
            order = [*order[:-2], order[-1], order[-2]]
        operands.append(name if order == sorted(order) else w.op("Transpose", name, perm=order))
    product = w.op("MatMul", *operands)
    alpha = w.number("alpha", 1.0)
    w.result(product if alpha == 1.0 else w.op("Mul", product, w.const(alpha)))


def _gemm(w: Writer) -> None:
    """A Gemm and an activation."""
    kept = {k: v for k, v in w.node.attributes.items() if k in ("alpha", "beta", "transA", "transB")}
    activation = str(w.node.attributes.get("activation", ""))
    if activation not in _ACTIVATIONS or w.number("activation_beta", 0.0):
        raise NotWritten(f"the activation {activation!r}")
    more: dict[str, Any] = {"alpha": w.number("activation_alpha", 0.01)} if activation in ("LeakyRelu", "Elu") else {}
    w.result(w.op(activation, w.op("Gemm", *w.node.inputs, **kept), **more))


REWRITES = {"com.microsoft.FusedMatMul": _matmul, "com.microsoft.FusedGemm": _gemm}
