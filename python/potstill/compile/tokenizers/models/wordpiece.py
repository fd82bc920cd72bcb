"""WordPiece: greedy longest match. The schema's table is ``WordPiece``."""

from __future__ import annotations

from dataclasses import dataclass

from potstill.compile.tokenizers.base import ModelTables, Step, TokenizerFile
from potstill.compile.tokenizers.models.unknown import unknown_id

# The limits of cpp/src/tokenizer/models/wordpiece.h.
MAX_CHARS_PER_WORD = 1000
MAX_PREFIX_BYTES = 64


@dataclass(frozen=True)
class WordPieceTables(ModelTables):
    """`ModelTables` of WordPiece."""

    def occurs(self, piece: str) -> bool:
        word = piece.removeprefix(self.prefix)
        # A word is cut at punctuation: "[unused5]" is one piece of no text, unless it is cut out before that.
        return len(word) == 1 or word.isalnum() or any(ord(c) > 127 for c in word)


def read(file: TokenizerFile) -> WordPieceTables:
    """The tables of a tokenizer whose model is WordPiece.

    Raises:
        CompileError: something that the core would do differently.
    """
    model = file.content["model"]
    prefix, max_chars = str(model["continuing_subword_prefix"]), int(model["max_input_chars_per_word"])
    vocabulary: dict[str, int] = model["vocab"]
    unk_id = unknown_id(file)
    if len(prefix.encode()) > MAX_PREFIX_BYTES:
        file.refuse("C058", f"the prefix of continuing pieces is longer than {MAX_PREFIX_BYTES} bytes")
    if not 1 <= max_chars <= MAX_CHARS_PER_WORD:
        file.refuse("C058", f"max_input_chars_per_word is {max_chars}, the core takes 1 to {MAX_CHARS_PER_WORD}")
    step = Step("WordPiece", {"unkId": unk_id, "continuingPrefix": prefix, "maxCharsPerWord": max_chars})
    return WordPieceTables(vocabulary, step, unk_id, prefix)
