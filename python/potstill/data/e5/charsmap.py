"""A table of characters as Hugging Face's `Precompiled` normalizer holds it.

A u32 with the size of a trie, the trie, and the replacements, each with a NUL behind. The trie is a double array over
UTF-8 bytes, of u32 units: a node's children lie at `base ^ byte`, and at `base` itself lies, for a node that ends a
character, the place of its replacement.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

# Of a unit: bits 0-7 are the byte that leads to it, bit 8 says that a replacement is at its base, the upper 22 bits
# with bit 9 clear are its own place ^ base.
_ENDS, _OFFSET = 1 << 8, 10
_VALUE = 1 << 31  # marks a unit that holds the place of a replacement
# Any byte may be tried at any base, so blocks of 256 units are whole.
_BLOCK = 256


def precompiled(table: Mapping[str, str]) -> str:
    """The charsmap of a table, in base64 as `tokenizer.json` has it.

    Args:
        table: what replaces each text (a character, mostly); "" deletes it.
    """
    places: dict[str, int] = {}
    texts = bytearray()
    for text in table.values():
        if text not in places:
            places[text] = len(texts)
            texts += text.encode() + b"\0"
    root = _Node()
    for text, replacement in table.items():
        node = root
        for byte in text.encode():
            node = node.children.setdefault(byte, _Node())
        node.value = places[replacement]
    units = _Units().filled(root)
    trie = struct.pack(f"<{len(units)}I", *units)
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + bytes(texts)).decode("ascii")


@dataclass
class _Node:
    children: dict[int, _Node] = field(default_factory=dict)
    value: int | None = None


class _Units:
    """The double array in the making."""

    def __init__(self) -> None:
        self._units: dict[int, int] = {0: 0}  # 0 is the root
        self._bases: set[int] = set()
        self._leaves: dict[int, int] = {}
        self._first_free = 1

    def filled(self, root: _Node) -> list[int]:
        """The units of a whole trie."""
        self._place(root, 0, 0)
        size = -(-(max(self._units) + 1) // _BLOCK) * _BLOCK
        return [self._units.get(place, 0) for place in range(size)]

    def _place(self, node: _Node, at: int, byte: int) -> None:
        """Write the unit of a node that lies at `at`, and all under it."""
        base = self._base(node)
        self._units[at] = (at ^ base) << _OFFSET | byte | (_ENDS if node.value is not None else 0)
        if node.value is not None:
            self._units[base] = node.value | _VALUE
        # All places are taken before a grandchild looks for its own.
        for label in node.children:
            self._units[base ^ label] = 0
        for label, child in node.children.items():
            self._place(child, base ^ label, label)

    def _base(self, node: _Node) -> int:
        """The first base that no node has, and under which all places are free."""
        if not node.children and node.value in self._leaves:
            return self._leaves[node.value]  # nodes that end alike are one
        labels = [*node.children, *([0] if node.value is not None else [])]
        while self._first_free in self._units:
            self._first_free += 1
        free = (place for place in count(self._first_free) if place not in self._units)
        bases = (place ^ labels[0] for place in free)
        base = next(b for b in bases if b not in self._bases and not any(b ^ label in self._units for label in labels))
        self._bases.add(base)
        if not node.children and node.value is not None:
            self._leaves[node.value] = base
        return base
