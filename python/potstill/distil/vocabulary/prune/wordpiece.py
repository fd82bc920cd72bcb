"""WordPiece cuts a word by the longest piece that matches, from the left.

Over fewer pieces it is the same procedure: what it took is still the longest where it is kept, and a word whose piece
was dropped falls into shorter ones. A word that the teacher could not cut to its end, and took for unknown, may fall
into pieces as well.
"""

from __future__ import annotations

from potstill.distil.vocabulary.prune.pieces import Pieces


class WordPiece(Pieces):
    """BERT's."""

    def numbered(self) -> dict[str, int]:
        """The table as it is."""
        return dict(self.model["vocab"])

    def bare(self, piece: str) -> str:
        """A piece inside a word without its prefix; a lone character is never a prefix."""
        return piece if len(piece) == 1 else piece.removeprefix(str(self.model["continuing_subword_prefix"]))
