"""Mean and first-token pooling; a sum over tokens is only a mean when it is divided by their number."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from potstill.compile.expr import Expr, Reduced
from potstill.compile.ir import Op
from potstill.still import core_math
from potstill.still.arrays import Array
from potstill.still.schema import fb, made, words

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.lower import Lowering


@dataclass(frozen=True, eq=False)
class _OfTokens(Op):
    """One row a text of rows of tokens."""

    x: Op

    @property
    def width(self) -> int:
        return self.x.width

    @functools.cached_property
    def per_token(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Pool(_OfTokens):
    """Kind `mean` over a text's tokens or `cls`, its first token."""

    kind: str

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        if not isinstance(expr, Reduced):
            return None
        x = fuser.op(expr.x)
        return SumPool("pool", x) if expr.kind == "sum" else cls("pool", x, "cls")

    def lower(self, to: Lowering, name: str) -> Any:
        return made(fb.PoolT, kind=words(fb.PoolKind)[self.kind])

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        if body.kind == fb.PoolKind.Cls:
            return inputs[0][:1]
        return core_math.mean_pool(inputs[0]) if run.exact else inputs[0].mean(axis=0, keepdims=True)


@dataclass(frozen=True, eq=False)
class SumPool(_OfTokens):
    """factor * sum over tokens, until it is known whether that is their mean."""

    factor: float = 1.0

    def times(self, factor: Array) -> SumPool | None:
        return None if factor.ndim else replace(self, factor=self.factor * float(factor))


def as_mean(pool: SumPool, length: int) -> Pool | None:
    """The mean pooling that the scaled sum is at this length, or None."""
    if abs(pool.factor * length - 1.0) > 1e-5:
        return None
    return Pool(pool.name, pool.x, "mean")
