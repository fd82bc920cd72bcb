"""onnxruntime's quantized Attention and EmbedLayerNormalization: their f32 forms, the weights as numbers."""

from __future__ import annotations

from potstill.compile.rewrites.grids import Grids
from potstill.compile.rewrites.writer import MICROSOFT, NotWritten, Writer

_KEPT = ("num_heads", "unidirectional", "mask_filter_value", "scale", "do_rotary")


def _attention(w: Writer, grids: Grids) -> None:
    """Inputs: x, weight, bias, scales of x and of the weight, mask, zero points of x and of the weight, past."""
    if w.input(8):
        raise NotWritten("keys and values of an earlier part of the text")
    x = grids.number(w, w.needed(0), w.needed(3), w.input(6))
    weight = grids.number(w, w.needed(1), w.needed(4), w.input(7))
    kept = {key: w.node.attributes[key] for key in _KEPT if key in w.node.attributes}
    w.refuse_outputs(1)
    w.result(w.op("Attention", x, weight, w.input(2), w.input(5), domain=MICROSOFT, **kept))


def _embed(w: Writer, grids: Grids) -> None:
    """Inputs: ids, token types, tables of words, positions and types, gamma, beta, mask; then the scales and the zero
    points of the tables, gamma and beta."""
    tables = []
    for index in range(5):  # words, positions, types, gamma, beta
        name = w.input(2 + index)
        tables.append(grids.number(w, name, w.needed(8 + index), w.input(13 + index)) if name else "")
    inputs = [w.needed(0), w.input(1), *tables, w.input(7)]
    epsilon = w.number("epsilon", 1e-12)
    w.refuse_outputs(2)
    for index, value in enumerate(w.ops(2, "EmbedLayerNormalization", *inputs, domain=MICROSOFT, epsilon=epsilon)):
        if w.wants(index):
            w.result(value, index)


REWRITES = {"QAttention": _attention, "QEmbedLayerNormalization": _embed}
