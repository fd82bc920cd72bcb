"""What a student inherits from its teacher's configuration, under all the names that transformers has for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers.activations import ACT2FN

from potstill.compile.activation import POINTS, kind_of
from potstill.models.positions import positions

# What configurations of transformers call it.
_ACTIVATION_KEYS = ("hidden_act", "activation", "activation_function", "hidden_activation", "ff_activation")


def activation_of(config: Any) -> str:
    """Name of the activation of an encoder's feed-forward part, as transformers calls it; GELU if it names none."""
    named = (getattr(config, key, None) for key in _ACTIVATION_KEYS)
    return next((str(name) for name in named if name), "gelu")


def core_activation(name: str) -> str | None:
    """The core's name of an activation of transformers; None if it has none such."""
    if name not in ACT2FN:
        return None
    with torch.no_grad():
        curve = ACT2FN[name](torch.from_numpy(POINTS))
    return kind_of(np.asarray(curve))


def inherited_activation(config: Any) -> str:
    """The teacher's activation, or GELU where the core has none such (SiLU, which gates in Llama's kind)."""
    name = activation_of(config)
    return "gelu" if core_activation(name) is None else name


def inherited_config(encoder: Any, pad_id: int, longest: int | None, vocabulary: int | None = None) -> SimpleNamespace:
    """What a student takes over from its teacher's configuration, for ``build`` of an architecture.

    Args:
        encoder: the teacher's.
        pad_id: the student's id of the padding token.
        longest: tokens of the longest text that the student is made for; None keeps the teacher's positions.
        vocabulary: number of the student's ids; None are the teacher's.
    """
    config = encoder.config
    return SimpleNamespace(
        vocab_size=config.vocab_size if vocabulary is None else vocabulary,
        max_position_embeddings=positions(encoder, longest),
        layer_norm_eps=getattr(config, "layer_norm_eps", 1e-12),
        pad_token_id=pad_id,
        hidden_act=inherited_activation(config),
    )
