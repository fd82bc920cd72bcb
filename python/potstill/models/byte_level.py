"""Tokenizers that write bytes as letters, as GPT-2's does, so that every text has its pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_byte_level(content: Mapping[str, Any]) -> bool:
    """Whether a tokenizer's normalizer or pre-tokenizer, or a member of its sequence, writes bytes as letters.

    Args:
        content: of its ``tokenizer.json``.
    """
    return any(map(_writes_bytes, (content.get("normalizer"), content.get("pre_tokenizer"))))


def byte_letters() -> dict[str, int]:
    """The byte of each letter of byte-level pieces: printable Latin-1 is itself, the others are U+0100 and on."""
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in itself]
    return {chr(byte): byte for byte in itself} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _writes_bytes(part: Mapping[str, Any] | None) -> bool:
    if not part:
        return False
    members = [*(part.get("normalizers") or []), *(part.get("pretokenizers") or [])]
    return part.get("type") == "ByteLevel" or any(map(_writes_bytes, members))
