"""From symbolic expressions to the fused graph: each expression is given to the operators, innermost first."""

from __future__ import annotations

import numpy as np

from potstill.compile.activation import Activated, is_function_of_one, match_activation
from potstill.compile.expr import REDUCTIONS, SEQUENCES, Const, Elementwise, Expr
from potstill.compile.ir import Op
from potstill.compile.matmul import probabilities
from potstill.compile.ops import OPS
from potstill.compile.ops.linear import add_residual
from potstill.compile.ops.pool import SumPool, as_mean
from potstill.errors import CompileError

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
            CompileError: what cannot be fused: an activation, a normalisation, attention, pooling, a sum or product.
        """
        reachable: dict[int, Expr] = {}
        pending = [expr]
        while pending:
            item = pending.pop()
            if id(item) not in reachable:
                reachable[id(item)] = item
                pending.extend(item.parts())
        for item in sorted(reachable.values(), key=lambda e: e.order):
            if item.heavy:
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

    def activation(self, expr: Elementwise) -> Activated | None:
        """Which activation of what `expr` is, or None."""
        if id(expr) not in self._activations:
            self._alive.append(expr)
            self._activations[id(expr)] = match_activation(expr)
        return self._activations[id(expr)]

    @staticmethod
    def refusal(code: str, what: str, where: str) -> CompileError:
        """An error whose next step is another backend."""
        return CompileError(code, what, where, _ELSE)

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
        if not isinstance(expr, Elementwise):
            return expr.parts() if expr.heavy else []
        if expr.op in REDUCTIONS:
            return []
        activated = self.activation(expr)
        if activated is not None:
            return [activated.base]
        exprs = expr.parts()
        folds = expr.op in (("Add",) if len(exprs) == 2 else ("Neg", "Add", "Sub", "Mul", "Div"))
        from_constant = isinstance(expr.args[0], Const) and expr.op in ("Sub", "Div")
        return exprs if folds and not from_constant else []

    def _build(self, expr: Expr) -> Op:
        if isinstance(expr, Elementwise) and expr.op in REDUCTIONS:
            raise self.refusal("C011", "a reduction over columns that is not part of a layer norm", expr.node)
        for kind in OPS:
            found = kind.recognise(expr, self)
            if found is not None:
                return found
        if not isinstance(expr, Elementwise):
            raise self.refusal("C014", "a value that is not made of rows is used as such", expr.node)
        folded = self._fold(expr)
        if folded is None:
            raise self._not_fused(expr)
        return folded

    def _fold(self, expr: Elementwise) -> Op | None:
        """Sums and products of an operator with a constant or with another operator."""
        if expr.op == "Neg":
            return self._raw(*expr.parts()).times(np.asarray(-1.0))
        if expr.op not in ("Add", "Sub", "Mul", "Div"):
            return None
        a, b = expr.args
        if isinstance(a, Expr) and isinstance(b, Expr):
            return add_residual(self.op(a), self.op(b)) if expr.op == "Add" else None
        if isinstance(a, Const):
            if expr.op in ("Sub", "Div"):
                return None
            a, b = b, a
        assert isinstance(a, Expr) and isinstance(b, Const)
        op = self._raw(a)
        if expr.op in ("Mul", "Div"):
            return op.times(b.wide if expr.op == "Mul" else 1.0 / b.wide)
        return op.plus(b, -1.0 if expr.op == "Sub" else 1.0)

    def _not_fused(self, expr: Elementwise) -> CompileError:
        if expr.reduction is not None:
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
