"""How many tokens an encoder has positions for, and how many its student gets."""

from __future__ import annotations

from typing import Any

from torch import nn

# BERT's own. A table of so many costs little, and the limit of the file can be raised to it without new training.
USUAL = 512


def encoder_module(classifier: nn.Module) -> Any:
    """The Hugging Face encoder inside a classifier (`potstill.models.classifier.load_classifier`)."""
    body: Any = getattr(classifier, "backbone", None)
    if body is not None:
        return body
    whole: Any = getattr(classifier, "body", classifier)
    return whole.base_model


def usable_positions(encoder: Any) -> int | None:
    """Tokens of the longest text that an encoder takes; None where it has no limit.

    RoBERTa and MPNet number positions from behind the padding id: their table has that many rows more.
    """
    stated = getattr(encoder.config, "max_position_embeddings", None)
    if not isinstance(stated, int) or stated < 1:
        return None
    tables = (m for name, m in encoder.named_modules() if name.endswith("position_embeddings"))
    table = next((m for m in tables if isinstance(m, nn.Embedding)), None)
    if table is None or table.padding_idx is None:
        return stated
    return stated - table.padding_idx - 1


def positions(encoder: Any, longest: int | None) -> int:
    """Positions of a student: its teacher's, but of a teacher for long contexts 512, or more if the recipe needs more.

    Args:
        encoder: the teacher's.
        longest: tokens of the longest text that the student is made for; None where it is not known.
    """
    theirs = usable_positions(encoder)
    if theirs is None:
        return max(USUAL, longest or 0)
    return theirs if longest is None else min(theirs, max(USUAL, longest))
