"""Weights of few bits with a scale a block: products with them, and rows looked up in a table of them."""

from __future__ import annotations

import numpy as np

from potstill.compile.rewrites.blocks import scaled, spread, unpacked
from potstill.compile.rewrites.writer import NotWritten, Writer
from potstill.still.arrays import Array


def _matmul(w: Writer) -> None:
    """Inputs: x, weight u8 [N, blocks, bytes], scales and zero points [N * blocks], the block of each row, bias."""
    if w.whole("weight_prepacked", 0):
        raise NotWritten("weights in a processor's own order")
    table = w.const(_weight(w).T)
    w.result(w.add(w.op("MatMul", w.needed(0), table), w.input(5)))


def _weight(w: Writer) -> Array:
    """[N, K] f32."""
    columns, rows, block, bits = (w.whole(key, 0) for key in ("N", "K", "block_size", "bits"))
    bits = bits or 4
    blocks = -(-rows // block)
    whole = unpacked(w.stored(w.needed(1), "the weight").reshape(columns, -1), bits)[:, :rows]
    scale = w.stored(w.needed(2), "the scale").reshape(columns, blocks)
    zero: Array = np.full((columns, blocks), 1 << (bits - 1))
    if w.input(3):
        given = w.stored(w.input(3), "the zero point")
        zero = unpacked(given.reshape(columns, -1), bits) if given.dtype == np.uint8 else given.reshape(columns, -1)
    of = np.arange(rows) // block
    if w.input(4):
        of = w.stored(w.input(4), "the order of the blocks").reshape(-1).astype(np.int64)
    return scaled(whole, scale[:, of], zero[:, of])


def _gather(w: Writer) -> None:
    """Inputs: table, ids, scales, zero points; bytes hold several numbers along the last axis."""
    data, scale = w.stored(w.needed(0), "the table"), w.stored(w.needed(2), "the scale")
    bits, block = w.whole("bits", 4), w.whole("block_size", 128)
    packed = data.dtype == np.uint8
    whole = unpacked(data, bits) if packed else data.astype(np.int32)
    axis = w.whole("quantize_axis", 1) % whole.ndim
    zero: Array | int = 1 << (bits - 1) if packed else 0
    if w.input(3):
        given = w.stored(w.input(3), "the zero point")
        zero = unpacked(given, bits) if packed else given.astype(np.int32)
        zero = spread(zero.take(np.arange(scale.shape[axis]), axis=axis), block, whole.shape[axis], axis)
    table = scaled(whole, spread(scale, block, whole.shape[axis], axis), zero)
    w.result(w.op("Gather", w.const(table), w.needed(1), axis=w.whole("gather_axis", 0)))


REWRITES = {"com.microsoft.MatMulNBits": _matmul, "com.microsoft.GatherBlockQuantized": _gather}
