"""The operators of the core (cpp/schema/still.fbs), one a file; README.md says how to add one."""

from __future__ import annotations

import importlib
import re

from potstill.compile.ir import Op
from potstill.compile.ops.attention import Attention
from potstill.compile.ops.embedding import Embedding
from potstill.compile.ops.layer_norm import LayerNorm
from potstill.compile.ops.linear import Linear
from potstill.compile.ops.normalize import Normalize
from potstill.compile.ops.pool import Pool
from potstill.still.schema import fb

__all__ = ["OPS", "Attention", "Embedding", "LayerNorm", "Linear", "Normalize", "Pool"]


def _operator(table: str) -> type[Op]:
    """The class of this name, in the file of this name: `LayerNorm` in layer_norm.py."""
    file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", table).lower()
    found: type[Op] = getattr(importlib.import_module(f"potstill.compile.ops.{file}"), table)
    return found


# Of each table of the schema its operator, the later tables first: in that order they are asked whether an expression
# is theirs.
OPS = tuple(_operator(name) for name, number in reversed(vars(fb.OpBody).items()) if isinstance(number, int) and number)
