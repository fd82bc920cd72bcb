"""Activations, recognised by the function they compute instead of the nodes that write it.

GELU alone has a dozen spellings: x * 0.5 * (1 + erf(x / sqrt 2)) in any order, by tanh and x^3, and so on. The tree
above some value S that uses nothing but S and numbers is a function of one variable; 4 001 points tell which.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from potstill.compile.expr import REDUCTIONS, Const, Elementwise, Expr, evaluate, walk
from potstill.still.activations import gelu, gelu_tanh

# f32 constants in the graph (sqrt 2, 0.7978845608) move the curve by about 1e-7; erf GELU and tanh GELU differ by
# 4.7e-4, the sigmoid form by 2e-2.
_TOLERANCE = 3e-6
_MAX_NODES = 32

_FAR = [-1e4, -1e3, -100.0, -40.0, -20.0, 20.0, 40.0, 100.0, 1e3, 1e4]  # where a bounded ReLU differs
POINTS = np.concatenate([np.linspace(-12.0, 12.0, 4001), _FAR])[None, :]
_KNOWN = {
    "gelu": gelu(POINTS),
    "gelu_tanh": gelu_tanh(POINTS),
    "relu": np.maximum(POINTS, 0.0),
    "tanh": np.tanh(POINTS),
}
_LINEAR_OPS = ("Add", "Sub", "Mul", "Div", "Neg")


@dataclass(frozen=True)
class Activated:
    """`kind` applied to `base`."""

    base: Expr
    kind: str


def match_activation(expr: Elementwise) -> Activated | None:
    """What activation of what value `expr` is, or None."""
    items = list(itertools.islice(walk(expr), _MAX_NODES + 1))
    if len(items) > _MAX_NODES or not is_function_of_one(expr):
        return None
    inner = sorted((i for i in items if isinstance(i, Expr) and i is not expr), key=lambda i: i.order)
    for base in inner:
        above = list(walk(expr, stop=base))
        if base not in above or not all(i is base or _plain(i) for i in above):
            continue
        kind = kind_of(evaluate(expr, base, POINTS))
        if kind is not None:
            return Activated(base, kind)
    return None


def kind_of(curve: np.ndarray) -> str | None:
    """The activation that has these values, ``[1, points]``, at `POINTS`; None if the core has none such."""
    for kind, known in _KNOWN.items():
        if np.all(np.abs(curve - known) <= _TOLERANCE * (1.0 + np.abs(known))):
            return kind
    return None


def _plain(item: Expr | Const) -> bool:
    """A number, or an operator that works element by element."""
    if isinstance(item, Const):
        return item.is_scalar
    return isinstance(item, Elementwise) and item.op not in REDUCTIONS


def is_function_of_one(expr: Elementwise) -> bool:
    """Whether some nonlinear node is in the tree: then an unrecognised tree is an unknown activation."""
    return any(isinstance(i, Elementwise) and i.op not in _LINEAR_OPS for i in walk(expr))
