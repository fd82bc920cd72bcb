"""Unigram takes the cut with the highest sum of scores; of equal ones that whose last piece is the longest, and so on.

Over fewer pieces there are fewer cuts to choose from, and the teacher's own is still the best wherever all its pieces
are kept. An unknown character scores the lowest score of the table less 10: a piece that has the lowest score is kept,
so that unknown characters score what they did, and a character whose piece went scores less than any piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.distil.vocabulary.prune.pieces import Pieces, byte_ids


class Unigram(Pieces):
    """SentencePiece's, as XLM-R, T5 and ALBERT have it."""

    def numbered(self) -> dict[str, int]:
        """A piece's place in the list; of a piece that is there twice, the last."""
        return {piece: index for index, (piece, _) in enumerate(self.model["vocab"])}

    def stand_ins(self) -> set[int]:
        """The unknown piece, and the bytes."""
        unknown = self.model.get("unk_id")
        return byte_ids(self.model, self.ids) | (set() if unknown is None else {int(unknown)})

    def needed(self) -> set[int]:
        """The first piece of the lowest score as well."""
        scores = [score for _, score in self.model["vocab"]]
        return self.stand_ins() | {scores.index(min(scores))}

    def pruned(self, new: Mapping[int, int]) -> dict[str, Any]:
        """The list in the new order, and the unknown piece's place in it."""
        rows = self.model["vocab"]
        kept = sorted((place, index) for index, place in new.items() if index < len(rows))
        unknown = self.model.get("unk_id")
        return {
            **self.model,
            "vocab": [rows[index] for _, index in kept],
            "unk_id": None if unknown is None else new[unknown],
        }
