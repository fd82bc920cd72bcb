"""Rows of tokens: chosen, grouped and padded, with all that belongs to them."""

from __future__ import annotations

import numpy as np

from potstill.runtime.rows import TokenRows

ROWS = TokenRows(
    [[5, 6, 7], np.array([8], np.int32), [9, 4]], [[0, 0, 1], np.array([0]), [0, 1]], [[1], [0], [0, -1]], 3
)


def test_chosen_rows_keep_what_belongs_to_them() -> None:
    assert len(ROWS) == 3 and ROWS.lengths == [3, 1, 2]
    found = ROWS.take([2, 0])
    assert (found.ids, found.types, found.words, found.pad_id) == (
        [[9, 4], [5, 6, 7]],
        [[0, 1], [0, 0, 1]],
        [[0, -1], [1]],
        3,
    )
    assert ROWS[1:].lengths == [1, 2] and TokenRows([[1], [2]])[:1].types is None
    assert TokenRows([]).take([]).ids == []


def test_groups_are_of_similar_length() -> None:
    assert list(ROWS.by_length(2)) == [[0, 2], [1]]


def test_padding_has_its_mask() -> None:
    found = {name: array.tolist() for name, array in ROWS.padded().items()}
    assert found == {
        "input_ids": [[5, 6, 7], [8, 3, 3], [9, 4, 3]],
        "attention_mask": [[1, 1, 1], [1, 0, 0], [1, 1, 0]],
        "token_type_ids": [[0, 0, 1], [0, 0, 0], [0, 1, 0]],
    }
    longer = TokenRows([[1]]).padded(4, "int32")
    assert longer["input_ids"].dtype == np.int32 and longer["input_ids"].tolist() == [[1, 0, 0, 0]]
    assert list(longer) == ["input_ids", "attention_mask"]
