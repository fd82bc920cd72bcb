"""WordPiece, with what BERT has around it. The schema's table is ``WordPiece``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from potstill.compile.tokenizers.base import TokenizerFile
from potstill.compile.tokenizers.bert import BertTables, fields
from potstill.still.schema import fb, made

# The limits of cpp/src/tokenizer/models/wordpiece.h.
MAX_CHARS_PER_WORD = 1000
MAX_PREFIX_BYTES = 64


@dataclass(frozen=True)
class WordPieceTables(BertTables):
    """`BertTables`, and what of the model the core needs."""

    continuing_prefix: str
    max_chars_per_word: int

    def piece_in_text(self, token_id: int) -> str | None:
        if not 0 <= token_id < self.pieces:
            return None
        text = self.text(token_id)
        if token_id in (self.cls_id, self.sep_id, self.unk_id):
            return text
        if token_id == self.pad_id or not text:
            return None
        word = text.removeprefix(self.continuing_prefix)
        # A word is cut at punctuation: "[unused5]" is one piece of no text, unless it is cut out before that.
        whole = len(word) == 1 or word.isalnum() or any(ord(c) > 127 for c in word)
        return text if whole or token_id in self.added_ids else None

    def model(self) -> tuple[int, Any]:
        return fb.TokenizerModel.WordPiece, made(
            fb.WordPieceT, unkId=self.unk_id, continuingPrefix=self.continuing_prefix,
            maxCharsPerWord=self.max_chars_per_word,
        )  # fmt: skip


def tables(file: TokenizerFile) -> WordPieceTables:
    """The tables of a tokenizer whose model is WordPiece.

    Raises:
        CompileError: something that the core would do differently.
    """
    model = file.content["model"]
    prefix, max_chars = str(model["continuing_subword_prefix"]), int(model["max_input_chars_per_word"])
    if len(prefix.encode()) > MAX_PREFIX_BYTES:
        file.refuse("C058", f"the prefix of continuing pieces is longer than {MAX_PREFIX_BYTES} bytes")
    if not 1 <= max_chars <= MAX_CHARS_PER_WORD:
        file.refuse("C058", f"max_input_chars_per_word is {max_chars}, the core takes 1 to {MAX_CHARS_PER_WORD}")
    return WordPieceTables(**fields(file, prefix), continuing_prefix=prefix, max_chars_per_word=max_chars)
