"""A tokenizer's pieces as the core keeps them: one text, where each begins, a hash table, and the added tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from potstill.compile.tokenizers.base import Added, TokenizerFile
from potstill.compile.tokenizers.slots import open_slots

# The limits of cpp/src/tokenizer/vocabulary.h and cpp/src/format/reader.h.
MAX_VOCABULARY = 1 << 24
MAX_ADDED_TOKENS = 1024


def added_tokens(file: TokenizerFile, vocabulary: Mapping[str, int]) -> tuple[dict[str, int], tuple[Added, ...]]:
    """Text to id of the added tokens, each one checked, and the tokens as the core has them.

    Raises:
        CompileError: one that the core would find elsewhere; too many.
    """
    listed = [token for token in file.content.get("added_tokens") or [] if token["content"] != ""]  # "": never matched
    ids: dict[str, int] = {}
    for token in listed:
        text, i = str(token["content"]), int(token["id"])
        if vocabulary.get(text, i) != i:
            file.refuse("C056", f"the added token {text!r} has id {i}, the vocabulary says {vocabulary[text]}")
        ids[text] = i
    if len(ids) > MAX_ADDED_TOKENS:
        file.refuse("C058", f"{len(ids)} added tokens, the core takes {MAX_ADDED_TOKENS}")
    strips = any(token["lstrip"] or token["rstrip"] for token in listed)
    spaced = next((text for text in ids if any(c.isspace() for c in text)), None)
    if strips and spaced is not None:
        file.refuse("C056", f"the added token {spaced!r} holds white space while another strips it")
    normalized = _normalized(file, [str(token["content"]) for token in listed if token["normalized"]])
    found = [
        Added(
            int(token["id"]), normalized.get(token["content"]), token["lstrip"], token["rstrip"], token["single_word"]
        )
        for token in listed
    ]
    return ids, tuple(sorted(found, key=lambda token: token.id))


def _normalized(file: TokenizerFile, tokens: Sequence[str]) -> dict[str, str]:
    """The tokens that are looked for behind the normalizers, as these leave them."""
    from tokenizers import Tokenizer

    # Of the tokenizer the normalizers alone: a vocabulary takes long to read.
    empty = {"type": "WordLevel", "vocab": {}, "unk_token": ""}
    parts: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": file.content.get("normalizer"),
        "model": empty,
    }
    normalizer = Tokenizer.from_str(json.dumps(parts)).normalizer if tokens else None
    found = {text: text if normalizer is None else normalizer.normalize_str(text) for text in tokens}
    texts: dict[str, str] = {}
    for text, left in found.items():
        if not left:
            file.refuse("C056", f"of the added token {text!r} normalization leaves nothing")
        if texts.setdefault(left, text) != text:  # `tokenizers` finds one of them, which one changes from load to load
            file.refuse("C056", f"normalization makes the added tokens {texts[left]!r} and {text!r} the same")
    return found


def texts(file: TokenizerFile, pieces: Mapping[str, int]) -> tuple[bytes, list[int]]:
    """All pieces as one text in id order, and where each begins; an unused id is an empty piece."""
    by_id: dict[int, str] = {}
    for piece, i in pieces.items():
        if i < 0 or by_id.setdefault(i, piece) != piece:
            what = f"id {i} is given to {piece!r} and to {by_id.get(i)!r}"
            file.refuse("C057", what, "give each piece its own id")
    count = max(by_id, default=-1) + 1
    if count > MAX_VOCABULARY:
        file.refuse("C058", f"the highest id is {count - 1}, the core takes ids below {MAX_VOCABULARY}")
    if not by_id:
        file.refuse("C057", "the vocabulary is empty", "save the tokenizer again with its vocabulary")
    found = [by_id.get(i, "").encode() for i in range(count)]
    offsets = [0]
    for text in found:
        offsets.append(offsets[-1] + len(text))
    return b"".join(found), offsets


def fnv1a(text: bytes) -> int:
    """FNV-1a, 32 bits (Fowler, Noll, Vo): the hash of the core's vocabulary table."""
    state = 2166136261
    for byte in text:
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    return state


def hash_slots(pieces: Mapping[bytes, int]) -> list[int]:
    """The hash table of ids over the pieces, at most half full (see `open_slots`)."""
    return open_slots([fnv1a(piece) for piece in pieces], list(pieces.values()))
