"""Layer norm together with the sum before it: of a residual and a bias, or of the embeddings."""

from __future__ import annotations

from potstill.compile.rewrites.writer import NotWritten, Writer

_EPSILON = 1e-12  # when the node has none


def _skip(w: Writer) -> None:
    """Inputs: x, residual, gamma, beta, bias; outputs: the norm, and as fourth the sum that it is of."""
    if w.wants(1) or w.wants(2):
        raise NotWritten("it gives mean and variance")
    total = w.add(w.op("Add", w.needed(0), w.needed(1)), w.input(4))
    w.result(w.norm(total, w.needed(2), w.input(3), w.number("epsilon", _EPSILON)))
    if w.wants(3):
        w.result(total, 3)


def _embed(w: Writer) -> None:
    """Inputs: ids, token types, tables of words, positions and types, gamma, beta, mask, position ids; outputs: the
    norm, how many tokens the mask shows, and the sum that the norm is of."""
    ids = w.needed(0)
    if w.input(8):
        places = w.op("Gather", w.needed(3), w.input(8))
    else:
        length = w.op("Slice", w.op("Shape", ids), w.ints(1), w.ints(2))
        places = w.op("Slice", w.needed(3), w.ints(0), length, w.ints(0))
    total = w.op("Add", w.op("Gather", w.needed(2), ids), places)
    if w.input(1):
        total = w.op("Add", total, w.op("Gather", w.needed(4), w.input(1)))
    w.result(w.norm(total, w.needed(5), w.input(6), w.number("epsilon", _EPSILON)))
    if w.wants(1):
        w.result(_count(w, ids), 1)
    if w.wants(2):
        w.result(total, 2)


def _count(w: Writer, ids: str) -> str:
    """[batch], i32: how many ones the mask has; onnxruntime gives 0 without a mask."""
    if not w.input(7):
        return w.op("Slice", w.op("Cast", w.op("Mul", w.op("Shape", ids), w.ints(0)), to=6), w.ints(0), w.ints(1))
    if w.opset >= 13:
        return w.op("ReduceSum", w.input(7), w.ints(1), keepdims=0)
    return w.op("ReduceSum", w.input(7), axes=[1], keepdims=0)


REWRITES = {"com.microsoft.SkipLayerNormalization": _skip, "com.microsoft.EmbedLayerNormalization": _embed}
