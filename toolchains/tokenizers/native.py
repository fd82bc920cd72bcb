"""The core's tokenizer over the compiler's tables, to compare its ids with Hugging Face's."""

from __future__ import annotations

from typing import Any

from potstill.compile.tokenizers import Tables
from potstill.still.packed import DTYPES, PackedModel
from potstill.still.schema import fb, made, words
from potstill.still.writer import chunks


class _Sections:
    """Takes the tokenizer's tensors, as `compile.lower.Lowering` does."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.sections: list[Any] = []

    def tensor(self, name: str, dtype: str, value: Any) -> int:
        self.tensors.append(made(fb.TensorT, name=name, shape=list(value.shape), dtype=words(fb.DType)[dtype]))
        self.sections.append(value.astype(DTYPES[dtype]))
        return len(self.sections) - 1


def still_of(tables: Tables) -> bytes:
    """A .still file with these tables, whose graph means nothing."""
    to = _Sections()
    lowered: Any = tables.lower(to)  # type: ignore[arg-type]
    op = made(fb.OpT, name="none", bodyType=fb.OpBody.Normalize, body=fb.NormalizeT())
    header = made(
        fb.ModelT, card=made(fb.CardT, scheme="fp32"), inputType=fb.Input.TokenIds, input=fb.TokenIdsT(),
        tensors=to.tensors, values=[], ops=[op], heads=[], tokenizer=lowered,
    )  # fmt: skip
    return b"".join(chunks(PackedModel(header, to.sections)))


def native(tables: Tables) -> Any:
    """The core's tokenizer over `tables`."""
    from potstill import _core

    return _core.Tokenizer(still_of(tables))
