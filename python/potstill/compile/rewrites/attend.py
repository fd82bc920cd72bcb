"""Attention written out with standard operators: what the fused kinds of attention have in common."""

from __future__ import annotations

from collections.abc import Sequence

from potstill.compile.rewrites.writer import NotWritten, Writer

_FILTER = -10000.0  # onnxruntime's own number for what is masked


def by_head(w: Writer, x: str, heads: int) -> str:
    """[batch, tokens, heads * d] -> [batch, heads, tokens, d]."""
    return w.op("Transpose", w.op("Reshape", x, w.ints(0, 0, heads, -1)), perm=[0, 2, 1, 3])


def attend(w: Writer, qkv: Sequence[str], size: int, biases: Sequence[str]) -> str:
    """softmax(scale * q k^T + biases) v, the heads side by side: [batch, tokens, heads * d].

    Args:
        qkv: q, k, v, each [batch, heads, tokens, d].
        size: d of q, whose root is the scale unless the node has one.
        biases: what is added to the scores [batch, heads, tokens, keys]; empty ones are left out.
    """
    q, k, v = qkv
    scores = w.op("MatMul", q, w.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = w.op("Mul", scores, w.const(w.number("scale", 0.0) or size**-0.5))
    for bias in biases:
        scores = w.add(scores, bias)
    context = w.op("MatMul", w.op("Softmax", scores, axis=-1), v)
    return w.op("Reshape", w.op("Transpose", context, perm=[0, 2, 1, 3]), w.ints(0, 0, -1))


def padding(w: Writer, mask: str, tokens: str) -> str:
    """What a padding mask adds to the scores; empty without a mask.

    Args:
        mask: [batch, keys] of 0 and 1, [batch, tokens, keys], or [batch]: how many keys there are.
        tokens: a value [batch, tokens, ..].
    """
    if not mask:
        return ""
    rank = len(w.shape(mask))
    if rank == 1:
        if w.shape(mask)[0] != 1:
            raise NotWritten("its mask gives a start and an end for each text")
        keys = w.op("Gather", w.op("Shape", tokens), w.const(1, "int64"))
        places = w.op("Range", w.const(0, "int64"), keys, w.const(1, "int64"))
        visible = w.op("Less", w.f32(places), w.unsqueeze(w.f32(mask), 1))
        seen = w.unsqueeze(w.f32(visible), 1, 2)
    elif rank == 2:
        seen = w.unsqueeze(w.f32(mask), 1, 2)
    elif rank == 3:
        seen = w.unsqueeze(w.f32(mask), 1)
    else:
        raise NotWritten(f"its mask has {rank} dimensions")
    hidden = w.op("Sub", w.const(1.0), seen)
    return w.op("Mul", hidden, w.const(w.number("mask_filter_value", _FILTER)))


def refuse_extras(w: Writer) -> None:
    """What a fused attention may do besides attending, and an encoder that the core runs does not."""
    if w.whole("unidirectional", 0):
        raise NotWritten("causal attention: each token sees only those before it")
    w.refuse_outputs(1)
