"""Padded ids: taken with their mask, refused without it, never read as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.errors import InputError
from tiny_still import write_model

PLAIN = [[2, 5, 9, 3], [2, 30, 3]]


def _rows(model: Any, *arguments: Any, **named: Any) -> list[list[float]]:
    found: list[list[float]] = memoryview(model.logits_from_ids(*arguments, **named)).tolist()
    return found


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "kind", [list, np.asarray, lambda rows: np.asarray(rows, bool), lambda rows: np.asarray(rows, "f4")]
)
def test_a_mask_takes_the_padding_off(still: Path, side: str, kind: Any) -> None:
    model = potstill.load(still, threads=1)
    wide = 7
    ids, mask = [], []
    for row in PLAIN:
        filler, marks = [0] * (wide - len(row)), [1] * len(row)
        ids.append([*row, *filler] if side == "right" else [*filler, *row])
        mask.append([*marks, *filler] if side == "right" else [*filler, *marks])
    given = np.asarray(ids) if kind is not list else ids
    assert _rows(model, given, attention_mask=kind(mask)) == _rows(model, PLAIN)


def test_a_mask_takes_token_types_along(tmp_path: Path) -> None:
    model = potstill.load(write_model(tmp_path / "pairs.still", pairs=True), threads=1)
    rows: Any = model._backend.encode(["a b"], ["c"], False)
    ids, types = rows.ids, rows.types
    padded = ([[*ids[0], 0, 0]], [[*types[0], 0, 0]])
    assert _rows(model, *padded, attention_mask=[[1] * len(ids[0]) + [0, 0]]) == _rows(model, ids, types)


@pytest.mark.parametrize("ids", [[2, 5, 3, 0], [2, 5, 3, 0, 0, 0], [0, 2, 5, 3], [0, 0]])
def test_padding_without_a_mask_is_refused(still: Path, ids: list[int]) -> None:
    model = potstill.load(still, threads=1)
    for mask in (None, [[1] * len(ids)]):
        with pytest.raises(InputError, match=r"I103.*attention_mask"):
            model.logits_from_ids([ids], attention_mask=mask)


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        ([[1, 1, 0, 1]], "I107"), ([[0, 1, 1, 0]], "I107"), ([[1, 1, 1, 2]], "I106"), ([[1, 1, 1]], "I106"),
        ([[1, 1, 1, 1], [1]], "I106"), ([], "I106"), (1, "I106"), ([1, 1, 1, 1], "I106"),
        ([["1", "1", "1", "0"]], "I106"),
        ([[0, 0, 0, 0]], "I001"),
    ],
)  # fmt: skip
def test_a_mask_that_does_not_fit_is_refused(still: Path, mask: Any, code: str) -> None:
    model = potstill.load(still, threads=1)
    with pytest.raises(InputError, match=code):
        model.logits_from_ids([[2, 5, 9, 3]], attention_mask=mask)


def test_texts_with_the_padding_token_in_them_are_read(still: Path) -> None:
    assert len(potstill.load(still, threads=1).classify(["[PAD]", "a [PAD]", "[PAD] a"])) == 3
