"""L2 normalisation of pooled vectors: x / max(|x|, eps), however an exporter writes the length.

The tree gives the candidates (what is divided, which constant could be eps), evaluation in float64 on a few rows
decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from potstill.compile import layout
from potstill.compile.expr import SEQUENCES, Const, Elementwise, Expr, Ids, Tensor, evaluate, walk
from potstill.compile.ir import Op
from potstill.compile.reading import Handler, Reader, unsupported
from potstill.still import core_math, reference
from potstill.still.arrays import Array
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.load import Node
    from potstill.compile.lower import Lowering

_MAX_NODES = 16  # F.normalize has 6 to 9
# Stands for no eps at all: the core keeps the quotient of a vector of zeros finite.
SMALLEST = 1e-30


def _read(it: Reader, node: Node) -> list[Tensor]:
    """The operator LpNormalization."""
    x = it.tensor(node)
    last = len(x.axes) - 1
    if node.attributes.get("p", 2) != 2 or node.attributes.get("axis", -1) % len(x.axes) != last:
        raise unsupported(node, "only the L2 norm over the last dimension")
    if isinstance(x.expr, Ids):
        raise unsupported(node, "arithmetic on token ids")
    squares = it.elementwise("Mul", (x.expr, x.expr), x, node)
    total = layout.reduce(node, squares, [last], True, "sum")
    return [it.join(node, "Div", x, it.elementwise("Sqrt", (total.expr,), total, node))]


@dataclass(frozen=True, eq=False)
class Normalize(Op):
    """x / max(|x|, eps) of each row of one a text."""

    x: Op
    eps: float

    reads: ClassVar[Mapping[tuple[str, str], Handler]] = {("", "LpNormalization"): _read}

    @property
    def width(self) -> int:
        return self.x.width

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        unit = match_l2_norm(expr) if isinstance(expr, Elementwise) else None
        return None if unit is None else cls("normalize", fuser.op(unit.x), unit.eps)

    def lower(self, to: Lowering, name: str) -> Any:
        return made(fb.NormalizeT, eps=float(np.float32(self.eps)))

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        return (core_math.l2_normalize if run.exact else reference.l2_normalize)(inputs[0], body.eps)


class UnitLength(NamedTuple):
    """`x` divided by its length, or by `eps` where that is more."""

    x: Expr
    eps: float


def match_l2_norm(expr: Elementwise) -> UnitLength | None:
    """The normalisation that `expr`, one row a text, computes, or None."""
    if expr.op not in ("Div", "Mul") or expr.rows != SEQUENCES or expr.width < 2:
        return None
    operands = expr.args[:1] if expr.op == "Div" else expr.args
    for base in operands:
        if isinstance(base, Expr) and base.width == expr.width:
            eps = _eps(expr, base)
            if eps is not None:
                return UnitLength(base, eps)
    return None


def _eps(expr: Elementwise, base: Expr) -> float | None:
    above = [item for item in walk(expr, stop=base) if item is not base]
    nodes = [item for item in above if isinstance(item, Elementwise)]
    if len(above) > _MAX_NODES or any(not isinstance(item, Elementwise | Const) for item in above):
        return None
    if not any(node.op in ("sum", "mean") for node in nodes):
        return None
    zeros = {id(node.args[1]) for node in nodes if node.op == "widen"}
    constants = [item for item in above if isinstance(item, Const) and id(item) not in zeros]
    if any(not item.is_scalar for item in constants):
        return None
    rows = _probe_rows(base.width)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(evaluate(expr, base, rows), rows.shape)
    small = [item.number for item in constants if 0.0 < item.number <= 1e-2]
    # Some clip the squared length.
    for eps in (*small, *(math.sqrt(value) for value in small), 0.0):
        if np.allclose(rows / np.maximum(lengths, eps), wanted, rtol=1e-6, atol=1e-9):
            return max(eps, SMALLEST)
    return None


def _probe_rows(width: int) -> Array:
    """Rows of ordinary and of tiny lengths, which tell where eps is and that it is not added."""
    rows = np.random.default_rng(21).standard_normal((8, width))
    lengths = np.array([1e-13, 5e-13, 2e-12, 1e-9, 1e-6, 1e-3, 1.0, 30.0])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True) * lengths[:, None])
