"""A tokenizer.json whose pieces are single characters: ids tell what a text became and where its words begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bert import SPECIAL
from wordpiece import wordpiece


def characters_json(alphabet: Iterable[str], pre_tokenizer: dict[str, Any] | None) -> dict[str, Any]:
    """WordPiece over the characters, alone and continuing ("##"); a word with any other is one [UNK]. No normalizer,
    nothing around a text, no added tokens.
    """
    chars = sorted(set(alphabet))
    content = wordpiece([*SPECIAL, *chars, *(f"##{char}" for char in chars)])
    content["model"]["max_input_chars_per_word"] = 1000
    return {**content, "added_tokens": [], "normalizer": None, "post_processor": None, "pre_tokenizer": pre_tokenizer}
