"""What a `.still` file lists of its weights, read without the file's weights, numpy or flatbuffers.

The header is a FlatBuffer (cpp/schema/still.fbs): a table starts with the distance to its vtable, which holds for each
field its place in the table, 0 for an absent one (FlatBuffers documentation, "Internals"). Fields are only ever
appended, so the numbers below hold for every version of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from potstill.errors import FormatError

_PREAMBLE, _ALIGNMENT = struct.Struct("<8sIIQQ"), 64  # magic, version, flags, bytes of the header, of the file
_MAGIC = b"\x89STILL\r\n"
_DTYPES = ("f32", "i8", "i4", "i32", "u8")
# Numbers of the fields read here.
_MODEL_TENSORS, _MODEL_OPS = 2, 4
_TENSOR_NAME, _TENSOR_DTYPE, _TENSOR_SHAPE, _TENSOR_SIZE = 0, 1, 3, 5
_OP_TYPE, _OP_BODY, _EMBEDDING, _EMBEDDING_WORD = 1, 2, 1, 0


@dataclass(frozen=True)
class Tensor:
    """A weight: its name, ``f32``, ``i8``, ``i4``, ``i32`` or ``u8``, logical shape and bytes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Header:
    """What the header lists.

    Attributes:
        tensors: the weights in the file's order.
        token_table: ``[vocabulary, width]`` of the token table; narrower than the model when it is factorized.
    """

    tensors: tuple[Tensor, ...]
    token_table: tuple[int, ...]


@dataclass(frozen=True)
class _Table:
    """A table of a FlatBuffer and where it starts."""

    data: bytes
    start: int

    def _number(self, kind: str, place: int) -> int:
        (value,) = struct.unpack_from("<" + kind, self.data, place)
        return int(value)

    def place(self, field: int) -> int:
        """Where a field is; 0: it is absent, and has its default."""
        vtable = self.start - self._number("i", self.start)
        entry = 4 + 2 * field
        offset = self._number("H", vtable + entry) if entry < self._number("H", vtable) else 0
        return self.start + offset if offset else 0

    def number(self, field: int, kind: str, default: int) -> int:
        """A scalar, `kind` as in `struct`."""
        place = self.place(field)
        return self._number(kind, place) if place else default

    def _target(self, place: int) -> int:
        return place + self._number("I", place)

    def table(self, field: int) -> _Table:
        """A table that is present."""
        return _Table(self.data, self._target(self.place(field)))

    def _vector(self, field: int) -> tuple[int, int]:
        start = self._target(self.place(field))
        return start + 4, self._number("I", start)

    def text(self, field: int) -> str:
        """A text that is present."""
        start, count = self._vector(field)
        return self.data[start : start + count].decode("utf-8")

    def numbers(self, field: int) -> tuple[int, ...]:
        """A vector of uint32 that is present."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}I", self.data, start)

    def tables(self, field: int) -> Iterator[_Table]:
        """A vector of tables that is present."""
        start, count = self._vector(field)
        return (_Table(self.data, self._target(start + 4 * index)) for index in range(count))


def read_header(path: Path) -> Header:
    """The weights that a file lists. Checksums and bounds are the core's to check: load the file first.

    Raises:
        FormatError: not a `.still` file; its header cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_ALIGNMENT)
        if len(start) < _ALIGNMENT or start[: len(_MAGIC)] != _MAGIC:
            raise FormatError(
                "F003", "this is not a .still file", str(path), "give the file that potstill compile wrote"
            )
        data = file.read(_PREAMBLE.unpack_from(start)[3])
    try:
        root = _Table(data, int.from_bytes(data[:4], "little"))
        tensors = tuple(_tensor(entry) for entry in root.tables(_MODEL_TENSORS))
        words = (
            op.table(_OP_BODY).number(_EMBEDDING_WORD, "i", -1)
            for op in root.tables(_MODEL_OPS)
            if op.number(_OP_TYPE, "B", 0) == _EMBEDDING
        )
        return Header(tensors, tensors[next(words)].shape)
    except (struct.error, ValueError, IndexError, StopIteration) as error:
        raise FormatError("F011", "the header cannot be read", str(path), "check it: potstill verify") from error


def _tensor(entry: _Table) -> Tensor:
    dtype = _DTYPES[entry.number(_TENSOR_DTYPE, "B", 0)]
    return Tensor(entry.text(_TENSOR_NAME), dtype, entry.numbers(_TENSOR_SHAPE), entry.number(_TENSOR_SIZE, "Q", 0))
