"""Tokenizers that write bytes as letters, as GPT-2's does, so that every text has its pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The byte of each letter: printable Latin-1 is itself, the others are U+0100 and on.
_ITSELF = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = (byte for byte in range(256) if byte not in _ITSELF)
_BYTES = {chr(byte): byte for byte in _ITSELF} | {chr(256 + place): byte for place, byte in enumerate(_OTHERS)}


def is_byte_level(content: Mapping[str, Any]) -> bool:
    """Whether a tokenizer's normalizer or pre-tokenizer, or a member of its sequence, writes bytes as letters.

    Args:
        content: of its ``tokenizer.json``.
    """
    return any(map(_writes_bytes, (content.get("normalizer"), content.get("pre_tokenizer"))))


def text_of(piece: str) -> str | None:
    """The text of a byte-level piece, None if it is no whole characters; an added token is written as it is."""
    if not all(letter in _BYTES for letter in piece):
        return piece
    try:
        return bytes(_BYTES[letter] for letter in piece).decode()
    except UnicodeDecodeError:
        return None


def _writes_bytes(part: Mapping[str, Any] | None) -> bool:
    if not part:
        return False
    members = [*(part.get("normalizers") or []), *(part.get("pretokenizers") or [])]
    return part.get("type") == "ByteLevel" or any(map(_writes_bytes, members))
