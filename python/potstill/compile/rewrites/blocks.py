"""Weights rounded in blocks, as numbers again."""

from __future__ import annotations

import numpy as np

from potstill.compile.rewrites.writer import NotWritten
from potstill.still.arrays import Array

_WIDTHS = (2, 4, 8)  # bits that divide a byte


def unpacked(data: Array, bits: int) -> Array:
    """Whole numbers [.., n * 8 / bits] i32 of bytes [.., n], the lowest bits of a byte first."""
    if bits not in _WIDTHS:
        raise NotWritten(f"weights of {bits} bits")
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (data[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return parts.reshape(*data.shape[:-1], -1).astype(np.int32)


def spread(values: Array, block: int, size: int, axis: int) -> Array:
    """One value a block -> one an element along `axis`, whose length is `size`."""
    return np.repeat(values, block, axis=axis).take(np.arange(size), axis=axis)


def scaled(whole: Array, scale: Array, zero: Array | int) -> Array:
    """(whole - zero) * scale in f32: one rounding, as the operators define it."""
    return (whole.astype(np.float32) - np.asarray(zero, np.float32)) * scale.astype(np.float32)
