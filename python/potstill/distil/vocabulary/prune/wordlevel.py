"""WordLevel looks words up: a word whose piece was dropped is unknown."""

from __future__ import annotations

from potstill.distil.vocabulary.prune.pieces import Pieces


class WordLevel(Pieces):
    """A table of words."""

    def numbered(self) -> dict[str, int]:
        """The table as it is."""
        return dict(self.model["vocab"])
