"""Layer norm written out with ReduceMean, Sub, Pow, Sqrt, Div, Mul and Add, whatever the order.

The tree gives the candidates (which constant could be gamma, beta, eps), evaluation in float64 on a few rows decides.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.expr import Const, Elementwise, Expr, Norm, evaluate, walk

Array = NDArray[Any]

_MAX_NODES = 24  # a written-out layer norm has 9 to 14
_ROOTS = ("Sqrt", "Pow")


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
