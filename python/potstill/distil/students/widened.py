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
    weight = token_embeddings(teacher).weight
    middle = weight.mean(dim=0)
    more = [weight[torch.from_numpy(ids).to(weight.device)].mean(dim=0) if len(ids) else middle for ids in added]
    table = token_embeddings(found)  # it stays what it is: Gemma's, BART's and others' multiply what they look up
    table.weight = nn.Parameter(torch.cat([weight, *(row[None] for row in more)]), requires_grad=False)
    table.num_embeddings = len(table.weight)
    return found.eval()
