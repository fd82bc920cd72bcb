"""Weight layouts: each stored element is where the kernels look for it (cpp/src/kernels/kernels.h)."""

from __future__ import annotations

import numpy as np
import pytest

from potstill.still import pack

SHAPES = [(1, 1), (3, 5), (4, 16), (8, 8), (9, 17), (26, 33), (64, 312)]


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_int8(n: int, k: int) -> None:
    weight = np.random.default_rng(n).integers(-127, 128, (n, k)).astype(np.int8)
    flat = pack.pack_i8_n4k16(weight).reshape(-1)
    steps = -(-k // 16)
    assert flat.size == -(-n // 4) * 4 * steps * 16
    expected = np.zeros_like(flat)
    for row in range(n):
        for column in range(k):
            expected[((row // 4 * steps + column // 16) * 4 + row % 4) * 16 + column % 16] = weight[row, column]
    np.testing.assert_array_equal(flat, expected)
    np.testing.assert_array_equal(pack.unpack_i8_n4k16(flat, (n, k)), weight)


def in_nibble(flat: np.ndarray, first: int, stride: int, column: int) -> int:
    """Value `column` of the row whose blocks of 16 bytes start at `first`, `stride` bytes apart, two's complement."""
    byte = int(flat[first + column // 32 * stride + column % 16])
    nibble = byte & 15 if column % 32 < 16 else byte >> 4
    return nibble - 16 if nibble > 7 else nibble


@pytest.mark.parametrize(("n", "k"), [*SHAPES, (5, 32), (2, 70)])
def test_int4(n: int, k: int) -> None:
    weight = np.random.default_rng(n).integers(-7, 8, (n, k)).astype(np.int8)
    steps = -(-k // 32)
    panels, rows = pack.pack_i4_n4k32(weight), pack.pack_i4_rows(weight)
    assert panels.shape == (-(-n // 4), steps, 4, 16) and rows.shape == (n, steps, 16)
    assert panels.dtype == rows.dtype == np.uint8
    for row in range(panels.shape[0] * 4):
        for column in range(steps * 32):
            wanted = weight[row, column] if row < n and column < k else 0
            first = (row // 4 * steps * 4 + row % 4) * 16
            assert in_nibble(panels.reshape(-1), first, 64, column) == wanted
            if row < n:
                assert in_nibble(rows.reshape(-1), row * steps * 16, 16, column) == wanted
    for packed, unpack in ((panels, pack.unpack_i4_n4k32), (rows, pack.unpack_i4_rows)):
        again = unpack(packed.reshape(-1), (n, k))
        assert again.dtype == np.int8
        np.testing.assert_array_equal(again, weight)


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_f32(n: int, k: int) -> None:
    weight = np.random.default_rng(n).standard_normal((n, k)).astype(np.float32)
    flat = pack.pack_f32_n8(weight).reshape(-1)
    assert flat.size == -(-n // 8) * 8 * k
    expected = np.zeros_like(flat)
    for row in range(n):
        for column in range(k):
            expected[(row // 8 * k + column) * 8 + row % 8] = weight[row, column]
    np.testing.assert_array_equal(flat, expected)
    np.testing.assert_array_equal(pack.unpack_f32_n8(flat, (n, k)), weight)


@pytest.mark.parametrize("n", [1, 15, 16, 17])
def test_vectors_are_padded_with_zeros(n: int) -> None:
    padded = pack.pad_vector(np.ones(n, np.float32))
    assert padded.size == -(-n // 16) * 16
    assert padded[:n].all() and not padded[n:].any()
