"""Rounding with a scale found while running: without the rounding the scale is 1 and the zero point 0."""

from __future__ import annotations

import numpy as np

from potstill.compile.rewrites.grids import Grid, Grids
from potstill.compile.rewrites.writer import NotWritten, Writer


def _quantize(w: Writer, grids: Grids) -> None:
    """Outputs: the integers, their scale, their zero point."""
    value, scale, zero = w.node.outputs[:3]
    w.result(w.needed(0))
    w.keep(scale, 1.0)
    w.keep(zero, 0, np.uint8)
    grids.on[value] = Grid(np.ones(1, np.float32), np.zeros(1, np.float32))
    grids.removed += 1


def _product(w: Writer, grids: Grids) -> None:
    """(A - a zero) (B - b zero) in whole numbers; inputs: A, B and the zero points."""
    factors = []
    for index in range(2):
        name, zero = w.needed(index), w.input(index + 2)
        if name in w.constants or name not in grids.on:
            factors.append(grids.number(w, name, w.const(1.0), zero))
            continue
        grid = grids.on[name]
        factors.append(w.op("Div", name, w.const(grid.scale[0])) if np.any(grid.scale != 1.0) else name)
        if grid.scale.size != 1 or np.any(grid.zero != (w.constants[zero] if zero else 0)):
            raise NotWritten("integers that are read on another grid than they were written on")
    w.result(w.op("MatMul", *factors))
    grids.sums.add(w.node.outputs[0])


def _product_to_float(w: Writer, grids: Grids) -> None:
    """Inputs: A, B, their scales, their zero points, bias."""
    a = grids.number(w, w.needed(0), w.needed(2), w.input(4))
    b = grids.number(w, w.needed(1), w.needed(3), w.input(5))
    w.result(w.add(w.op("MatMul", a, b), w.input(6)))


def _float_product(w: Writer, grids: Grids) -> None:
    """Inputs: A in f32, B, its scale and zero point, bias."""
    b = grids.number(w, w.needed(1), w.needed(2), w.input(3))
    w.result(w.add(w.op("MatMul", w.needed(0), b), w.input(4)))
    grids.removed += 1


REWRITES = {
    "DynamicQuantizeLinear": _quantize,
    "MatMulInteger": _product,
    "MatMulIntegerToFloat": _product_to_float,
    "DynamicQuantizeMatMul": _float_product,
}
