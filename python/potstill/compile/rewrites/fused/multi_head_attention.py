"""onnxruntime's MultiHeadAttention: q, k and v come in one by one."""

from __future__ import annotations

from potstill.compile.rewrites.attend import attend, by_head, padding, refuse_extras
from potstill.compile.rewrites.writer import NotWritten, Writer


def _multi_head_attention(w: Writer) -> None:
    """Inputs: query, key, value, bias q | k | v, padding mask, bias of the scores, past keys and values."""
    refuse_extras(w)
    w.refuse_inputs(6, "keys and values of an earlier part of the text")
    query, heads, bias = w.needed(0), w.whole("num_heads", 1), w.input(3)
    parts, start = [], 0
    for index in range(3):
        name = w.needed(index)
        if len(w.shape(name)) != 3:
            raise NotWritten("queries, keys and values that are not [batch, tokens, columns]")
        width = w.shape(name)[-1]
        biased = w.add(name, w.columns(bias, start, start + width)) if bias else name
        parts.append(by_head(w, biased, heads))
        start += width
    size = w.shape(query)[-1] // heads
    w.result(attend(w, parts, size, [padding(w, w.input(4), query), w.input(5)]))


REWRITES = {"com.microsoft.MultiHeadAttention": _multi_head_attention}
