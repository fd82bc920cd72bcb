"""The BERT student: its configuration from the recipe, and the checks that it can exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import BertConfig

from potstill.errors import TrainError
from potstill.models.classifier import POOLINGS, EncoderClassifier, EncoderClassifierConfig, label_tables

if TYPE_CHECKING:
    from potstill.recipe.schema import Student


def build(settings: Student, teacher_config: Any, labels: list[str]) -> EncoderClassifier:
    """A BERT classifier with the recipe's sizes and the teacher's vocabulary, positions and activation.

    Args:
        settings: its sizes, and ``activation`` where it is not the teacher's.
        teacher_config: `inherited.inherited_config` of the teacher's encoder.
        labels: label names.

    Raises:
        TrainError: heads do not divide hidden; a size below 1; unknown pooling.
    """
    for name in ("layers", "hidden", "heads", "intermediate"):
        if getattr(settings, name) < 1:
            raise TrainError("T041", f"{name} is {getattr(settings, name)}", f"student.{name}", "use 1 or more")
    if settings.hidden % settings.heads:
        fitting = [n for n in range(1, settings.hidden + 1) if settings.hidden % n == 0]
        near = sorted(fitting, key=lambda n: abs(n - settings.heads))[:3]
        raise TrainError(
            "T040",
            f"{settings.heads} heads do not divide a hidden size of {settings.hidden}",
            "student.heads",
            f"use one of {', '.join(str(n) for n in sorted(near))}",
        )
    if settings.pooling not in POOLINGS:
        raise TrainError("T010", f"unknown pooling {settings.pooling!r}", "student.pooling", "use mean or cls")
    backbone = BertConfig(
        vocab_size=teacher_config.vocab_size,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.intermediate,
        # Dropout inside attention costs 5 % of a step; hidden dropout (0.1) stays.
        attention_probs_dropout_prob=0.0,
        hidden_act=settings.activation or teacher_config.hidden_act,
        max_position_embeddings=getattr(teacher_config, "max_position_embeddings", 512),
        # The first text and the second, whatever the teacher tells apart.
        type_vocab_size=2,
        layer_norm_eps=getattr(teacher_config, "layer_norm_eps", 1e-12),
        pad_token_id=getattr(teacher_config, "pad_token_id", 0),
    )
    config = EncoderClassifierConfig(
        backbone=backbone,
        pooling=settings.pooling,
        **label_tables(labels),
    )
    return EncoderClassifier(config)
