"""What a report and a check say of the texts: scripts, languages, and how tokenizers cut them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potstill.data.languages import languages, plain, scripts
from potstill.models.token_counts import by_characters, count_tokens, summary

# Rows looked at, evenly spread.
SAMPLE = 2000


def sample(column: Sequence[Any]) -> list[Any]:
    """At most 2,000 rows, evenly spread."""
    return list(column)[:: max(1, -(-len(column) // SAMPLE))]


def text_facts(column: Sequence[Any], tokenizers: Mapping[str, Any]) -> dict[str, Any]:
    """Of some of the texts.

    Args:
        column: texts, or lists of words.
        tokenizers: of transformers, by name.

    Returns:
        ``rows`` (looked at), ``scripts`` and ``languages`` (`potstill.data.languages`), ``tokens``: of each tokenizer
        what `summary` says.
    """
    rows = sample(column)
    texts = [plain(row) for row in rows]
    characters = by_characters(texts)
    return {
        "rows": len(rows),
        "scripts": scripts(texts),
        "languages": languages(texts),
        "tokens": {
            name: summary(count_tokens(tokenizer, rows), characters=characters)
            for name, tokenizer in tokenizers.items()
        },
    }


def tokens_told(figures: Mapping[str, float]) -> dict[str, str]:
    """What `summary` found, in words, by what it is: "tokens a word", "unknown" and "bytes"."""
    (name, each), *_ = figures.items()
    return {
        name.replace("_per_", " a "): f"{each:.2f}",
        **{key: f"{100 * figures[key]:.2f} %" for key in ("unknown", "bytes")},
    }
