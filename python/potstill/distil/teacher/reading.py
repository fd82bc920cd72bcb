"""Teachers of taggers: their tokenizer with the marks of a word's beginning that the tagger's words have in a text.

A tagger's words are cut one by one. Where they are characters, XLM-R and its kin put a mark before each. Few have a
piece together with the mark, so multilingual-e5 took 1.86 tokens a character of Chinese newspaper text, every second
one the mark alone: half of a text of `data.max_tokens`, at twice the time. Without the mark it takes 1.00, and reads
pieces as they stand inside of its own texts.

RoBERTa and its kin put none before words that stand between spaces: all would read like beginnings of texts, in pieces
that they hardly saw.
"""

from __future__ import annotations

import json
from typing import Any

from potstill.distil.vocabulary.prune.loading import load_pruned
from potstill.errors import TrainError


def reading_units(tokenizer: Any, units: str) -> Any:
    """The tokenizer with marks before words, and without before characters.

    Itself where it already is so, has no such marks, or its class insists on what it does.

    Args:
        tokenizer: of transformers.
        units: of words, what they are (`Splits.units`).
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or units not in ("words", "characters"):
        return tokenizer
    content = json.loads(backend.to_str())
    if not _marked(content.get("pre_tokenizer") or {}, units):
        return tokenizer
    content["truncation"] = content["padding"] = None  # they belong to a call
    try:
        return load_pruned(tokenizer, content, str(getattr(tokenizer, "name_or_path", "")))
    except TrainError:
        return tokenizer


def _marked(pre_tokenizer: dict[str, Any], units: str) -> bool:
    """Change the part of a ``tokenizer.json`` in place; whether there was something to change."""
    parts = pre_tokenizer.get("pretokenizers") or [pre_tokenizer]
    wanted = {"Metaspace": {"prepend_scheme": "never"}, "ByteLevel": {"add_prefix_space": False}}
    if units == "words":
        parts, wanted = parts[:1], {"ByteLevel": {"add_prefix_space": True}}  # further ones see parts of words
    changes = [(part, wanted[part["type"]]) for part in parts if part.get("type") in wanted]
    changed = [part.update(change) for part, change in changes if part | change != part]
    return bool(changed)
