"""From symbolic expressions to the fused graph: each expression is given to the passes, innermost first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.expr import (
    REDUCTIONS,
    SEQUENCES,
    Columns,
    Const,
    Context,
    Elementwise,
    Expr,
    Ids,
    IsNan,
    Lookup,
    Norm,
    Product,
    Reduced,
    Scores,
    Softmax,
    children,
)
from potstill.compile.ir import LayerNorm, Linear, Normalize, Op, Pool
from potstill.compile.matmul import probabilities
from potstill.compile.passes import linear
from potstill.compile.passes.activation import Activated, is_function_of_one, match_activation
from potstill.compile.passes.embedding_sum import EmbeddingSum
from potstill.compile.passes.fused_qkv import fuse_qkv
from potstill.compile.passes.l2_norm import match_l2_norm
from potstill.compile.passes.pooling import SumPool, as_mean
from potstill.errors import CompileError

Array = NDArray[Any]

_ELSE = "run this model with the onnxruntime backend"


class Fuser:
    """Builds operators on demand and remembers them, so that shared expressions become one operator.

    Args:
        length: the number of tokens the graph was specialised to.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._done: dict[int, Op] = {}
        self._finished: dict[int, Op] = {}
        self._activations: dict[int, Activated | None] = {}
        self._alive: list[Expr] = []  # ids are keys: keep the objects

    def build(self, expr: Expr) -> Op:
        """The operator that computes `expr`.

        Heavy operators below it are built first, in the order of the graph.

        Raises:
            CompileError: unknown activation; unknown normalisation; attention; pooling,
                a sum or product that does not fuse.
        """
        reachable: dict[int, Expr] = {}
        pending = [expr]
        while pending:
            item = pending.pop()
            if id(item) not in reachable:
                reachable[id(item)] = item
                pending.extend(children(item))
        for item in sorted(reachable.values(), key=lambda e: e.order):
            if isinstance(item, Lookup | Product | Norm | Context | Reduced):
                self._raw(item)
        return self.op(expr)

    def op(self, expr: Expr) -> Op:
        """As `build`, when what lies below is built; the form in which other operators read it."""
        found = self._raw(expr)
        if not isinstance(found, SumPool):
            return found
        if id(found) not in self._finished:
            mean = as_mean(found, self.length)
            if mean is None:
                raise CompileError(
                    "C013", "a sum over tokens not divided by their number", expr.node, "use mean or CLS pooling"
                )
            self._finished[id(found)] = mean
        return self._finished[id(found)]

    def _raw(self, expr: Expr) -> Op:
        """Without recursion: a chain of elementwise operators may have thousands of links."""
        pending = [expr]
        while pending:
            item = pending[-1]
            missing = [part for part in self._parts(item) if id(part) not in self._done]
            if id(item) in self._done or not missing:
                pending.pop()
                if id(item) not in self._done:
                    self._alive.append(item)
                    self._done[id(item)] = self._build(item)
            else:
                pending.extend(reversed(missing))
        return self._done[id(expr)]

    def _parts(self, expr: Expr) -> list[Expr]:
        """What `_build` asks for: of an elementwise tree only what its root can be folded with."""
        match expr:
            case Product() | Norm() | Reduced():
                return [expr.x]
            case Context():
                return [expr.probabilities.scores.q.expr, expr.probabilities.scores.k.expr, expr.v.expr]
        if not isinstance(expr, Elementwise) or expr.op in REDUCTIONS:
            return []
        activated = self._activation(expr)
        if activated is not None:
            return [activated.base]
        exprs = [arg for arg in expr.args if isinstance(arg, Expr)]
        folds = expr.op in (("Add",) if len(exprs) == 2 else ("Neg", "Add", "Sub", "Mul", "Div"))
        from_constant = isinstance(expr.args[0], Const) and expr.op in ("Sub", "Div")
        return exprs if folds and not from_constant else []

    def _activation(self, expr: Elementwise) -> Activated | None:
        if id(expr) not in self._activations:
            self._alive.append(expr)
            self._activations[id(expr)] = match_activation(expr)
        return self._activations[id(expr)]

    def _build(self, expr: Expr) -> Op:
        match expr:
            case Lookup():
                return EmbeddingSum(_stem(expr.name, "embeddings"), _weight(expr.table, expr), 1.0, ())
            case Product():
                return Linear(_stem(expr.name, expr.node), self.op(expr.x), _weight(expr.weight, expr))
            case Norm():
                gamma, beta = (np.asarray(v, np.float32) for v in (expr.gamma, expr.beta))
                return LayerNorm(_plain(expr.node), self.op(expr.x), gamma, beta, expr.eps)
            case Context():
                return self._attention(expr)
            case Reduced(kind="sum"):
                return SumPool("pool", self.op(expr.x))
            case Reduced():
                return Pool("pool", self.op(expr.x), "cls")
            case Elementwise():
                return self._elementwise(expr)
            case Ids() | IsNan() | Scores() | Softmax() | _:
                raise CompileError("C014", "a value that is not made of rows is used as such", expr.node, _ELSE)

    def _attention(self, expr: Context) -> Op:
        scores = expr.probabilities.scores
        operands: list[Columns] = [scores.q, scores.k, expr.v]
        parts = [(self.op(c.expr), c.index) for c in operands]
        result = fuse_qkv(parts, expr.probabilities.scale, _plain(expr.node))
        if isinstance(result, str):
            raise CompileError("C012", f"this attention is not understood: {result}", expr.node, _ELSE)
        return result

    def _elementwise(self, expr: Elementwise) -> Op:
        if expr.op in REDUCTIONS:
            raise CompileError("C011", "a reduction over columns that is not part of a layer norm", expr.node, _ELSE)
        unit = match_l2_norm(expr)
        if unit is not None:
            return Normalize("normalize", self.op(unit.x), unit.eps)
        activated = self._activation(expr)
        if activated is not None:
            result = linear.activate(self.op(activated.base), activated.kind)
            if result is None:
                raise CompileError("C010", f"{activated.kind} that does not follow a linear layer", expr.node, _ELSE)
            return result
        result = self._fold(expr)
        if result is not None:
            return result
        raise self._not_fused(expr)

    def _fold(self, expr: Elementwise) -> Op | None:
        """Sums and products of an operator with a constant or with another operator."""
        if expr.op == "Neg":
            return self._scale(self._raw_of(expr.args[0]), np.asarray(-1.0))
        if expr.op not in ("Add", "Sub", "Mul", "Div"):
            return None
        a, b = expr.args
        if isinstance(a, Expr) and isinstance(b, Expr):
            return linear.add_residual(self.op(a), self.op(b)) if expr.op == "Add" else None
        if isinstance(a, Const):
            if expr.op in ("Sub", "Div"):
                return None
            a, b = b, a
        assert isinstance(a, Expr) and isinstance(b, Const)
        op, value = self._raw(a), linear.number(b)
        if expr.op in ("Mul", "Div"):
            return self._scale(op, value if expr.op == "Mul" else 1.0 / value)
        sign = -1.0 if expr.op == "Sub" else 1.0
        if isinstance(op, EmbeddingSum):
            return op.add(b, sign)
        if b.is_matrix or isinstance(op, SumPool):
            return None
        return linear.add_constant(op, sign * value)

    def _scale(self, op: Op, factor: Array) -> Op | None:
        if isinstance(op, EmbeddingSum | SumPool):
            return op.scaled(float(factor)) if factor.ndim == 0 else None
        return linear.scale(op, factor) if factor.ndim < 2 else None

    def _raw_of(self, arg: Expr | Const) -> Op:
        assert isinstance(arg, Expr)
        return self._raw(arg)

    def _not_fused(self, expr: Elementwise) -> CompileError:
        if _has_row_mean(expr):
            return CompileError(
                "C011", "a normalisation that is neither a layer norm nor the L2 norm of a pooled vector", expr.node,
                f"only these are supported: {_ELSE}",
            )  # fmt: skip
        if expr.op == "Sigmoid" and expr.rows == SEQUENCES:
            return probabilities("sigmoid", expr.node)
        if is_function_of_one(expr):
            return CompileError(
                "C010", "an activation that is not GELU, ReLU or tanh", expr.node,
                f"use one of these in the student, or {_ELSE}",
            )  # fmt: skip
        return CompileError(
            "C014", f"this {expr.op} cannot be fused into a linear, a layer norm or an embedding", expr.node, _ELSE
        )


def _has_row_mean(expr: Elementwise) -> bool:
    return expr.reduction is not None


def _weight(value: Array, expr: Expr) -> Array:
    if value.dtype != np.float32:
        raise CompileError(
            "C023", f"weights of type {value.dtype} are not supported", expr.node, "export the model in float32"
        )
    if not np.isfinite(value).all():
        raise CompileError("C024", "weights that are not finite numbers", expr.node, "train or export the model again")
    return value


def _stem(name: str, otherwise: str) -> str:
    """`bert.encoder.layer.0.output.dense` from the weight's name; nameless weights take their node's name."""
    if name.endswith(".weight"):
        return name.removesuffix(".weight")
    return _plain(otherwise)


def _plain(label: str) -> str:
    """The node's own name out of `Op node 'name'`."""
    return label.partition("'")[2].removesuffix("'") or label
