"""WordLevel: a word is a piece. The schema's table is ``WordLevel``."""

from __future__ import annotations

from potstill.compile.tokenizers.base import ModelTables, Step, TokenizerFile
from potstill.compile.tokenizers.models.unknown import unknown_id


def read(file: TokenizerFile) -> ModelTables:
    """The tables of a tokenizer whose model is WordLevel.

    Raises:
        CompileError: the unknown token is not in the vocabulary.
    """
    model = file.content["model"]
    vocabulary: dict[str, int] = model["vocab"]
    unk_id = unknown_id(file)
    return ModelTables(vocabulary, Step("WordLevel", {"unkId": unk_id}), unk_id)
