"""The parts of a BERT-shaped encoder by role, whatever its family calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Layer:
    """One transformer layer: five linear maps, the two output maps' and the layer norms."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_out: nn.Linear
    attention_norm: nn.LayerNorm
    up: nn.Linear
    down: nn.Linear
    norm: nn.LayerNorm
    heads: int


@dataclass
class Embeddings:
    """What of it is summed before the first layer norm, and that.

    Attributes:
        words: ``[ids, hidden]``.
        positions: ``[positions, hidden]``, the first text's first token at 0.
        types: ``[2, hidden]`` of the first and the second text of a pair; alike in families that do not tell them
            apart.
        norm: the layer norm.
    """

    words: torch.Tensor
    positions: torch.Tensor
    types: torch.Tensor
    norm: nn.LayerNorm


@dataclass
class Encoder:
    """A BERT-shaped encoder by role; ``module`` is the Hugging Face model."""

    module: Any
    embeddings: Embeddings
    layers: list[Layer]
    hidden: int
