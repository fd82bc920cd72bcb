"""Differential tests of tokenizers: the core beside Hugging Face `tokenizers`, ids and places, any text."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from bert import SPECIAL
from native_tokenizer import native
from potstill.compile.tokenizers import tables_from_json


def both(content: dict[str, Any]) -> tuple[Any, Any]:
    """The oracle and the core's tokenizer for one tokenizer.json."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(content)), native(
        tables_from_json(content, where="test", pad_token=pad(content))
    )


def pad(content: dict[str, Any]) -> str | None:
    """A token to pad with: of a model without an unknown token the first added one."""
    unknown = content["model"].get("unk_token", content["model"].get("unk_id"))
    added = [token["content"] for token in content.get("added_tokens") or []]
    return added[0] if unknown is None and added else None


def differences(content: dict[str, Any], texts: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """(text, the core's, expected) of the texts where ids, with special tokens, or ids and places without, differ."""
    oracle, ours = both(content)
    found: list[tuple[str, Any, Any]] = []
    expected = oracle.encode_batch(list(texts))
    bare = oracle.encode_batch(list(texts), add_special_tokens=False)
    for text, whole, plain in zip(texts, expected, bare, strict=True):
        if (ids := ours.encode(text)) != whole.ids:
            found.append((ascii(text), ids, whole.ids))
        elif (placed := ours.encode_with_offsets(text)) != (plain.ids, plain.offsets):
            found.append((ascii(text), placed, (plain.ids, plain.offsets)))
    return found


_NON_STARTERS = [p for p in range(0x110000) if unicodedata.combining(chr(p))]
_ODD = [0, 9, 10, 11, 12, 13, 0x85, 0xA0, 0xAD, 0x130, 0x345, 0x3A3, 0x1E9E, 0x2028, 0x200B, 0x200D, 0x302E, 0x3000]
_ODD += [0xFEFF, 0xFFFD, 0x1D165, 0x1D166, 0xE0001]
_SNIPPETS = [*SPECIAL, "[cls]", "[CLS", "[[SEP]]", " [MASK] ", "[MASK][MASK]", "##ing", "the", "running", "CAFÉ", "  "]

_ALPHABETS: list[Callable[[random.Random], int]] = [
    lambda r: r.randrange(0x80),
    lambda r: r.randrange(0x370),
    lambda r: r.randrange(0x3400),
    lambda r: r.randrange(0x4E00, 0xA000),
    lambda r: r.randrange(0xAC00, 0xD7A4),
    lambda r: r.randrange(0x1100, 0x1200),
    lambda r: r.randrange(0xE000, 0x10000),
    lambda r: r.randrange(0x10000, 0x20000),
    lambda r: r.randrange(0x1F000, 0x20000),
    lambda r: r.randrange(0x20000, 0x30000),
    lambda r: r.randrange(0xE0000, 0x110000),
    lambda r: r.randrange(0x110000),
    lambda r: r.choice(_NON_STARTERS),
    lambda r: r.choice(_ODD),
]


def random_text(r: random.Random) -> str:
    """Text over one to three alphabets or all of them, up to 150 characters, some with snippets that look special."""
    alphabets = r.sample(_ALPHABETS, r.choice([1, 1, 2, 3, len(_ALPHABETS)]))
    parts = []
    for _ in range(r.choice([1, 3, 8, 20, 60, 150])):
        if r.random() < 0.06:
            parts.append(r.choice(_SNIPPETS))
        point = r.choice(alphabets)(r)
        if not 0xD800 <= point < 0xE000:  # surrogates are no text
            parts.append(chr(point))
    return "".join(parts)
