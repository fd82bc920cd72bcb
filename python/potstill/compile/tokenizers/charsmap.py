"""SentencePiece's maps of characters, which the normalizer Precompiled reads: u32 size of a double array in bytes, its
units, u32, and texts that end with NUL; all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_MAX_TEXT = 255  # bytes, the limit of the core


def problem(data: bytes) -> str | None:
    """What the core would refuse of a map; None: nothing."""
    size = int.from_bytes(data[:4], "little") // 4 * 4
    texts = data[4 + size :]
    if not 4 <= size <= len(data) - 4:
        return "has no double array"
    try:
        texts.decode()
    except UnicodeDecodeError:
        return "has texts that are not UTF-8"
    longest = max(map(len, texts.split(b"\0")))
    return None if longest <= _MAX_TEXT else f"has a text of {longest} bytes, above {_MAX_TEXT}"


def charsmap(rules: Mapping[str, str]) -> bytes:
    """The map that replaces each key by its value: a double array over the keys' UTF-8, and the values behind it."""
    texts = bytearray()
    values = {}
    for key, value in rules.items():
        values[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    units = _double_array(values)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + bytes(texts)


def _double_array(values: Mapping[bytes, int]) -> list[int]:
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
