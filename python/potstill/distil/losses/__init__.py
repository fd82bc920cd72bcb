"""Distillation losses, a file a family; README.md tells how to add one. Here they are found by name and summed.

Every loss returns one value a row, so that rows without a label, or of several processes, weigh alike.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

import torch

from potstill.distil.losses.base import Loss, LossInputs, TokenPairs
from potstill.errors import TrainError

__all__ = ["LOSSES", "POOLED_LOSSES", "TOKEN_LOSSES", "Loss", "LossInputs", "TokenPairs", "total"]

# By name: every `Loss` that stands in a module here.
LOSSES: dict[str, Loss] = {
    name: value
    for file in pkgutil.iter_modules(__path__)
    for name, value in vars(importlib.import_module(f"{__name__}.{file.name}")).items()
    if isinstance(value, Loss)
}
POOLED_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.reads == "pooled")
# Those that compare token by token: student and teacher must cut a text into the same number of tokens.
TOKEN_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.reads == "tokens")


def total(given: LossInputs, weights: Mapping[str, float]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The weighted sum of losses, averaged over the rows of the batch.

    A row without a label has no hard loss; its soft loss has the same weight as any other row's.

    Args:
        given: what the losses see.
        weights: loss name to weight; losses of weight 0 are not computed.

    Returns:
        The scalar loss, and each loss's own mean (before its weight) for the log.

    Raises:
        TrainError: unknown loss; a loss lacks its teacher outputs.
    """
    value = given.student_logits.new_zeros(())
    parts: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name not in LOSSES:
            raise TrainError("T020", f"unknown loss {name!r}", "the loss weights", f"use one of {', '.join(LOSSES)}")
        if weight == 0:
            continue
        mean = LOSSES[name](given).mean()
        value = value + weight * mean
        parts[name] = mean.detach()
    return value, parts
