"""A model as a `.still` file holds it: the header as objects of the schema, and a section for each tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from potstill.still import pack
from potstill.still.arrays import Array
from potstill.still.schema import fb, kind, word

# What sections hold: int4 as bytes of two values.
DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "i8": np.dtype("i1"),
    "i4": np.dtype("u1"),
    "i32": np.dtype("<i4"),
    "u8": np.dtype("u1"),
}


def byte_view(data: Array) -> memoryview:
    """The bytes of a contiguous array, without a copy."""
    flat: Any = data.reshape(-1).view(np.uint8)
    return memoryview(flat)


@dataclass(frozen=True, eq=False)
class PackedModel:
    """All of a `.still` file.

    Attributes:
        header: `fb.ModelT`; of its tensors the offsets and checksums count in a file alone.
        sections: the contiguous data of each tensor, padded inside as its layout asks, not to 64 bytes.
    """

    header: Any
    sections: list[Array]

    def dtype(self, index: int) -> str:
        """ "f32", "i8", "i4", "i32" or "u8"."""
        return word(fb.DType, self.header.tensors[index].dtype)

    def layout(self, index: int) -> str:
        """The name of a tensor's layout: "row_major", "pack_i8n4k16", ..."""
        return word(fb.Layout, self.header.tensors[index].layout)

    def shape(self, index: int) -> tuple[int, ...]:
        """The logical shape of a tensor."""
        return tuple(map(int, self.header.tensors[index].shape))

    def values(self, index: int) -> Array:
        """A tensor's values in their logical shape; int4 as int8."""
        data, shape = self.sections[index], self.shape(index)
        unpack = pack.UNPACK.get(self.layout(index))
        return data.reshape(-1)[: int(np.prod(shape))].reshape(shape) if unpack is None else unpack(data, shape)

    def result(self, *, vector: bool) -> int | None:
        """The value that the head of vectors reads, or the one of logits; None without such a head."""
        return next((head.value for head in self.header.heads if (kind(head) == "Vector") == vector), None)
