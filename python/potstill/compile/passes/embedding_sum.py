"""Word + position + token type 0, folded into one look-up: y[t] = word[id] + position[p].

While the graph is read at one short length, what is added to the word rows is a matrix [length, width] or a vector.
Each addend remembers the ONNX value it came from, so that the full position table can be computed later, at the
greatest length (positions.py).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.expr import Const
from potstill.compile.ir import Op

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Addend:
    """factor * const: a matrix [length, width] of the ONNX value `const.name`, a vector, or a number."""

    const: Const
    factor: float


@dataclass(frozen=True, eq=False)
class EmbeddingSum(Op):
    """factor * table[id] + sum of addends; becomes an Embedding when the position table is known."""

    table: Array
    factor: float
    addends: tuple[Addend, ...]

    @property
    def width(self) -> int:
        return int(self.table.shape[1])

    @functools.cached_property
    def per_token(self) -> bool:
        return True

    def add(self, const: Const, factor: float) -> EmbeddingSum:
        return replace(self, addends=(*self.addends, Addend(const, factor)))

    def scaled(self, factor: float) -> EmbeddingSum:
        addends = tuple(Addend(a.const, a.factor * factor) for a in self.addends)
        return replace(self, factor=self.factor * factor, addends=addends)

    def word(self) -> Array:
        """The table as stored, [vocabulary, width] f32."""
        if self.factor == 1.0:
            return self.table
        return (self.table.astype(np.float64) * self.factor).astype(np.float32)
