"""BPE: characters that are joined, the best pair first. The schema's table is ``Bpe``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from potstill.compile.tokenizers.base import ModelTables, Step, TokenizerFile
from potstill.compile.tokenizers.models.merges import MAX_MERGES, merge_slots
from potstill.compile.tokenizers.models.unknown import unknown_id

# The limit of cpp/src/tokenizer/models/bpe.h.
MAX_AFFIX_BYTES = 64


@dataclass(frozen=True)
class BpeTables(ModelTables):
    """`ModelTables` of BPE.

    Attributes:
        suffix: ends the pieces that end a word.
        joined: the pieces that merges make.
    """

    suffix: str = ""
    joined: frozenset[str] = field(default=frozenset(), compare=False)

    def occurs(self, piece: str) -> bool:
        byte = len(piece) == 6 and piece.startswith("<0x") and bool(self.step.fields["byteFallback"])
        single = len(piece.removeprefix(self.prefix).removesuffix(self.suffix)) == 1
        return single or byte or piece in self.joined or bool(self.step.fields["ignoreMerges"])


def read(file: TokenizerFile) -> BpeTables:
    """The tables of a tokenizer whose model is BPE.

    Raises:
        CompileError: something that the core would do differently.
    """
    model = file.content["model"]
    if model.get("dropout"):
        file.refuse("C052", "the tokenizer's BPE has dropout: the ids of a text are random", "set dropout to null")
    prefix, suffix = _affixes(file)
    unk_id = -1 if model.get("unk_token") is None else unknown_id(file)
    fields = {
        "unkId": unk_id,
        "byteFallback": bool(model.get("byte_fallback")),
        "fuseUnk": bool(model.get("fuse_unk")),
        "ignoreMerges": bool(model.get("ignore_merges")),
        "continuingPrefix": prefix,
        "endOfWordSuffix": suffix,
    }
    joined, rows = _merges(file, len(prefix.encode()))
    tables = {"mergesT": ("i32", rows.reshape(-1)), "mergeSlotsT": ("i32", merge_slots(rows))} if joined else {}
    return BpeTables(model["vocab"], Step("Bpe", fields, tables), unk_id, prefix, suffix, frozenset(joined))


def _affixes(file: TokenizerFile) -> tuple[str, str]:
    """What begins pieces inside a word, and what ends those at its end."""
    model = file.content["model"]
    prefix, suffix = str(model.get("continuing_subword_prefix") or ""), str(model.get("end_of_word_suffix") or "")
    if max(len(prefix.encode()), len(suffix.encode())) > MAX_AFFIX_BYTES:
        what = f"the prefix of continuing pieces or the suffix of last ones is longer than {MAX_AFFIX_BYTES} bytes"
        file.refuse("C058", what)
    if model.get("byte_fallback") and (prefix or suffix):
        # `tokenizers` writes the bytes of prefix and suffix out as well, in places outside the text.
        file.refuse("C052", "the tokenizer's BPE has byte_fallback, and a prefix or suffix of pieces")
    return prefix, suffix


def _merges(file: TokenizerFile, prefix_bytes: int) -> tuple[list[str], npt.NDArray[np.int32]]:
    """What each merge makes, and int32 [merges, 3]: left piece, right piece, what they make; the best first.

    Of a pair that is listed twice the second place counts, as in `tokenizers`.
    """
    vocabulary: dict[str, int] = file.content["model"]["vocab"]
    made: dict[tuple[str, str], str] = {}
    for entry in file.content["model"]["merges"]:
        left, right = entry.split(" ") if isinstance(entry, str) else entry
        added = right.encode()[prefix_bytes:].decode("utf-8", "replace")
        if not added or not {left, right, left + added} <= vocabulary.keys():
            what = f"the merge of {left!r} and {right!r} adds nothing or names a piece that the vocabulary lacks"
            file.refuse("C057", what, "take the merge out, or save the tokenizer again with its vocabulary")
        made.pop((left, right), None)
        made[left, right] = left + added
    if len(made) > MAX_MERGES:
        file.refuse("C058", f"{len(made)} merges, the core takes {MAX_MERGES}")
    rows = [[vocabulary[left], vocabulary[right], vocabulary[text]] for (left, right), text in made.items()]
    return list(made.values()), np.asarray(rows, np.int32).reshape(-1, 3)
