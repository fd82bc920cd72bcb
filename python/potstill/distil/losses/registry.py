"""Losses by name, and their weighted sum. To add one: a function of `Outputs` in a module here, a line in LOSSES."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from potstill.distil.losses.logits import hard, hard_binary, soft, soft_binary
from potstill.distil.losses.minilm import relations
from potstill.distil.losses.outputs import Loss, Outputs
from potstill.distil.losses.pooled import pooled_cosine, pooled_mse
from potstill.distil.losses.tinybert import attention, embedding, hidden
from potstill.errors import TrainError

# Those that compare token by token: student and teacher must cut a text into the same number of tokens.
TOKEN_LOSSES: dict[str, Loss] = {
    "embedding": embedding,
    "hidden": hidden,
    "attention": attention,
    "relations": relations,
}
# Those that read pooled vectors.
POOLED_LOSSES: dict[str, Loss] = {"pooled_cosine": pooled_cosine, "pooled_mse": pooled_mse}
LOSSES: dict[str, Loss] = {
    "hard": hard,
    "soft": soft,
    "hard_binary": hard_binary,
    "soft_binary": soft_binary,
    **POOLED_LOSSES,
    **TOKEN_LOSSES,
}


def total(outputs: Outputs, weights: Mapping[str, float]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The weighted sum of losses, averaged over the rows of the batch.

    A row without a label has no hard loss; its soft loss has the same weight as any other row's.

    Args:
        outputs: what the losses see.
        weights: loss name to weight; losses of weight 0 are not computed.

    Returns:
        The scalar loss, and each loss's own mean (before its weight) for the log.

    Raises:
        TrainError: unknown loss; a loss lacks its teacher outputs.
    """
    value = outputs.student_logits.new_zeros(())
    parts: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name not in LOSSES:
            raise TrainError("T020", f"unknown loss {name!r}", "the loss weights", f"use one of {', '.join(LOSSES)}")
        if weight == 0:
            continue
        mean = LOSSES[name](outputs).mean()
        value = value + weight * mean
        parts[name] = mean.detach()
    return value, parts
