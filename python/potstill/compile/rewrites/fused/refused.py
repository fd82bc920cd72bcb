"""Operators of parts that the core does not have, with what they are."""

from __future__ import annotations

from potstill.compile.rewrites.writer import NotWritten, Rewrite, Writer

_RMS = "RMS norm, which divides by the root of the mean square"
_ROTARY = "rotary positions"
_GROUPED = "grouped queries with a cache of keys and values"
_DISTANCE = "a bias of the scores by distance"
_WINDOW = "attention within a window"
_PARTS = {
    "RMSNormalization": _RMS,
    "SimplifiedLayerNormalization": _RMS,
    "com.microsoft.SimplifiedLayerNormalization": _RMS,
    "com.microsoft.SkipSimplifiedLayerNormalization": _RMS,
    "RotaryEmbedding": _ROTARY,
    "com.microsoft.RotaryEmbedding": _ROTARY,
    "com.microsoft.GemmaRotaryEmbedding": _ROTARY,
    "com.microsoft.GroupQueryAttention": _GROUPED,
    "com.microsoft.PagedAttention": _GROUPED,
    "com.microsoft.DecoderMaskedMultiHeadAttention": _GROUPED,
    "com.microsoft.DecoderMaskedSelfAttention": _GROUPED,
    "com.microsoft.RelativePositionBias": _DISTANCE,
    "com.microsoft.GatedRelativePositionBias": _DISTANCE,
    "com.microsoft.LongformerAttention": _WINDOW,
    "com.microsoft.SparseAttention": _WINDOW,
    "com.microsoft.BiasSplitGelu": "a gated GELU",
    "com.microsoft.MoE": "a mixture of experts",
    "com.microsoft.QMoE": "a mixture of experts",
}


def _refusal(what: str) -> Rewrite:
    def rewrite(_: Writer) -> None:
        raise NotWritten(what)

    return rewrite


REWRITES = {name: _refusal(what) for name, what in _PARTS.items()}
