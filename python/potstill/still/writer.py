"""Store a packed model as a `.still` file (cpp/src/format/README.md). The same model gives the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from potstill.errors import missing_package
from potstill.still.packed import PackedModel, byte_view

MAGIC = b"\x89STILL\r\n"
VERSION, SCHEMA_VERSION = 1, 1
ALIGNMENT = 64
PREAMBLE = struct.Struct("<8sIIQQQQQ")  # magic, version, flags, bytes of header and file, header's hash, reserved x2


def padded(size: int) -> int:
    """`size` bytes with the padding behind them."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def xxh64(*parts: memoryview | bytes) -> int:
    """XXH64 with seed 0 of the parts, one after another."""
    try:
        import xxhash
    except ImportError as error:
        raise missing_package("xxhash", "build", "potstill compile") from error
    state = xxhash.xxh64(seed=0)
    for part in parts:
        state.update(part)
    return int(state.intdigest())


def write_still(model: PackedModel, out: Path, *, check: Callable[[Path], None] | None = None) -> int:
    """Write the file atomically; its size in bytes.

    Args:
        check: called with the complete file before it takes its final name; what it raises leaves no file behind.

    Raises:
        SystemFailure: disk full; not allowed to write; other; nothing is left under `out`.
    """
    from potstill.work.atomic import atomic_write

    with atomic_write(out) as temporary:
        with temporary.open("wb") as file:
            size = sum(file.write(part) for part in chunks(model))
        if check is not None:
            check(temporary)
    return size


def chunks(model: PackedModel) -> Iterator[bytes | memoryview]:
    """The file's bytes in order, without copying the weights. Sets offsets, sizes and checksums of the header."""
    header = model.header
    header.schemaVersion = SCHEMA_VERSION
    # FlatBuffers looks keys up by bisection.
    header.card.provenance = sorted(header.card.provenance or [], key=lambda entry: entry.key)
    sections = [byte_view(data) for data in model.sections]
    padding = [bytes(padded(len(section)) - len(section)) for section in sections]
    for tensor, section, zeros in zip(header.tensors, sections, padding, strict=True):
        # A stand-in: fields of a default value take no room in the header.
        tensor.offset, tensor.size, tensor.xxh64 = ALIGNMENT, len(section), xxh64(section, zeros)
    position = start = ALIGNMENT + padded(len(_packed(header)))
    for tensor in header.tensors:
        tensor.offset = position
        position += padded(tensor.size)
    content = _packed(header)
    stored = content + bytes(padded(len(content)) - len(content))
    assert ALIGNMENT + len(stored) == start, "the header's size must not depend on the offsets"
    head = PREAMBLE.pack(MAGIC, VERSION, 0, len(content), position, xxh64(stored), 0, 0)
    yield head + struct.pack("<Q", xxh64(head))
    yield stored
    for section, zeros in zip(sections, padding, strict=True):
        yield section
        yield zeros


def _packed(header: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(header.Pack(builder), file_identifier=b"STIL")
    return bytes(builder.Output())
