"""The core beside Hugging Face `tokenizers`: texts of which ids or places differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from potstill.compile.tokenizers import tables_from_json
from toolchains.tokenizers.native import native


def both(content: dict[str, Any]) -> tuple[Any, Any]:
    """The oracle and the core's tokenizer for one tokenizer.json.

    The core's is made of what the oracle has read, as the compiler does it: of a score of 17 digits `tokenizers` reads
    the last bit wrong at times, and sums of scores that should be equal differ.
    """
    from tokenizers import Tokenizer

    oracle = Tokenizer.from_str(json.dumps(content))
    return oracle, native(tables_from_json(json.loads(oracle.to_str()), where="test"))


def differences(content: dict[str, Any], texts: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """`different` of the two tokenizers of a tokenizer.json."""
    return different(*both(content), texts)


def different(oracle: Any, ours: Any, texts: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """(text, the core's, expected) of the texts where ids, with special tokens, or ids and places without, differ."""
    found: list[tuple[str, Any, Any]] = []
    expected = oracle.encode_batch(list(texts))
    bare = oracle.encode_batch(list(texts), add_special_tokens=False)
    for text, whole, plain in zip(texts, expected, bare, strict=True):
        if (ids := ours.encode(text)) != whole.ids:
            found.append((ascii(text), ids, whole.ids))
        elif (placed := ours.encode_with_offsets(text)) != (plain.ids, plain.offsets):
            found.append((ascii(text), placed, (plain.ids, plain.offsets)))
    return found
