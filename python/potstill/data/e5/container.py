"""The container `E5S1`: pieces and scores of a Unigram tokenizer, its table of characters, a BERT encoder in 4 bits.

Little-endian, nothing aligned but the tensors. Shapes of the tensors are not stored: `folder` knows them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from potstill.errors import DataError

MAGIC, VERSION = b"E5S1", 1
_F32, _Q4 = 0, 1
# Weights that share a scale, and their bytes: an f16 and 32 numbers of 4 bits.
_BLOCK, _BLOCK_BYTES = 32, 18


@dataclass(frozen=True)
class Container:
    """What the file holds.

    Attributes:
        hidden, layers, heads, intermediate, vocabulary, positions, types: sizes of the encoder; `vocabulary` counts
            rows of its token table, which has more than there are pieces.
        epsilon: of the layer norms.
        bos, eos, pad, unk: ids of the special pieces.
        pieces: text of each piece, by id.
        scores: log probability of each piece, ``[pieces]`` f32.
        characters: what replaces a character before texts are cut; "" deletes it. Others stay.
        tensors: kind and raw bytes by name; `tensor` gives numbers.
    """

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    unk: int
    pieces: list[str]
    scores: np.ndarray
    characters: dict[str, str]
    tensors: Mapping[str, tuple[int, bytes]] = field(repr=False)

    def tensor(self, name: str, *shape: int) -> np.ndarray:
        """The tensor of that name, f32.

        Raises:
            DataError: there is none, or it has another size.
        """
        kind, raw = self.tensors.get(name, (_F32, b""))
        values = from_q4(raw) if kind == _Q4 else np.frombuffer(raw, "<f4")
        if values.size != np.prod(shape):
            raise _damaged(f"the tensor {name} has {values.size:,} numbers, expected {np.prod(shape):,}")
        return values.reshape(shape)


def from_q4(raw: bytes) -> np.ndarray:
    """Weights of blocks of 32, flat f32: (q - 8) * scale, the low halves of a block's 16 bytes before the high ones."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = blocks[:, 2:]
    numbers = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32)
    return np.asarray((numbers - 8.0) * scale, np.float32).reshape(-1)


def read_container(raw: bytes) -> Container:
    """The content of a file.

    Raises:
        DataError: it is no such file, or it ends too early.
    """
    try:
        return _read(raw)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise _damaged(f"it cannot be read as what it should be: {error}") from error


def _read(raw: bytes) -> Container:
    cursor = _Cursor(raw)
    magic, version = cursor.take("4sI")
    hidden, layers, heads, intermediate, vocabulary, positions, types, epsilon, block = cursor.take("7ifi")
    if (magic, version, block) != (MAGIC, VERSION, _BLOCK):
        raise _damaged(f"it begins with {magic!r}, version {version}")
    count, bos, eos, pad, unk, length = cursor.take("5iQ")
    ends = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.bytes(length)
    pieces = [blob[begin:end].decode("utf-8") for begin, end in pairwise(ends)]
    characters = {}
    for _ in range(cursor.take("iI")[0]):
        point, replaced = cursor.take("IB")
        characters[chr(point)] = "".join(map(chr, cursor.array("<u4", replaced)))
    tensors = {}
    for _ in range(cursor.take("i")[0]):
        name = cursor.bytes(cursor.take("H")[0]).decode("ascii")
        kind, numbers, offset, size = cursor.take("BIQQ")
        if size != (numbers // _BLOCK * _BLOCK_BYTES if kind == _Q4 else numbers * 4) or offset + size > len(raw):
            raise _damaged(f"the tensor {name} lies outside of the file")
        tensors[name] = (kind, raw[offset : offset + size])
    return Container(
        hidden, layers, heads, intermediate, vocabulary, positions, types, epsilon,
        bos, eos, pad, unk, pieces, scores, characters, tensors,
    )  # fmt: skip


class _Cursor:
    """Reads from the front to the back."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Numbers of a `struct` layout."""
        found = struct.unpack_from(f"<{layout}", self._raw, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return found

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        found = self._raw[self._at : self._at + count]
        if len(found) != count:
            raise ValueError(f"{count:,} bytes wanted, {len(found):,} are left")
        self._at += count
        return found

    def array(self, kind: str, count: int) -> np.ndarray:
        """So many numbers of a dtype."""
        return np.frombuffer(self.bytes(count * np.dtype(kind).itemsize), kind)


def _damaged(why: str) -> DataError:
    return DataError("D021", f"the demo package's model is damaged: {why}", "E5S1", "run the command again")
