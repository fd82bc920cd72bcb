"""Bias, scale, activation and residual, folded into the linear (or other operator) they follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.expr import Const
from potstill.compile.ir import LayerNorm, Linear, Op

Array = NDArray[Any]


def add_constant(op: Op, value: Array) -> Op | None:
    """op + value, value being [width] or a number; None when the operator cannot take it."""
    vector = np.broadcast_to(value, (op.width,)).astype(np.float64)
    if isinstance(op, Linear) and op.activation == "none" and op.residual is None:
        bias = vector if op.bias is None else op.bias.astype(np.float64) + vector
        return replace(op, bias=bias.astype(np.float32))
    if isinstance(op, LayerNorm):
        return replace(op, beta=(op.beta.astype(np.float64) + vector).astype(np.float32))
    return None


def scale(op: Op, factor: Array) -> Op | None:
    """op * factor, factor being [width] or a number; None when the operator cannot take it."""
    vector = np.broadcast_to(factor, (op.width,)).astype(np.float64)
    if isinstance(op, Linear) and op.activation == "none" and op.residual is None:
        weight = (op.weight.astype(np.float64) * vector[:, None]).astype(np.float32)
        bias = None if op.bias is None else (op.bias.astype(np.float64) * vector).astype(np.float32)
        return replace(op, weight=weight, bias=bias)
    if isinstance(op, LayerNorm):
        gamma, beta = (np.asarray(v.astype(np.float64) * vector, np.float32) for v in (op.gamma, op.beta))
        return replace(op, gamma=gamma, beta=beta)
    return None


def activate(op: Op, kind: str) -> Op | None:
    """activation(op); None unless the operator is a bare linear."""
    if isinstance(op, Linear) and op.activation == "none" and op.residual is None:
        return replace(op, activation=kind)
    return None


def add_residual(a: Op, b: Op) -> Op | None:
    """a + b, fused into whichever of the two is a linear without residual; None when neither is.

    When both are, the later one takes the sum: the earlier one has to be computed before it in any case.
    """
    if a.width != b.width or a.per_token != b.per_token:
        return None
    able = [op for op in (a, b) if isinstance(op, Linear) and op.residual is None]
    if not able:
        return None
    if len(able) == 2 and reaches(a, b):
        able.reverse()
    target = able[0]
    assert isinstance(target, Linear)
    return replace(target, residual=b if target is a else a)


def reaches(earlier: Op, later: Op) -> bool:
    """Whether `later` reads `earlier`, directly or not."""
    seen: set[int] = set()
    stack = [later]
    while stack:
        op = stack.pop()
        if op is earlier:
            return True
        if id(op) not in seen:
            seen.add(id(op))
            stack.extend(op.inputs())
    return False


def number(const: Const) -> Array:
    """The constant's value for folding, in float64."""
    return const.value.astype(np.float64)
