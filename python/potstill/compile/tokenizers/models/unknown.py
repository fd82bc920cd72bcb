"""The unknown token of a model that names it by its text."""

from __future__ import annotations

from potstill.compile.tokenizers.base import TokenizerFile


def unknown_id(file: TokenizerFile) -> int:
    """The id of the model's ``unk_token``.

    Raises:
        CompileError: it is not in the vocabulary, so that `tokenizers` fails at the first unknown character.
    """
    model = file.content["model"]
    found: int | None = model["vocab"].get(model["unk_token"])
    if found is None:
        what = f"the unknown token {model['unk_token']!r} is not in the vocabulary"
        file.refuse("C057", what, "add it to the vocabulary")
    return found
