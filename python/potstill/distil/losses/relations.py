"""Self-attention relations. Wang et al.: MiniLMv2: Multi-Head Self-Attention Relation Distillation, 2021."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from potstill.distil.losses.base import LossInputs, TokenPairs, loss, need


@loss(reads="tokens")
def relations(given: LossInputs) -> torch.Tensor:
    """KL of the Q-Q, K-K and V-V relations of one layer, teacher to student, ``[batch]`` (equation 5).

    A relation is ``softmax(A A^T / sqrt(d))`` over real tokens, A the queries, keys or values cut anew into relation
    heads, d the width of such a head. The number of relation heads is free, so neither the widths nor the numbers of
    attention heads of student and teacher have to agree. Mean over relation heads and real tokens, sum of the three.
    """
    tokens: TokenPairs = need(given.tokens, "teacher_state")
    pairs = need(tokens.relations or None, "teacher_state")
    real = tokens.mask.float()
    value = given.student_logits.new_zeros(len(given.student_logits))
    for student, teacher in pairs:
        ours, theirs = (_relation(states, tokens.relation_heads, tokens.mask) for states in (student, teacher))
        kl = theirs.exp() * (theirs - ours)
        value = value + (kl.sum(-1).mean(1) * real).sum(1) / real.sum(1).clamp(min=1.0)
    return value


def _relation(states: torch.Tensor, heads: int, mask: torch.Tensor) -> torch.Tensor:
    """Log of the relation, ``[batch, heads, length, length]``; at padding keys finite, its exponential exactly 0."""
    batch, length, width = states.shape
    cut = states.reshape(batch, length, heads, width // heads).transpose(1, 2)
    scores = cut @ cut.transpose(-1, -2) / (width // heads) ** 0.5
    return F.log_softmax(scores.float().masked_fill(~mask[:, None, None, :], -1e4), dim=-1)
