"""What cuts a text into the words that the model reads one by one. One file a step; see ../README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile, name_of
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
KINDS: dict[str, Callable[[Mapping[str, Any], TokenizerFile], Step]] = {
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
    found = []
    for component in file.steps("pre_tokenizer", "pretokenizers"):
        kind = str(component.get("type"))
        if kind not in KINDS:
            named = name_of(file.content["pre_tokenizer"])
            file.refuse("C054", f"the pre-tokenizer is {named}, the core has no {kind}")
        found.append(KINDS[kind](component, file))
    if sum(step.table == "ByteLevel" for step in found) > 1:  # the core bounds what a file does to the size of a text
        file.refuse("C054", "the pre-tokenizers have ByteLevel more than once")
    return tuple(found)
