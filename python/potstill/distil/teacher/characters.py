"""Teachers of taggers of characters: their tokenizer without the mark of a word's beginning.

XLM-R's and its kin put a mark before each word, and a tagger's characters are its words. Few characters have a piece
together with the mark, so multilingual-e5 took 1.86 tokens a character of Chinese newspaper text, every second one the
mark alone: half of a text of `data.max_tokens`, at twice the time. Without the mark it takes 1.00, and reads pieces as
they stand inside of its own texts.
"""

from __future__ import annotations

import json
from typing import Any

from potstill.distil.vocabulary.prune.loading import load_pruned
from potstill.errors import TrainError


def reading_characters(tokenizer: Any) -> Any:
    """The tokenizer without marks before words; itself where it has none, or its class insists on them."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tokenizer
    content = json.loads(backend.to_str())
    if not _without_marks(content.get("pre_tokenizer") or {}):
        return tokenizer
    content["truncation"] = content["padding"] = None  # they belong to a call
    try:
        return load_pruned(tokenizer, content, str(getattr(tokenizer, "name_or_path", "")))
    except TrainError:
        return tokenizer


def _without_marks(pre_tokenizer: dict[str, Any]) -> bool:
    """Change the part of a ``tokenizer.json`` in place; whether there was something to change."""
    marking = [
        part
        for part in (pre_tokenizer, *(pre_tokenizer.get("pretokenizers") or ()))
        if part.get("type") == "Metaspace" and part.get("prepend_scheme") != "never"
    ]
    for part in marking:
        part["prepend_scheme"] = "never"
    return bool(marking)
