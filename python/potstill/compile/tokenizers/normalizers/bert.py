"""BertNormalizer: cleaning, Chinese characters apart, accents, lower case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile

# The schema's fields and their names in a tokenizer.json.
_SWITCHES = {
    "lowercase": "lowercase",
    "stripAccents": "strip_accents",
    "cleanText": "clean_text",
    "handleChineseChars": "handle_chinese_chars",
}


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component."""
    given = dict(component)
    if given["strip_accents"] is None:  # follows lowercase, as in the original BERT
        given["strip_accents"] = given["lowercase"]
    return Step("BertNormalizer", {field: bool(given[name]) for field, name in _SWITCHES.items()})
