"""Layer norm written out with ReduceMean, Sub, Pow, Sqrt, Div, Mul and Add, whatever the order.

The tree gives the candidates (which constant could be gamma, beta, eps), evaluation in float64 on a few rows decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.compile.expr import Const, Elementwise, Expr, Norm, Tensor, evaluate, plain_name, walk
from potstill.compile.ir import Op
from potstill.compile.reading import Handler, Reader, unsupported
from potstill.compile.views import is_plain
from potstill.still import core_math, reference
from potstill.still.arrays import Array
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.load import Node
    from potstill.compile.lower import Lowering

_MAX_NODES = 24  # a written-out layer norm has 9 to 14
_ROOTS = ("Sqrt", "Pow")


def _read(it: Reader, node: Node) -> list[Tensor]:
    """The operator LayerNormalization."""
    x = it.tensor(node)
    gamma, beta = it.constant(node, 1), it.constant(node, 2)
    rank, at = len(x.axes), int(node.attributes.get("axis", -1))
    width = x.expr.width
    if at % rank != rank - 1 or not is_plain(x.axes, width) or gamma is None:
        raise unsupported(node, "only over the last dimension")
    shift = np.zeros(1, np.float32) if beta is None else beta
    if not {gamma.size, shift.size} <= {1, width}:
        raise unsupported(node, "scale and bias are not one value a column")
    gain, shift = (np.ascontiguousarray(np.broadcast_to(v.reshape(-1), (width,))) for v in (gamma, shift))
    expr = Norm(x.expr.rows, width, node.label, x.expr, gain, shift, float(node.attributes.get("epsilon", 1e-5)))
    return [Tensor(expr, x.axes)]


@dataclass(frozen=True, eq=False)
class LayerNorm(Op):
    """gamma, beta: [width] f32."""

    x: Op
    gamma: Array
    beta: Array
    eps: float

    reads: ClassVar[Mapping[tuple[str, str], Handler]] = {("", "LayerNormalization"): _read}

    @property
    def width(self) -> int:
        return int(self.gamma.shape[0])

    @classmethod
    def condense(cls, expr: Expr) -> Expr | None:
        return match_layer_norm(expr)

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        if not isinstance(expr, Norm):
            return None
        gamma, beta = (np.asarray(v, np.float32) for v in (expr.gamma, expr.beta))
        return cls(plain_name(expr.node), fuser.op(expr.x), gamma, beta, expr.eps)

    def plus(self, const: Const, sign: float) -> Op | None:
        if const.is_matrix:
            return None
        vector = np.broadcast_to(sign * const.wide, (self.width,))
        return replace(self, beta=(self.beta.astype(np.float64) + vector).astype(np.float32))

    def times(self, factor: Array) -> Op | None:
        if factor.ndim > 1:
            return None
        vector = np.broadcast_to(factor, (self.width,)).astype(np.float64)
        gamma, beta = (np.asarray(v.astype(np.float64) * vector, np.float32) for v in (self.gamma, self.beta))
        return replace(self, gamma=gamma, beta=beta)

    def lower(self, to: Lowering, name: str) -> Any:
        gamma, beta = to.tensor(f"{name}.gamma", "f32", self.gamma), to.tensor(f"{name}.beta", "f32", self.beta)
        return made(fb.LayerNormT, gammaT=gamma, betaT=beta, eps=float(np.float32(self.eps)))

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        norm = core_math.layer_norm if run.exact else reference.layer_norm
        return norm(inputs[0], run.weights[body.gammaT], run.weights[body.betaT], body.eps)


def match_layer_norm(expr: Expr) -> Norm | None:
    """The layer norm that `expr` computes, or None.

    Args:
        expr: a tree whose value is one row of `width` columns.
    """
    if not isinstance(expr, Elementwise) or expr.reduction is None:
        return None
    # The innermost reduction reads the row itself.
    base = expr.reduction.args[0]
    if not isinstance(base, Expr):
        return None
    above = list(itertools.islice(walk(expr, stop=base), _MAX_NODES + 1))
    nodes = [item for item in above if isinstance(item, Elementwise)]
    foreign = [i for i in above if i is not base and not isinstance(i, Elementwise | Const)]
    if len(above) > _MAX_NODES or foreign or not any(item.op in _ROOTS for item in nodes):
        return None
    zeros = {id(item.args[1]) for item in nodes if item.op == "widen"}
    constants = [item for item in above if isinstance(item, Const) and id(item) not in zeros]
    vectors = [item.value for item in constants if item.value.ndim == 1]
    scalars = [item.number for item in constants if item.is_scalar]
    if len(vectors) > 2 or any(item.is_matrix for item in constants):
        return None
    return _decide(expr, base, vectors, scalars)


def _decide(expr: Expr, base: Expr, vectors: list[Array], scalars: list[float]) -> Norm | None:
    width = base.width
    if expr.width != width or width < 2:
        return None
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    rows = _probe_rows(width)
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(evaluate(expr, base, rows), rows.shape)
    gammas = [*vectors, ones, *(np.full(width, s, np.float32) for s in scalars)]
    betas = [*vectors, zeros, *(np.full(width, s, np.float32) for s in scalars)]
    for eps in [*(s for s in scalars if 0.0 < s <= 1e-2), 0.0]:
        mean = rows.mean(axis=1, keepdims=True)
        normal = (rows - mean) / np.sqrt(((rows - mean) ** 2).mean(axis=1, keepdims=True) + eps)
        for gamma in gammas:
            for beta in betas:
                if np.allclose(normal * gamma + beta, wanted, rtol=1e-6, atol=1e-7):
                    return Norm(expr.rows, width, expr.node, base, gamma, beta, eps)
    return None


def _probe_rows(width: int) -> Array:
    """Rows of ordinary, shifted and tiny size; the tiny ones (1e-6, variance 1e-12) tell eps."""
    random = np.random.default_rng(20)
    rows = random.standard_normal((4, width))
    return rows * np.array([[1.0], [3.0], [1e-3], [1e-6]]) + np.array([[0.0], [2.0], [0.0], [0.0]])
