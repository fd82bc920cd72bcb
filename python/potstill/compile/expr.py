"""Symbolic values: elementwise expressions over the outputs of heavy operators.

A heavy operator (embedding, linear, attention, pooling, recognised layer norm) is a `Leaf`. What an exporter puts
between heavy operators stays an unevaluated expression tree, so that GELU, biases, residuals and layer norms can be
recognised by what they compute (ops/), whatever the order of their nodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from potstill.compile.views import Axes
from potstill.errors import CompileError
from potstill.still.activations import erf, gelu, gelu_tanh
from potstill.still.arrays import Array

TOKENS = "tokens"  # one row a token
SEQUENCES = "sequences"  # one row a text
REDUCTIONS = ("mean", "sum")  # operators that make one column of a row
SCORES = "scores"  # attention scores or probabilities: [heads, tokens, keys]

_serial = itertools.count()


@dataclass(frozen=True, eq=False)
class Expr:
    """Base: a matrix of `width` columns; `node` says where it comes from, for errors."""

    rows: str
    width: int
    node: str
    order: int = field(default_factory=lambda: next(_serial), init=False)

    heavy: ClassVar[bool] = False  # an operator of the core computes it, whatever is made of it

    def parts(self) -> list[Expr]:
        """The expressions of rows that it is computed from."""
        return []


@dataclass(frozen=True, eq=False)
class Ids(Expr):
    """The token ids themselves."""


@dataclass(frozen=True, eq=False)
class Lookup(Expr):
    """Rows of `table` [vocabulary, width] selected by the ids."""

    table: Array
    name: str

    heavy = True


@dataclass(frozen=True, eq=False)
class Product(Expr):
    """x @ weight.T with weight [width, K]."""

    x: Expr
    weight: Array
    name: str

    heavy = True

    def parts(self) -> list[Expr]:
        return [self.x]


@dataclass(frozen=True, eq=False)
class Norm(Expr):
    """Layer norm over the columns of x."""

    x: Expr
    gamma: Array
    beta: Array
    eps: float

    heavy = True

    def parts(self) -> list[Expr]:
        return [self.x]


@dataclass(frozen=True, eq=False)
class Columns:
    """Where one of q, k, v lies: [heads, head size] column indices into the expression."""

    expr: Expr
    index: Array


@dataclass(frozen=True, eq=False)
class Scores(Expr):
    """q k^T for each head; `width` is the number of heads."""

    q: Columns
    k: Columns

    def parts(self) -> list[Expr]:
        return [self.q.expr, self.k.expr]


@dataclass(frozen=True, eq=False)
class Softmax(Expr):
    """Softmax over keys of scale * scores."""

    scores: Scores
    scale: float

    def parts(self) -> list[Expr]:
        return self.scores.parts()


@dataclass(frozen=True, eq=False)
class Context(Expr):
    """Probabilities times v, heads side by side."""

    probabilities: Softmax
    v: Columns

    heavy = True

    def parts(self) -> list[Expr]:
        return [*self.probabilities.parts(), self.v.expr]


@dataclass(frozen=True, eq=False)
class Reduced(Expr):
    """One row a text: kind `sum` over tokens, or `cls`, the first token."""

    x: Expr
    kind: str

    heavy = True

    def parts(self) -> list[Expr]:
        return [self.x]


@dataclass(frozen=True, eq=False)
class IsNan(Expr):
    """The guard exporters put behind softmax; false, since no row of scores is fully masked."""

    x: Expr

    def parts(self) -> list[Expr]:
        return [self.x]


# A constant operand: a number, one value a column, or (tokens only) a matrix [length, width].
@dataclass(frozen=True, eq=False)
class Const:
    value: Array
    name: str = ""

    @property
    def is_scalar(self) -> bool:
        return self.value.ndim == 0

    @property
    def is_matrix(self) -> bool:
        return self.value.ndim == 2

    @property
    def number(self) -> float:
        return float(self.value)

    @property
    def wide(self) -> Array:
        """The value for folding, in float64."""
        return self.value.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Elementwise(Expr):
    """op(args) element by element; `mean` and `sum` reduce each row to one column."""

    op: str
    args: tuple[Expr | Const, ...]
    # Kept as the tree grows: looking for it in the whole tree at every node would take the square of a long chain.
    reduction: Elementwise | None = field(init=False, default=None)  # the earliest `mean` or `sum` of the tree

    def __post_init__(self) -> None:
        below = [arg.reduction for arg in self.args if isinstance(arg, Elementwise) and arg.reduction is not None]
        own = [self] if self.op in REDUCTIONS else []
        object.__setattr__(self, "reduction", min((*below, *own), key=lambda item: item.order, default=None))

    def parts(self) -> list[Expr]:
        return [arg for arg in self.args if isinstance(arg, Expr)]


@dataclass(frozen=True)
class Tensor:
    """An ONNX value: columns of `expr` from `offset`, laid out by `axes`."""

    expr: Expr
    axes: Axes
    offset: int = 0


def walk(expr: Expr, stop: Expr | None = None) -> Iterator[Expr | Const]:
    """The tree down to its leaves (heavy operators), each node once; does not go below `stop`."""
    seen: set[int] = set()
    pending: list[Expr | Const] = [expr]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        if isinstance(item, Elementwise) and item is not stop:
            pending.extend(item.args)


def evaluate(expr: Expr, base: Expr, x: Array) -> Array:
    """The tree's value in float64 with `base` standing for x [rows, width]."""
    done: dict[int, Array] = {id(base): x}
    stack: list[Expr | Const] = [expr]
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
        elif isinstance(item, Const):
            done[id(item)] = item.value.astype(np.float64)
        elif isinstance(item, Elementwise):
            missing = [arg for arg in item.args if id(arg) not in done]
            if missing:
                stack.extend(missing)
            else:
                with np.errstate(all="ignore"):
                    done[id(item)] = FUNCTIONS[item.op](*(done[id(arg)] for arg in item.args))
        else:
            raise KeyError(item)
    return done[id(expr)]


FUNCTIONS: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Neg": np.negative,
    "Abs": np.abs,
    "Exp": np.exp,
    "Log": np.log,
    "Erf": erf,
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0.0),
    "Sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Gelu": gelu,
    "GeluTanh": gelu_tanh,
    "mean": lambda x: np.mean(x, axis=-1, keepdims=True),
    "widen": np.add,  # one column to many: the second argument is zeros of the new width
    "sum": lambda x: np.sum(x, axis=-1, keepdims=True),
}


def weight_of(value: Array, expr: Expr) -> Array:
    """The stored weight `value` of a heavy operator.

    Raises:
        CompileError: it is not f32, or not finite.
    """
    if value.dtype != np.float32:
        raise CompileError(
            "C023", f"weights of type {value.dtype} are not supported", expr.node, "export the model in float32"
        )
    if not np.isfinite(value).all():
        raise CompileError("C024", "weights that are not finite numbers", expr.node, "train or export the model again")
    return value


def stem_of(name: str, otherwise: str) -> str:
    """`bert.encoder.layer.0.output.dense` from the weight's name; nameless weights take their node's name."""
    return name.removesuffix(".weight") if name.endswith(".weight") else plain_name(otherwise)


def plain_name(label: str) -> str:
    """The node's own name out of `Op node 'name'`."""
    return label.partition("'")[2].removesuffix("'") or label
