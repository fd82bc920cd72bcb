"""Evaluate a packed model in numpy: what the core computes, written as plainly as possible.

Integer parts (quantized rows and weights, int32 sums) are exact. Float parts come in two kinds:

* fast: numpy's own order of summation, exp and erf. About 1e-6 relative to the core in f32; in int8 a row value on a
  rounding edge may fall to the other side, which moved logits of random two-layer models by up to 4 %.
* exact: the core's order and polynomials (still/core_math.py). Equal to the core bit for bit, but for double roundings
  of emulated fma (about one in 2^29); some hundred times slower where dot products are f32.

What an operator computes is in its file in ops/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from potstill.compile.ops import OPS
from potstill.still.arrays import Array
from potstill.still.packed import PackedModel
from potstill.still.schema import fb, kind

_KINDS = {op.__name__: op for op in OPS}


@dataclass(frozen=True)
class Evaluation:
    """One text on its way through a model: its ids and token types [tokens], the weights by index."""

    ids: Array
    types: Array
    weights: Mapping[int, Array]
    exact: bool


@dataclass(frozen=True)
class Outputs:
    """For one text: logits [labels] and pooled embedding [width], f32; None when the model has no such output.

    Logits are [tokens, labels] where the model labels words.
    """

    logits: Array | None
    embedding: Array | None


class Evaluator:
    """Runs a packed model; weights are unpacked once.

    Args:
        exact: the core's own float arithmetic instead of numpy's.
    """

    def __init__(self, model: PackedModel, *, exact: bool = False) -> None:
        self.model = model
        self.exact = exact
        fields = (item for op in model.header.ops for item in vars(op.body).items())
        self._weights = {i: model.values(i) for field, i in fields if field.endswith("T") and i >= 0}

    def run(self, ids: Sequence[int], types: Sequence[int] | None = None) -> Outputs:
        """One text, or a pair of texts with its token types, given as token ids with the specials."""
        values: dict[int, Array] = {}
        kinds = np.zeros(len(ids), np.int64) if types is None else np.asarray(types)
        text = Evaluation(np.asarray(ids), kinds, self._weights, self.exact)
        with np.errstate(all="ignore"):  # overflow becomes infinity and NaN, as in the core
            for op in self.model.header.ops:
                inputs = [values[i] for i in op.inputs]
                values[op.output] = _KINDS[kind(op)].evaluate(op.body, inputs, text)

        def result(*, vector: bool) -> Array | None:
            index = self.model.result(vector=vector)
            if index is None:
                return None
            return values[index] if self.model.header.values[index].rows == fb.Rows.Tokens else values[index][0]

        return Outputs(result(vector=False), result(vector=True))
