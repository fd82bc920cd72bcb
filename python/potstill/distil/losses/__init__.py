"""Distillation losses, a file a family: `logits`, `pooled`, `tinybert`, `minilm`; `registry` names and sums them.

Every loss returns one value a row, so that rows without a label, or of several processes, weigh alike.
"""

from __future__ import annotations

from potstill.distil.losses.logits import hard, hard_binary, soft, soft_binary
from potstill.distil.losses.minilm import relations
from potstill.distil.losses.outputs import Loss, Outputs, TokenPairs
from potstill.distil.losses.pooled import pooled_cosine, pooled_mse
from potstill.distil.losses.registry import LOSSES, POOLED_LOSSES, TOKEN_LOSSES, total
from potstill.distil.losses.tinybert import attention, embedding, hidden

__all__ = [
    "LOSSES",
    "POOLED_LOSSES",
    "TOKEN_LOSSES",
    "Loss",
    "Outputs",
    "TokenPairs",
    "attention",
    "embedding",
    "hard",
    "hard_binary",
    "hidden",
    "pooled_cosine",
    "pooled_mse",
    "relations",
    "soft",
    "soft_binary",
    "total",
]
