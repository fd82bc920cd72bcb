"""Word + position + token type 0, folded into one look-up: y[t] = word[id] + position[p].

While the graph is read at one short length, what is added to the word rows is a matrix [length, width] or a vector.
Each addend remembers the ONNX value it came from, so that the full position table can be computed later, at the
greatest length (positions.py).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.compile.expr import Const, Expr, Lookup, stem_of, weight_of
from potstill.compile.ir import Graph, Op
from potstill.still import core_math
from potstill.still.arrays import Array
from potstill.still.schema import fb
from potstill.still.schemes import quantize_rows

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.lower import Lowering
    from potstill.runtime.oplist import OpFacts
    from potstill.still.schemes import Scheme


@dataclass(frozen=True, eq=False)
class Embedding(Op):
    """word[id] + position[p] (+ types[token type]); word [vocabulary, width], position [max_tokens, width], f32.

    `types` [types, width] f32 or None: what is added to `position`, which holds token type 0; its row 0 is zero.
    """

    word: Array
    position: Array
    types: Array | None = None

    @property
    def width(self) -> int:
        return int(self.word.shape[1])

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        """Positions are added later."""
        if not isinstance(expr, Lookup):
            return None
        return EmbeddingSum(stem_of(expr.name, "embeddings"), weight_of(expr.table, expr), 1.0, ())

    def dtype(self, scheme: Scheme, name: str, *, head: bool) -> str:
        return scheme.embedding

    def lower(self, to: Lowering, name: str) -> Any:
        body, dtype = fb.EmbeddingT(), to.dtype(self)
        if dtype == "f32":
            body.wordT = to.tensor(f"{name}.word", "f32", self.word)
        else:
            int4, importance = dtype == "i4", embedding_importance(to.norm_behind.get(id(self)))
            q, scale = to.int4(self.word, importance) if int4 else quantize_rows(self.word, to.scheme.clip)
            body.wordT = to.tensor(f"{name}.word", dtype, q, "row_major_i4" if int4 else "row_major")
            body.wordScaleT = to.tensor(f"{name}.word_scale", "f32", scale)
        body.positionT = to.tensor(f"{name}.position", "f32", self.position)
        if self.types is not None:
            body.typeT = to.tensor(f"{name}.type", "f32", self.types)
        return body

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        position, scale = run.weights[body.positionT][: len(run.ids)], run.weights.get(body.wordScaleT)
        word = run.weights[body.wordT][run.ids].astype(np.float32)
        rows = word + position if scale is None else core_math.fma(word, scale[run.ids][:, None], position)
        added = run.weights.get(body.typeT)
        return rows if added is None else rows + added[run.types]

    def facts(self, base: OpFacts) -> OpFacts:
        return base._replace(inputs=int(self.word.shape[0]))


def reads_pairs(graph: Graph) -> bool:
    """Whether the texts of a pair are told apart, by their token types."""
    return any(isinstance(op, Embedding) and op.types is not None for op in graph.ordered())


def embedding_importance(norm: Any) -> Array | None:
    """[width]: what counts of the error of each column before this layer norm. None: not known."""
    return None if norm is None else np.asarray(norm.gamma.astype(np.float64) ** 2)


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

    def plus(self, const: Const, sign: float) -> EmbeddingSum:
        return replace(self, addends=(*self.addends, Addend(const, sign)))

    def times(self, factor: Array) -> EmbeddingSum | None:
        if factor.ndim:
            return None
        addends = tuple(Addend(a.const, a.factor * float(factor)) for a in self.addends)
        return replace(self, factor=self.factor * float(factor), addends=addends)

    def word(self) -> Array:
        """The table as stored, [vocabulary, width] f32."""
        if self.factor == 1.0:
            return self.table
        return (self.table.astype(np.float64) * self.factor).astype(np.float32)
