"""Operators from integers to integers, with a scale and a zero point for each input and for the result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from potstill.compile.rewrites.grids import Grids
from potstill.compile.rewrites.writer import NotWritten, Writer


def _read(w: Writer, grids: Grids, first: int) -> str:
    """The value in inputs `first` to `first + 2`: integers, scale, zero point."""
    return grids.number(w, w.needed(first), w.needed(first + 1), w.input(first + 2))


def _two(kind: str) -> Callable[[Writer, Grids], None]:
    """Inputs: A, B, each with scale and zero point, and those of the result."""

    def rewrite(w: Writer, grids: Grids) -> None:
        if w.stored(w.needed(1), "the scale").size != 1:
            raise NotWritten("a scale for each row")
        value = w.op(kind, _read(w, grids, 0), _read(w, grids, 3))
        grids.settle(w, value, w.needed(6), w.input(7))

    return rewrite


def _softmax(w: Writer, grids: Grids) -> None:
    """Inputs: x with scale and zero point, and those of the result."""
    value = w.op("Softmax", _read(w, grids, 0), axis=w.whole("axis", -1))
    grids.settle(w, value, w.needed(3), w.input(4))


def _gemm(w: Writer, grids: Grids) -> None:
    """Inputs: A, B, each with scale and zero point, C on the grid of their product, scale and zero point of the result,
    which is f32 without them."""
    alpha = w.number("alpha", 1.0)
    weight = w.needed(3)
    w.stored(weight, "the weight")
    if w.whole("transB", 0):  # first, so that its scales are one a column
        weight = w.op("Transpose", weight, perm=[1, 0])
    factors = _read(w, grids, 0), w.dequantized(weight, w.needed(4), w.input(5))
    value = w.op("Gemm", *factors, alpha=alpha, transA=w.whole("transA", 0))
    if w.input(6):
        step = alpha * np.float32(w.stored(w.needed(1), "the scale")) * w.stored(w.needed(4), "the scale")
        value = w.op("Add", value, w.const(w.stored(w.input(6), "the bias") * step))
    if w.input(7):
        grids.settle(w, value, w.input(7), w.input(8))
    else:
        w.result(value)


REWRITES = {
    "QLinearMatMul": _two("MatMul"),
    "QLinearAdd": _two("Add"),
    "QLinearMul": _two("Mul"),
    "QLinearSoftmax": _softmax,
    "QGemm": _gemm,
}
