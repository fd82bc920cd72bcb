"""A packed model in memory: exactly what a `.still` file holds. writer.py stores it, reader.py restores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.still import pack

Array = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "i8": np.dtype("i1"),
    "i4": np.dtype("u1"),  # bytes of two values
    "i32": np.dtype("<i4"),
    "u8": np.dtype("u1"),
}


def byte_view(data: Array) -> memoryview:
    """The bytes of a contiguous array, without a copy."""
    flat: Any = data.reshape(-1).view(np.uint8)
    return memoryview(flat)


@dataclass(frozen=True, eq=False)
class PackedTensor:
    """`data` is what lies in the section: contiguous, padded inside as `layout` asks, not to 64 bytes."""

    name: str
    dtype: str
    layout: str  # "row_major", "f32_n8", "i8_n4k16", "i4_n4k32", "i4_rows"
    shape: tuple[int, ...]
    data: Array

    @property
    def bytes(self) -> int:
        return int(self.data.nbytes)

    def logical(self) -> Array:
        """The values in their logical shape; int4 as int8."""
        if self.layout == "f32_n8":
            return pack.unpack_f32_n8(self.data, self.shape)
        if self.layout == "i8_n4k16":
            return pack.unpack_i8_n4k16(self.data, self.shape)
        if self.layout == "i4_n4k32":
            return pack.unpack_i4_n4k32(self.data, self.shape)
        if self.layout == "i4_rows":
            return pack.unpack_i4_rows(self.data, self.shape)
        return self.data.reshape(-1)[: int(np.prod(self.shape))].reshape(self.shape)


@dataclass(frozen=True)
class PackedValue:
    """An activation; `rows` is "tokens" or "sequences"."""

    name: str
    rows: str
    width: int


@dataclass(frozen=True)
class PackedOp:
    """`kind` is the table of still.fbs; `tensors` maps its *_t fields to indices, `settings` holds the rest."""

    name: str
    kind: str
    inputs: tuple[int, ...]
    output: int
    tensors: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WordPieceFields:
    """The tokenizer table; tensors by index."""

    tensors: Mapping[str, int]
    lowercase: bool
    strip_accents: bool
    clean_text: bool
    handle_chinese_chars: bool
    unk_id: int
    cls_id: int
    sep_id: int
    pad_id: int
    continuing_prefix: str
    max_chars_per_word: int
    added_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Metadata:
    name: str
    task: str
    scheme: str
    labels: tuple[str, ...]
    max_tokens: int
    producer: str
    license: str
    provenance: Mapping[str, str]
    multi_label: bool = False
    score: str = ""  # "raw" or "sigmoid": the one logit is a score, given as it is or as its sigmoid
    forbidden_ids: tuple[int, ...] = ()  # the model's answer is not right for texts with these


@dataclass(frozen=True)
class PackedModel:
    """All of a `.still` file."""

    metadata: Metadata
    tensors: tuple[PackedTensor, ...]
    values: tuple[PackedValue, ...]
    ops: tuple[PackedOp, ...]
    embedding_value: int
    logits_value: int
    tokenizer: WordPieceFields | None = None
