"""Which implementation of attention a model runs with: the one wanted, or eager where its class lacks that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

Attention = Literal["eager", "sdpa"]
Made = TypeVar("Made")


def with_attention(make: Callable[[Attention], Made], wanted: Attention) -> Made:
    """What ``make(wanted)`` gives; ``make("eager")`` where transformers has no such attention for that class.

    MPNet, DeBERTa and XLNet have the eager one only.

    Args:
        make: builds or loads a model with the attention it is given.
        wanted: the implementation to try first.
    """
    try:
        return make(wanted)
    except ValueError as error:
        if wanted == "eager" or "scaled_dot_product_attention" not in str(error):
            raise
        return make("eager")
