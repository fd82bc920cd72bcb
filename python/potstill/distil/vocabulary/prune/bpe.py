"""BPE joins the letters of a word pair by pair, of all pairs that have a merge always the one of the lowest rank.

Over fewer merges the same steps are taken as long as the steps that were taken are kept: the lowest rank of all merges
is the lowest of a part that holds it, and where no merge of the whole is left to apply, none of the part is. So a piece
is kept with all that it was made of, its ancestors. No merge crosses the border of a piece that a word ends up with:
the steps within it are those of its own letters alone, whatever stands around it.

Merges whose parts and result are all kept stay, in their order, whether they are steps to a kept piece or not: words
that the texts did not have come out the more like the teacher's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from itertools import compress, pairwise
from typing import Any

from potstill.distil.vocabulary.prune.pieces import Pieces, byte_ids


class Bpe(Pieces):
    """Byte-level as GPT-2's and RoBERTa's, or over characters with bytes to fall back to as Llama's."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        super().__init__(model)
        self._prefix = model.get("continuing_subword_prefix") or ""
        self._suffix = model.get("end_of_word_suffix") or ""
        self._pieces = {index: piece for piece, index in self.ids.items()}
        # Ids of both parts and of the result, by rank.
        self._steps = [(self.ids[left], self.ids[right], self._product(left, right)) for left, right in model["merges"]]
        self._merges = {(left, right): (rank, made) for rank, (left, right, made) in enumerate(self._steps)}

    def numbered(self) -> dict[str, int]:
        """The table as it is."""
        return dict(self.model["vocab"])

    def stand_ins(self) -> set[int]:
        """The unknown piece, and the bytes."""
        return super().stand_ins() | byte_ids(self.model, self.ids)

    def bare(self, piece: str) -> str:
        """A piece without the marks of what goes on or ends."""
        return piece if len(piece) == 1 else piece.removeprefix(self._prefix).removesuffix(self._suffix)

    def ancestors(self, index: int) -> set[int]:
        """The letters of a piece and what they become on the way to it; of one that its letters do not come to
        (bytes, or a whole word that is looked up), all that any merge could make it of.
        """
        symbols = self._letters(self._pieces.get(index, ""))
        made = set(symbols)
        while found := [(*self._merges[pair], at) for at, pair in enumerate(pairwise(symbols)) if pair in self._merges]:
            _, product, at = min(found, key=lambda merge: (merge[0], merge[2]))
            symbols[at : at + 2] = [product]
            made.add(product)
        return made if symbols == [index] else self._all_ancestors(index)

    def pruned(self, new: Mapping[int, int]) -> dict[str, Any]:
        """The table, and the merges among its pieces."""
        stays = [left in new and right in new and made in new for left, right, made in self._steps]
        return {**super().pruned(new), "merges": list(compress(self.model["merges"], stays))}

    def _product(self, left: str, right: str) -> int:
        return self.ids[left + right[len(self._prefix) :]]

    def _letters(self, piece: str) -> list[int]:
        """The ids that a word of this piece alone begins with; empty where a letter has none."""
        inside = bool(self._prefix) and piece.startswith(self._prefix)
        ends = bool(self._suffix) and piece.endswith(self._suffix)
        letters = list(self.bare(piece))
        named = [(self._prefix if at or inside else "") + letter for at, letter in enumerate(letters)]
        if ends and named:
            named[-1] += self._suffix
        return [self.ids[name] for name in named] if all(name in self.ids for name in named) else []

    @cached_property
    def _parts(self) -> Mapping[int, set[int]]:
        """Of each piece the parts that any merge makes it of."""
        found: defaultdict[int, set[int]] = defaultdict(set)
        for left, right, made in self._steps:
            found[made] |= {left, right}
        return found

    def _all_ancestors(self, index: int) -> set[int]:
        found: set[int] = set()
        pending = [index]
        while pending:
            parts = self._parts.get(pending.pop(), set()) - found
            found |= parts
            pending += parts
        return found
