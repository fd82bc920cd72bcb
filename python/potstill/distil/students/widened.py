"""A teacher with rows added to its token table, by which it reads the tokens of a student with another tokenizer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.models.positions import encoder_module


def token_embeddings(model: nn.Module) -> Any:
    """The token embeddings of a classifier (`load_classifier`), ``weight`` ``[pieces, width]``."""
    return encoder_module(model).get_input_embeddings()


@torch.no_grad()
def widened(teacher: nn.Module, added: Sequence[np.ndarray]) -> nn.Module:
    """The teacher, its other weights shared, with a row more for each of ``added``.

    Args:
        teacher: a classifier in eval mode.
        added: ids of which a row is the mean, ``[n]`` int64; without any it is the mean of all rows.
    """
    # Tensors in the memo are taken as they are: the copy has modules of its own, and the teacher's weights.
    shared = {id(tensor): tensor for tensor in [*teacher.parameters(), *teacher.buffers()]}
    found = copy.deepcopy(teacher, shared)
    old = token_embeddings(teacher)
    weight = old.weight
    middle = weight.mean(dim=0)
    more = [weight[torch.from_numpy(ids).to(weight.device)].mean(dim=0) if len(ids) else middle for ids in added]
    table = nn.Embedding(len(weight) + len(more), weight.shape[1], padding_idx=old.padding_idx, device="meta")
    table.weight = nn.Parameter(torch.cat([weight, torch.stack(more)]) if more else weight, requires_grad=False)
    encoder_module(found).set_input_embeddings(table)
    return found.eval()
