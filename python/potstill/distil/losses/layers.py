"""Losses of every token and layer. Jiao et al.: TinyBERT: Distilling BERT for Natural Language Understanding, 2020.

The paper sums over layers; here the mean is taken, so that a weight means the same for students of any depth. All are
means over real tokens (or pairs of them) of a row: padding changes nothing, and long rows weigh as much as short ones.
"""

from __future__ import annotations

import torch

from potstill.distil.losses.base import LossInputs, Pair, TokenPairs, loss, need


@loss(reads="tokens")
def embedding(given: LossInputs) -> torch.Tensor:
    """Mean squared difference of the embedding outputs at the teacher's width, ``[batch]`` (equation 9)."""
    tokens = _tokens(given)
    return _token_mse(need(tokens.embedding, "teacher_state"), tokens.mask)


@loss(reads="tokens")
def hidden(given: LossInputs) -> torch.Tensor:
    """Mean squared difference of the mapped layers' outputs at the teacher's width, ``[batch]`` (equation 8)."""
    tokens = _tokens(given)
    pairs = need(tokens.hidden or None, "teacher_state")
    return torch.stack([_token_mse(pair, tokens.mask) for pair in pairs]).mean(0)


@loss(reads="tokens")
def attention(given: LossInputs) -> torch.Tensor:
    """Mean squared difference of the attention scores of the mapped layers, ``[batch]`` (equation 7).

    Scores before the softmax, as the paper found to converge faster, between real tokens. When student and teacher
    have different numbers of heads there is no head to compare a head with: the means over the heads are compared.
    """
    tokens = _tokens(given)
    pairs = need(tokens.attention or None, "teacher_state")
    real = (tokens.mask[:, None, :, None] & tokens.mask[:, None, None, :]).float()
    found = []
    for student, teacher in pairs:
        if student.shape[1] != teacher.shape[1]:
            student, teacher = student.mean(1, keepdim=True), teacher.mean(1, keepdim=True)
        squared = (student - teacher).square() * real
        found.append(squared.sum((1, 2, 3)) / (real.sum((1, 2, 3)) * student.shape[1]).clamp(min=1.0))
    return torch.stack(found).mean(0)


def _tokens(given: LossInputs) -> TokenPairs:
    return need(given.tokens, "teacher_state")


def _token_mse(pair: Pair, mask: torch.Tensor) -> torch.Tensor:
    """``[batch]``: the mean over a row's real tokens and over the width."""
    student, teacher = pair
    real = mask.float()
    return ((student - teacher).square().mean(-1) * real).sum(1) / real.sum(1).clamp(min=1.0)
