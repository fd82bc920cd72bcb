"""What makes ids of words. One file a model; see ../README.md."""

from __future__ import annotations

from collections.abc import Callable

from potstill.compile.tokenizers.base import ModelTables, TokenizerFile
from potstill.compile.tokenizers.models import bpe, unigram, wordlevel, wordpiece

__all__ = ["KINDS", "read_model"]

# Readers by the type in a tokenizer.json.
KINDS: dict[str, Callable[[TokenizerFile], ModelTables]] = {
    "WordPiece": wordpiece.read,
    "BPE": bpe.read,
    "Unigram": unigram.read,
    "WordLevel": wordlevel.read,
}


def read_model(file: TokenizerFile) -> ModelTables:
    """The model.

    Raises:
        CompileError: one that the core does not have, or that does what the core does not.
    """
    kind = (file.content.get("model") or {}).get("type")
    if kind not in KINDS:
        file.refuse("C052", f"the tokenizer's model is {kind}, the core has {' and '.join(KINDS)} only")
    return KINDS[kind](file)
