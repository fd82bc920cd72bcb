"""Mean and first-token pooling; a sum over tokens is only a mean when it is divided by their number."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from potstill.compile.ir import Op, Pool


@dataclass(frozen=True, eq=False)
class SumPool(Op):
    """factor * sum over tokens, until it is known whether that is their mean."""

    x: Op
    factor: float = 1.0

    @property
    def width(self) -> int:
        return self.x.width

    @functools.cached_property
    def per_token(self) -> bool:
        return False

    def inputs(self) -> tuple[Op, ...]:
        return (self.x,)

    def scaled(self, factor: float) -> SumPool:
        return replace(self, factor=self.factor * factor)


def as_mean(pool: SumPool, length: int) -> Pool | None:
    """The mean pooling that the scaled sum is at this length, or None."""
    if abs(pool.factor * length - 1.0) > 1e-5:
        return None
    return Pool(pool.name, pool.x, "mean")
