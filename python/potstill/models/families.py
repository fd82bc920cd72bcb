"""What kinds of teachers there are: which class of transformers is their encoder, and which token knows the text."""

from __future__ import annotations

from typing import Any

from transformers import AutoModel, AutoModelForTextEncoding
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES,
)

# Can write text, but every token sees the whole of it.
_SEE_ALL = ("bert-generation", "xlnet")


def encoder_kind(config: Any) -> Any:
    """The Auto class that gives the encoder alone: of T5's kind not the decoder too."""
    return AutoModelForTextEncoding if has_decoder(config) else AutoModel


def has_decoder(config: Any) -> bool:
    """Whether a configuration is that of an encoder and a decoder.

    That of a saved `T5EncoderModel` says that it is none; what it loads into without being asked is both.
    """
    name = MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES.get(config.model_type, "")
    return bool(getattr(config, "is_encoder_decoder", False)) or name.endswith("EncoderModel")


def encodes_text(config: Any) -> bool:
    """Whether the encoder of a model with a decoder can be had by itself."""
    return config.model_type in MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES


def reads_forward(config: Any) -> bool:
    """Whether a token sees those before it only, as in GPT-2 and Llama: the last one alone knows the whole text."""
    kind = config.model_type
    if kind in _SEE_ALL or getattr(config, "use_bidirectional_attention", False):
        return False
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def usual_pooling(config: Any) -> str:
    """The pooling of an encoder that says nothing of its own."""
    return "lasttoken" if reads_forward(config) else "mean"
