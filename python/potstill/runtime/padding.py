"""Padded token ids, as tokenizers give for a batch: what the attention mask says is padding is taken off."""

from __future__ import annotations

from potstill.errors import InputError

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Rows = list[list[int]]

_STEP = "give the attention_mask that came with the ids"


def unpadded(
    ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, mask: Any
) -> tuple[Rows, Rows | None]:
    """The ids, and the token types, where the mask is 1.

    Args:
        ids: the sequences, padded at their ends or at their beginnings.
        types: a token type for each id, or None.
        mask: for each id 1, or 0 where it is padding; lists, arrays and tensors of numbers or truth values.

    Raises:
        InputError: I010 not one type an id; I106 the mask is not one of 0 and 1 for each id; I107 padding between ids.
    """
    rows = _read(mask)
    if len(rows) != len(ids):
        raise InputError("I106", f"a mask of {len(rows)} sequences for {len(ids)}", "attention_mask", _STEP)
    if types is not None and len(types) != len(ids):
        raise InputError("I010", f"token types of {len(types)} of {len(ids)} sequences", "types", "give one an id")
    kept: Rows = []
    kinds: Rows = []
    for index, (row, marks) in enumerate(zip(ids, rows, strict=True)):
        where = f"attention_mask, sequence {index}"
        if len(marks) != len(row):
            raise InputError("I106", f"{len(marks)} numbers for {len(row)} ids", where, _STEP)
        if types is not None and len(types[index]) != len(row):
            what = f"{len(types[index])} token types for {len(row)} ids"
            raise InputError("I010", what, f"sequence {index}", "give one an id")
        count = sum(marks)
        start = marks.index(1) if count else 0
        if marks[start : start + count] != [1] * count or 0 < start < len(marks) - count:
            step = "mask what stands before or behind the text only"
            raise InputError("I107", "it masks ids inside a sequence, or at both of its ends", where, step)
        kept.append(list(row[start : start + count]))
        kinds.append([] if types is None else list(types[index][start : start + count]))
    return kept, None if types is None else kinds


def _read(mask: Any) -> Rows:
    rows: Rows = []
    try:
        for row in mask:
            rows.append(row.tolist() if hasattr(row, "tolist") else list(row))
            if not all(mark in (0, 1) for mark in rows[-1]):
                raise InputError(
                    "I106", "a number that is neither 0 nor 1", f"attention_mask, sequence {len(rows) - 1}", _STEP
                )
    except TypeError as error:
        what = f"a {type(mask).__name__} where a list of lists of 0 and 1 is needed"
        raise InputError("I106", what, "attention_mask", _STEP) from error
    return [[int(mark) for mark in row] for row in rows]
