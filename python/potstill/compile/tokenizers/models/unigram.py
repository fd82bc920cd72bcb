"""Unigram: the path of pieces with the best sum of scores. The schema's table is ``Unigram``."""

from __future__ import annotations

import numpy as np

from potstill.compile.tokenizers.base import ModelTables, Step, TokenizerFile
from potstill.compile.tokenizers.models.double_array import MAX_PIECE_BYTES, MAX_PIECES, double_array

# `tokenizers` gives a character without a piece the lowest score of all pieces less this.
_UNKNOWN_PENALTY = 10.0


def read(file: TokenizerFile) -> ModelTables:
    """The tables of a tokenizer whose model is Unigram.

    Raises:
        CompileError: something that the core would do differently.
    """
    model = file.content["model"]
    unk_id = model["unk_id"]
    if unk_id is None:
        what = "the tokenizer's Unigram has no unknown token: a character that is no piece is an error"
        file.refuse("C052", what, "give it a piece for them and name its place as unk_id")
    vocabulary, scores = _pieces(file)
    fields = {
        "unkId": unk_id,
        "unkScore": float(scores.min()) - _UNKNOWN_PENALTY,
        "byteFallback": bool(model.get("byte_fallback")),
    }
    trie = double_array({piece.encode(): i for piece, i in vocabulary.items() if piece})
    narrow = scores.astype(np.float32)
    exact = bool((narrow == scores).all())
    held = {"scoresT": ("f32", narrow)} if exact else {"wideScoresT": ("u8", scores.astype("<f8").view(np.uint8))}
    return ModelTables(vocabulary, Step("Unigram", fields, {**held, "trieT": ("i32", trie)}), unk_id)


def _pieces(file: TokenizerFile) -> tuple[dict[str, int], np.ndarray]:
    """The pieces with their ids, and the score of each id, float64 [ids]. Of equal pieces the last one counts."""
    listed = file.content["model"]["vocab"]
    if len(listed) > MAX_PIECES:
        file.refuse("C058", f"{len(listed)} pieces, the core takes {MAX_PIECES} of a Unigram")
    if not any(piece for piece, _ in listed):
        file.refuse("C057", "the vocabulary is empty", "save the tokenizer again with its vocabulary")
    longest = max((piece for piece, _ in listed), key=lambda piece: len(piece.encode()))
    if len(longest.encode()) > MAX_PIECE_BYTES:
        file.refuse("C058", f"the piece {longest[:20]!r}... is longer than {MAX_PIECE_BYTES} bytes")
    scores = np.asarray([score for _, score in listed], np.float64)
    return {piece: i for i, (piece, _) in enumerate(listed)}, scores
