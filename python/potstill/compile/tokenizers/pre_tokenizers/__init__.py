"""What cuts a text into the words that the model reads one by one. One file a step; see ../README.md."""

from __future__ import annotations

from potstill.compile.tokenizers.base import Reader, Step, TokenizerFile, read_steps
from potstill.compile.tokenizers.pre_tokenizers import (
    bert,
    byte_level,
    digits,
    metaspace,
    punctuation,
    split,
    whitespace,
)

__all__ = ["KINDS", "read_pre_tokenizers"]

# Readers by the type in a tokenizer.json.
KINDS: dict[str, Reader] = {
    "BertPreTokenizer": bert.read,
    "ByteLevel": byte_level.read,
    "CharDelimiterSplit": split.read_delimiter,
    "Digits": digits.read,
    "Metaspace": metaspace.read,
    "Punctuation": punctuation.read,
    "Split": split.read,
    "Whitespace": whitespace.read,
    "WhitespaceSplit": whitespace.read,
}


def read_pre_tokenizers(file: TokenizerFile) -> tuple[Step, ...]:
    """The pre-tokenizers in order; none: a text is one word.

    Raises:
        CompileError: one that the core does not have.
    """
    found = read_steps(file, "pre_tokenizer", KINDS, "C054")
    if sum(step.table == "ByteLevel" for step in found) > 1:  # the core bounds what a file does to the size of a text
        file.refuse("C054", "the pre-tokenizers have ByteLevel more than once")
    return found
