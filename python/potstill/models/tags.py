"""Tags of words; `potstill.data.tagging` reads the entities that they spell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# What stands in a row of tags for a word whose tag is not known.
UNKNOWN = -100


class Tags:
    """The tags of many rows of words.

    Args:
        rows: ``[words]`` int64 of each row, indices into the label names, -100 for a word without tag.
    """

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: int | slice | Sequence[int]) -> Tags:
        """The tags of some rows; of one row under its number."""
        if isinstance(chosen, slice):
            return Tags(self.rows[chosen])
        return Tags([self.rows[row] for row in ([chosen] if isinstance(chosen, int) else chosen)])

    @property
    def flat(self) -> np.ndarray:
        """All words one after another, ``[words]`` int64."""
        return np.concatenate([*self.rows, np.zeros(0, np.int64)])

    def cut(self, flat: np.ndarray) -> Iterator[np.ndarray]:
        """Something with one entry a word, ``[words]``, cut into the rows."""
        start = 0
        for row in self.rows:
            yield flat[start : start + len(row)]
            start += len(row)
