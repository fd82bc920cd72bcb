"""Which of the teacher's tokens stand over the characters of a student's token, where the two cut texts differently.

A student's token is compared with the mean of these tokens' states, weighted by the characters they share with it. The
first and the last token, where they are special, are compared with the teacher's; a token over nothing that the teacher
reads with none. Of rows of words only the first pieces of the words are compared, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from potstill.errors import TrainError
from potstill.runtime.rows import TokenRows

# What of a row's tokens is known: `[length, 3]` int32 of part (0 first text, 1 second, -1 special), first character
# and the one behind the last.
Spans = np.ndarray


class Alignment:
    """A column of matrices ``[length, teacher's length]`` f32 by row, whose rows add up to 1, or to 0 for none."""

    def __init__(self, ours: Sequence[Spans], theirs: Sequence[Spans]) -> None:
        self._ours, self._theirs = ours, theirs

    def __getitem__(self, row: int) -> np.ndarray:
        """The row."""
        return shares(self._ours[row], self._theirs[row])


class WordAlignment:
    """The same of rows that know their words, by these.

    Args:
        ours: the student's rows.
        theirs: the teacher's.
    """

    def __init__(self, ours: TokenRows, theirs: TokenRows) -> None:
        self._ours, self._theirs = ours, theirs

    def __getitem__(self, row: int) -> np.ndarray:
        """The row."""
        assert self._ours.words is not None and self._theirs.words is not None
        found = np.zeros((self._ours.lengths[row], self._theirs.lengths[row]), np.float32)
        ours, theirs = np.asarray(self._ours.words[row]), np.asarray(self._theirs.words[row])
        both = (ours >= 0) & (theirs >= 0)
        found[ours[both], theirs[both]] = 1.0
        return found


def aligned_tokens(
    student: Any, teacher: Any, ours: TokenRows, theirs: TokenRows, datasets: Sequence[Any], max_tokens: int
) -> Alignment | WordAlignment:
    """How the rows of a student's tokenizer lie over those of its teacher's; both are fast.

    Args:
        student, teacher: tokenizers of transformers.
        ours, theirs: the rows that they gave.
        datasets: what the rows are of, one after the other (column ``text``, maybe ``text_pair``).
        max_tokens: as for the rows.

    Raises:
        TrainError: as `check_places`.
    """
    if ours.words is not None:
        return WordAlignment(ours, theirs)
    check_places(teacher)
    spans = [[span for data in datasets for span in _spans(one, data, max_tokens)] for one in (student, teacher)]
    return Alignment(*spans)


def check_places(teacher: Any) -> None:
    """TrainError: the teacher's tokenizer does not tell which characters its tokens stand over."""
    if not getattr(teacher, "is_fast", False):
        raise TrainError(
            "T091",
            f"the teacher's {type(teacher).__name__} does not tell which characters a token stands over, so that its "
            "tokens cannot be compared with the student's",
            "student.tokenizer",
            "set distil.embedding and hidden to 0, or use a teacher whose folder has a tokenizer.json",
        )


def shares(ours: Spans, theirs: Spans) -> np.ndarray:
    """The matrix of one row (see `Alignment`)."""
    same = (ours[:, None, 0] == theirs[None, :, 0]) & (ours[:, None, 0] >= 0)
    first = np.maximum(ours[:, None, 1], theirs[None, :, 1])
    last = np.minimum(ours[:, None, 2], theirs[None, :, 2])
    found = np.where(same, np.maximum(last - first, 0), 0).astype(np.float32)
    for end in (0, -1):
        if len(ours) and len(theirs) and ours[end, 0] < 0 and theirs[end, 0] < 0:
            found[end, end] = 1.0
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(found / np.where(total > 0, total, 1.0), dtype=np.float32)


def _spans(tokenizer: Any, dataset: Any, max_tokens: int) -> list[Spans]:
    if not len(dataset):
        return []
    columns = [list(dataset[name]) for name in ("text", "text_pair") if name in dataset.column_names]
    found = tokenizer(
        *columns, truncation="longest_first", max_length=max_tokens, padding=False, return_offsets_mapping=True,
        return_attention_mask=False, verbose=False,
    )  # fmt: skip
    rows = []
    for number, places in enumerate(found["offset_mapping"]):
        parts = [-1 if part is None else part for part in found.sequence_ids(number)]
        rows.append(np.concatenate([np.array(parts, np.int32)[:, None], np.array(places, np.int32)], axis=1))
    return rows
