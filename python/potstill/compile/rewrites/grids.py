"""Integers of a quantized graph as the numbers that they stand for: which values are, and on which grid they were."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from potstill.compile.load import Node
from potstill.compile.rewrites.writer import NotWritten, Writer
from potstill.still.arrays import Array

# Operators that only lay out or choose: what goes in comes out, in another order.
LAYOUT = frozenset(
    {"Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
     "Unsqueeze"}
)  # fmt: skip
_NEVER_NEGATIVE = frozenset({"Abs", "Exp", "QLinearSoftmax", "Relu", "Sigmoid", "Softmax"})


@dataclass(frozen=True)
class Grid:
    """A value x was kept as round(x / scale) + zero."""

    scale: Array
    zero: Array

    def same(self, other: Grid) -> bool:
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zero, other.zero)


@dataclass
class Grids:
    """What is known while the nodes are gone through in order.

    `on` has the values that were integers and are the numbers themselves now, `sums` the results of integer products,
    which are no integers any more; `makers` what made a value. `picked` are rows of a table of integers: how they were
    chosen. `removed` counts the roundings that were left out.
    """

    on: dict[str, Grid] = field(default_factory=dict)
    sums: set[str] = field(default_factory=set)
    picked: dict[str, Node] = field(default_factory=dict)
    makers: dict[str, Node] = field(default_factory=dict)
    removed: int = 0

    def number(self, w: Writer, name: str, scale: str, zero: str) -> str:
        """The f32 value that the integers `name` stand for, read with this scale and zero point."""
        if name in w.constants:
            return w.dequantized(name, scale, zero)
        if name in self.picked:
            gather = self.picked[name]
            if w.stored(scale, "the scale").size != 1:
                raise NotWritten("a table of token rows with several scales")
            table = w.dequantized(gather.inputs[0], scale, zero)
            return w.op("Gather", table, gather.inputs[1], axis=int(gather.attributes.get("axis", 0)))
        if name not in self.on:
            raise NotWritten("integers that come from nowhere it knows")
        if not self.on[name].same(_grid(w.constants, scale, zero)):
            raise NotWritten("integers that are read on another grid than they were written on")
        return name

    def settle(self, w: Writer, value: str, scale: str, zero: str, lowest: int = 0) -> None:
        """`value` is the node's output, without the rounding to this grid.

        A grid that begins (or ends) at 0 cuts off what is below (above): quantizers leave out the ReLU before it.

        Args:
            lowest: of the integers, when there is no zero point whose type tells.
        """
        grid = _grid(w.constants, scale, zero)
        first, last = _range(w.constants, zero, lowest)
        if np.all(grid.zero == first) and not self._never_negative(w.node):
            value = w.op("Relu", value)
        elif np.all(grid.zero == last):
            value = w.op("Neg", w.op("Relu", w.op("Neg", value)))
        w.result(value)
        self.on[w.node.outputs[0]] = grid
        self.removed += 1

    def _never_negative(self, node: Node | None) -> bool:
        """Whether the node's result is 0 or more whatever goes in."""
        while node is not None and node.op not in _NEVER_NEGATIVE:
            if node.op == "Where":  # the guard behind a softmax: zeros, or the other
                node = self.makers.get(node.inputs[2])
            elif node.op in LAYOUT or node.op in ("QuantizeLinear", "DequantizeLinear"):
                node = self.makers.get(node.inputs[0])
            else:
                return False
        return node is not None


def _grid(constants: Mapping[str, Array], scale: str, zero: str) -> Grid:
    if scale not in constants or (zero and zero not in constants):
        raise NotWritten("a scale or zero point that is not stored in the file")
    whole = constants[zero] if zero else np.zeros((), np.int32)
    return Grid(*(np.asarray(value, np.float32).reshape(-1) for value in (constants[scale], whole)))


def _range(constants: Mapping[str, Array], zero: str, lowest: int) -> tuple[float, float]:
    """The lowest and highest integer of the zero point's type; of floats there is none."""
    if not zero:
        return lowest, lowest + 255
    kind = re.fullmatch(r"(u?)int(\d+)", constants[zero].dtype.name)
    if kind is None:
        return -math.inf, math.inf
    size = 1 << int(kind[2])
    return (0, size - 1) if kind[1] else (-size // 2, size // 2 - 1)
