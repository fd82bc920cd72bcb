"""How a tokenizer cuts texts: tokens a word, and what it does not know of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potstill.data.languages import plain, script_of, without_spaces
from potstill.models.byte_level import is_byte_level, text_of

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


@dataclass(frozen=True)
class TokenCounts:
    """Counts of one text, special tokens left out.

    Attributes:
        words: what stands between white space; of rows given as words, these.
        characters: without white space.
        tokens: all of them.
        unknown: unknown tokens.
        bytes: tokens that are a byte, or several that make no character: how a tokenizer writes what it has no piece
            for.
        lost: characters that unknown tokens stand for, and letters that no token stands for.
        example: the first of these, or of what bytes stand for; empty without.
        letters: by script, how many letters.
        read: by script, how many tokens stand for letters of it.
        strange: by script, how many of its letters are unknown, bytes, or left out.
    """

    words: int
    characters: int
    tokens: int
    unknown: int = 0
    bytes: int = 0
    lost: int = 0
    example: str = ""
    letters: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)


def count_tokens(tokenizer: Any, texts: Sequence[str | Sequence[str]]) -> list[TokenCounts]:
    """The counts of each text, without a limit; words are read one after another.

    Args:
        tokenizer: of transformers; of one that is not written in Rust only tokens and unknown ones are counted, for it
            does not tell where a token stands.
        texts: texts, or lists of words.
    """
    if not texts:
        return []
    read = [plain(text) for text in texts]
    placed = bool(getattr(tokenizer, "is_fast", False))
    found = tokenizer(
        read, add_special_tokens=False, truncation=False, return_offsets_mapping=placed, verbose=False
    )  # fmt: skip
    places = found["offset_mapping"] if placed else [[(0, 0)] * len(ids) for ids in found["input_ids"]]
    pieces = KnownPieces(tokenizer)
    return [
        _count(text, len(given) if not isinstance(given, str) else len(text.split()), ids, offsets, pieces)
        for given, text, ids, offsets in zip(texts, read, found["input_ids"], places, strict=True)
    ]


def summary(counts: Sequence[TokenCounts], *, characters: bool) -> dict[str, float]:
    """What the counts of many texts say of a tokenizer.

    Args:
        counts: of the texts.
        characters: tokens are counted by characters instead of words.

    Returns:
        ``tokens_per_character`` or ``tokens_per_word``; ``unknown`` and ``bytes``, shares (0-1) of the tokens.
    """
    tokens = sum(row.tokens for row in counts)
    units = sum(row.characters if characters else row.words for row in counts)
    return {
        f"tokens_per_{'character' if characters else 'word'}": tokens / max(1, units),
        "unknown": sum(row.unknown for row in counts) / max(1, tokens),
        "bytes": sum(row.bytes for row in counts) / max(1, tokens),
    }


def by_characters(texts: Sequence[str | Sequence[str]]) -> bool:
    """Whether most letters of texts are of scripts without spaces, where words are not to be counted."""
    return without_spaces("".join(plain(text) for text in texts))


def _count(
    text: str, words: int, ids: Sequence[int], offsets: Sequence[tuple[int, int]], pieces: KnownPieces
) -> TokenCounts:
    unknown = spelt = lost = 0
    example = ""
    read: Counter[str] = Counter()
    strange: set[int] = set()
    for token, (start, end) in zip(ids, offsets, strict=True):
        is_unknown, is_bytes = token == pieces.unknown, pieces.is_bytes(token)
        unknown, spelt = unknown + is_unknown, spelt + is_bytes
        read[next(filter(None, map(script_of, text[start:end])), "")] += 1
        if is_unknown or is_bytes:
            lost += is_unknown * (end - start)
            strange.update(range(start, end))
            example = example or text[start:end][:40]
    if not ids or any(end for _, end in offsets):
        # What a tokenizer without an unknown token leaves out.
        dropped = set(range(len(text))).difference(*(range(start, end) for start, end in offsets))
        dropped = {place for place in dropped if script_of(text[place])}
        strange |= dropped
        lost += len(dropped)
        example = example or (text[min(dropped)] if dropped else "")
    letters, unread = (Counter(filter(None, map(script_of, given))) for given in (text, (text[at] for at in strange)))
    return TokenCounts(
        words,
        sum(not mark.isspace() for mark in text),
        len(ids),
        unknown=unknown,
        bytes=spelt,
        lost=lost,
        example=example,
        letters=letters,
        read=read,
        strange=unread,
    )


class KnownPieces:
    """What is known of a tokenizer's tokens."""

    def __init__(self, tokenizer: Any) -> None:
        self.unknown = tokenizer.unk_token_id
        self._tokenizer = tokenizer
        self._byte_level = _is_byte_level(tokenizer)
        self._known: dict[int, bool] = {}

    def unspelt_ids(self) -> np.ndarray:
        """Ids that stand for text without a piece of its own, sorted int64: the unknown token, bytes, and bytes that
        make no character.
        """
        found = {index for piece, index in self._tokenizer.get_vocab().items() if self._spells_bytes(piece)}
        return np.array(sorted(found | ({self.unknown} - {None})), dtype=np.int64)

    def is_bytes(self, token: int) -> bool:
        """Whether it is a byte, or bytes that make no character."""
        if token not in self._known:
            self._known[token] = self._spells_bytes(str(self._tokenizer.convert_ids_to_tokens(token)))
        return self._known[token]

    def _spells_bytes(self, piece: str) -> bool:
        return text_of(piece) is None if self._byte_level else _BYTE.fullmatch(piece) is not None


def _is_byte_level(tokenizer: Any) -> bool:
    """Whether its pieces are bytes, written as letters."""
    if not getattr(tokenizer, "is_fast", False):
        return False
    return is_byte_level(json.loads(tokenizer.backend_tokenizer.to_str()))
