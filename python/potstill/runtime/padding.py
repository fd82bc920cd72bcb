"""Padded token ids, as tokenizers give for a batch: what the attention mask says is padding is taken off."""

from __future__ import annotations

from potstill.errors import InputError
from potstill.runtime.inputs import items

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
        InputError: not one type an id; the mask is not one of 0 and 1 for each id; padding between ids.
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
    try:
        rows = [list(items(row, "attention_mask", _STEP)) for row in items(mask, "attention_mask", _STEP)]
    except InputError as error:
        raise InputError("I106", error.what, "attention_mask", _STEP) from error
    return [[_mark(mark, index) for mark in row] for index, row in enumerate(rows)]


def _mark(mark: Any, index: int) -> int:
    """0 or 1, which may be a truth value or a float."""
    if not isinstance(mark, (bool, int, float)):
        mark = mark.item() if hasattr(mark, "item") and not getattr(mark, "ndim", 0) else None
    if not isinstance(mark, (bool, int, float)) or mark not in (0, 1):
        raise InputError("I106", "something that is neither 0 nor 1", f"attention_mask, sequence {index}", _STEP)
    return int(mark)
