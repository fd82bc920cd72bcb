"""onnxruntime's Attention: q, k and v as one matrix product, split, attended."""

from __future__ import annotations

from potstill.compile.rewrites.attend import attend, by_head, padding, refuse_extras
from potstill.compile.rewrites.writer import NotWritten, Writer


def _attention(w: Writer) -> None:
    """Inputs: x, weight [width, q | k | v], bias, mask, past, bias of the scores."""
    refuse_extras(w)
    if w.input(4):
        raise NotWritten("keys and values of an earlier part of the text")
    x, weight, heads = w.needed(0), w.needed(1), w.whole("num_heads", 1)
    third = w.shape(weight)[-1] // 3
    sizes = [int(size) for size in w.node.attributes.get("qkv_hidden_sizes", ())] or [third] * 3
    fused = w.add(w.op("MatMul", x, weight), w.input(2))
    parts, start = [], 0
    for size in sizes:
        parts.append(by_head(w, w.columns(fused, start, start + size), heads))
        start += size
    w.result(attend(w, parts, sizes[0] // heads, [padding(w, w.input(3), x), w.input(5)]))


REWRITES = {"com.microsoft.Attention": _attention}
