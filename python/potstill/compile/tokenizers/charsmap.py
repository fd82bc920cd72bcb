"""SentencePiece's maps of characters, made by hand: what a Precompiled normalizer reads."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping


def charsmap(rules: Mapping[str, str]) -> bytes:
    """The map that replaces each key by its value: a double array over the keys' UTF-8, and the values behind it."""
    texts = bytearray()
    values = {}
    for key, value in rules.items():
        values[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    units = double_array(values)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + bytes(texts)


def precompiled(rules: Mapping[str, str]) -> dict[str, str]:
    """The normalizer as tokenizer.json has it."""
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(rules)).decode()}


def double_array(values: Mapping[bytes, int]) -> list[int]:
    """The units of a double array (of the form that Darts-clone writes) that gives each key, without NUL, its value."""
    children: dict[bytes, set[int]] = {b"": set()}
    for key in values:
        for i, byte in enumerate(key):
            children.setdefault(key[:i], set()).add(byte)
            children.setdefault(key[: i + 1], set())
    units = {0: 0}
    waiting, first = [(b"", 0)], 1
    while waiting:
        prefix, at = waiting.pop()
        labels = sorted(children[prefix]) + ([0] if prefix in values else [])
        while first in units:
            first += 1
        base = next(b for b in range(first, 1 << 21) if all(b ^ label not in units for label in labels))
        units[at] |= (base ^ at) << 10 | (prefix in values) << 8
        for label in labels:
            units[base ^ label] = label
        if prefix in values:
            units[base] = 1 << 31 | values[prefix]
        waiting += [(prefix + bytes([label]), base ^ label) for label in labels if label != 0]
    return [units.get(i, 0) for i in range(-(-(max(units) + 1) // 256) * 256)]
