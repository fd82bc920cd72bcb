"""The operators of the core (cpp/schema/still.fbs), one a file; README.md says how to add one."""

from __future__ import annotations

from potstill.compile.ir import Op
from potstill.compile.ops.attention import Attention
from potstill.compile.ops.embedding import Embedding
from potstill.compile.ops.layer_norm import LayerNorm
from potstill.compile.ops.linear import Linear
from potstill.compile.ops.normalize import Normalize
from potstill.compile.ops.pool import Pool

__all__ = ["OPS", "Attention", "Embedding", "LayerNorm", "Linear", "Normalize", "Pool"]

# In the order in which they are asked whether an expression is theirs.
OPS: tuple[type[Op], ...] = (Embedding, LayerNorm, Normalize, Attention, Pool, Linear)
