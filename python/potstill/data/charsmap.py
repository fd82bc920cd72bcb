"""SentencePiece's maps of characters, which the normalizer Precompiled reads: u32 size of a double array in bytes, its
units, u32, and texts that end with NUL; all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import count


def charsmap(rules: Mapping[str, str]) -> bytes:
    """The map that replaces each key (a character, mostly) by its value."""
    places: dict[str, int] = {}
    texts = bytearray()
    for value in rules.values():
        if value not in places:
            places[value] = len(texts)
            texts += value.encode() + b"\0"
    units = _double_array({key.encode(): places[value] for key, value in rules.items()})
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + bytes(texts)


def _double_array(values: Mapping[bytes, int]) -> list[int]:
    """The units of a double array (of the form that Darts-clone writes) that gives each key, without NUL, its value."""
    children: dict[bytes, set[int]] = {b"": set()}
    for key in values:
        for i, byte in enumerate(key):
            children.setdefault(key[:i], set()).add(byte)
            children.setdefault(key[: i + 1], set())
    units = {0: 0}
    # Nodes that end alike share a base; all others have their own, or one would see the keys of another.
    bases: set[int] = set()
    leaves: dict[int, int] = {}
    waiting, first = [(b"", 0)], 1
    while waiting:
        prefix, at = waiting.pop()
        value = values.get(prefix)
        base = leaves.get(value) if value is not None and not children[prefix] else None
        if base is None:
            labels = sorted(children[prefix]) + ([0] if value is not None else [])
            while first in units:
                first += 1
            free = (place ^ labels[0] for place in count(first) if place not in units)
            base = next(b for b in free if b not in bases and all(b ^ label not in units for label in labels))
            bases.add(base)
            units |= {base ^ label: label for label in labels}
            waiting += [(prefix + bytes([label]), base ^ label) for label in labels if label != 0]
            if value is not None:
                units[base] = 1 << 31 | value
                if not children[prefix]:
                    leaves[value] = base
        units[at] |= (base ^ at) << 10 | (value is not None) << 8
    return [units.get(i, 0) for i in range(-(-(max(units) + 1) // 256) * 256)]
