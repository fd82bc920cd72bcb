"""Weight layouts of still.fbs: what the kernels read, in the order in which they read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potstill.still.arrays import Array

VECTOR_PAD = 16  # entries; per-column vectors of a linear layer


def _padded(weight: Array, rows: int, columns: int) -> Array:
    """Zero padding to multiples of `rows` and `columns`."""
    n, k = weight.shape
    return np.pad(weight, ((0, -n % rows), (0, -k % columns)))


def pack_f32_n8(weight: Array) -> Array:
    """[N, K] f32 -> [ceil(N/8)][K][8]: eight output columns side by side for each k."""
    full = _padded(np.asarray(weight, "<f4"), 8, 1)
    return np.ascontiguousarray(full.reshape(-1, 8, full.shape[1]).transpose(0, 2, 1))


def unpack_f32_n8(data: Array, shape: Sequence[int]) -> Array:
    """Inverse of `pack_f32_n8`; `data` may be flat."""
    n, k = shape
    return np.ascontiguousarray(data.reshape(-1, k, 8).transpose(0, 2, 1).reshape(-1, k)[:n])


def pack_i8_n4k16(weight: Array) -> Array:
    """[N, K] int8 -> [ceil(N/4)][ceil(K/16)][4][16]: 64 bytes a step, one cache line."""
    full = _padded(np.asarray(weight, np.int8), 4, 16)
    n, k = full.shape
    return np.ascontiguousarray(full.reshape(n // 4, 4, k // 16, 16).transpose(0, 2, 1, 3))


def unpack_i8_n4k16(data: Array, shape: Sequence[int]) -> Array:
    """Inverse of `pack_i8_n4k16`; `data` may be flat."""
    n, k = shape
    steps = -(-k // 16)
    full = data.reshape(-1, steps, 4, 16).transpose(0, 2, 1, 3).reshape(-1, steps * 16)
    return np.ascontiguousarray(full[:n, :k])


def _nibbles(full: Array) -> Array:
    """[N, 32 b] int4 values -> [N, b, 16] bytes: byte j holds value j low and value 16 + j high, two's complement."""
    blocks = (np.asarray(full, np.int8) & 15).astype(np.uint8).reshape(len(full), -1, 2, 16)
    return np.asarray(blocks[:, :, 0] | blocks[:, :, 1] << 4, np.uint8)


def _values(blocks: Array) -> Array:
    """Inverse of `_nibbles`: [N, b, 16] uint8 -> [N, 32 b] int8."""
    both = np.stack([blocks & 15, blocks >> 4], axis=2).astype(np.int8)
    return ((both ^ 8) - 8).reshape(len(blocks), -1)


def pack_i4_n4k32(weight: Array) -> Array:
    """[N, K] in [-7, 7] -> uint8 [ceil(N/4)][ceil(K/32)][4][16]: 64 bytes a step, one cache line."""
    blocks = _nibbles(_padded(weight, 4, 32))
    return np.ascontiguousarray(blocks.reshape(-1, 4, blocks.shape[1], 16).transpose(0, 2, 1, 3))


def unpack_i4_n4k32(data: Array, shape: Sequence[int]) -> Array:
    """Inverse of `pack_i4_n4k32`, as int8; `data` may be flat."""
    n, k = shape
    steps = -(-k // 32)
    blocks = data.reshape(-1, steps, 4, 16).transpose(0, 2, 1, 3).reshape(-1, steps, 16)
    return np.ascontiguousarray(_values(blocks)[:n, :k])


def pack_i4_rows(table: Array) -> Array:
    """[N, K] in [-7, 7] -> uint8 [N][ceil(K/32)][16]: one row after another."""
    return np.ascontiguousarray(_nibbles(_padded(table, 1, 32)))


def unpack_i4_rows(data: Array, shape: Sequence[int]) -> Array:
    """Inverse of `pack_i4_rows`, as int8; `data` may be flat."""
    n, k = shape
    return np.ascontiguousarray(_values(data.reshape(n, -(-k // 32), 16))[:, :k])


# By the words of the schema's layouts; row-major data are stored as they are.
PACK = {
    "pack_f32n8": pack_f32_n8,
    "pack_i8n4k16": pack_i8_n4k16,
    "pack_i4n4k32": pack_i4_n4k32,
    "row_major_i4": pack_i4_rows,
}
UNPACK = {
    "pack_f32n8": unpack_f32_n8,
    "pack_i8n4k16": unpack_i8_n4k16,
    "pack_i4n4k32": unpack_i4_n4k32,
    "row_major_i4": unpack_i4_rows,
}


def pad_vector(vector: Array) -> Array:
    """[N] -> zero-padded to a multiple of 16 entries."""
    return np.pad(vector, (0, -len(vector) % VECTOR_PAD))
