"""Rows of token ids with what belongs to them: the one form in which texts that are ids by now are passed on."""

from __future__ import annotations

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    import numpy as np

    # Lists of int, or arrays of whole numbers.
    Row = Sequence[int] | np.ndarray[Any, Any]


class TokenRows:
    """A ragged batch. Rows are lists of int or int32 arrays, and nothing is copied.

    Attributes:
        ids: the token ids of each row, specials included.
        types: the token type of each id, 0 in the first text of a pair and 1 in the second; None: all are 0.
        words: of texts that are given as words, the place in the row of each word's first piece. A word that was cut
            off has the place -1, or none at the end. None: the texts have no words of their own.
        pad_id: what fills a row up where rows of one length are needed.
    """

    __slots__ = ("ids", "pad_id", "types", "words")

    def __init__(
        self, ids: Sequence[Row], types: Sequence[Row] | None = None, words: Sequence[Row] | None = None,
        pad_id: int = 0,
    ) -> None:  # fmt: skip
        self.ids = ids
        self.types = types
        self.words = words
        self.pad_id = pad_id

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice) -> TokenRows:
        return self.take(range(len(self))[rows])

    @property
    def lengths(self) -> list[int]:
        """The tokens of each row."""
        return [len(row) for row in self.ids]

    def take(self, rows: Iterable[int]) -> TokenRows:
        """The rows of these numbers, in their order."""
        chosen = list(rows)
        ids, types, words = (
            None if column is None else [column[row] for row in chosen] for column in (self.ids, self.types, self.words)
        )
        return TokenRows(ids or [], types, words, self.pad_id)

    def by_length(self, size: int) -> Iterator[list[int]]:
        """Numbers of rows of similar length, `size` together, the longest first: little padding, no late peak."""
        order = sorted(range(len(self)), key=lambda row: -len(self.ids[row]))
        return (order[start : start + size] for start in range(0, len(order), size))

    def padded(self, length: int | None = None, dtype: str = "int64") -> dict[str, np.ndarray[Any, Any]]:
        """``input_ids`` and ``attention_mask``, where types are known ``token_type_ids`` too: ``[rows, length]``.

        Args:
            length: of the arrays; None: of the longest row.
            dtype: of their numbers.
        """
        import numpy as np

        shape = len(self), max(self.lengths) if length is None else length
        arrays = {"input_ids": np.full(shape, self.pad_id, dtype), "attention_mask": np.zeros(shape, dtype)}
        if self.types is not None:
            arrays["token_type_ids"] = np.zeros(shape, dtype)
        for index, row in enumerate(self.ids):
            arrays["input_ids"][index, : len(row)] = row
            arrays["attention_mask"][index, : len(row)] = 1
            if self.types is not None:
                arrays["token_type_ids"][index, : len(row)] = self.types[index]
        return arrays


def kept_places(of: Sequence[int | None], limit: int) -> list[int]:
    """The places of a row of words that a limit leaves: all special tokens, wherever they stand, and the first others.

    Args:
        of: of each token the number of its word, None of a special one.
        limit: tokens that are left, special ones included.
    """
    room = limit - sum(word is None for word in of)
    others = [place for place, word in enumerate(of) if word is not None]
    gone = set(others[max(0, room) :])
    return [place for place in range(len(of)) if place not in gone]
