"""What pruning must know of a tokenizer's model, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any


class Pieces(ABC):
    """The pieces of one model, as a ``tokenizer.json`` states it.

    Attributes:
        model: the part ``model`` of the file.
        ids: the id of each piece.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.model = model
        self.ids = self.numbered()

    @abstractmethod
    def numbered(self) -> dict[str, int]:
        """The id of each piece, as the model gives it."""

    def stand_ins(self) -> set[int]:
        """Ids that stand for text without a piece of its own: the unknown piece, and bytes that spell; may be empty."""
        unknown = self.ids.get(self.model.get("unk_token") or "")
        return set() if unknown is None else {unknown}

    def needed(self) -> set[int]:
        """Ids without which the other pieces would be chosen otherwise."""
        return self.stand_ins()

    def bare(self, piece: str) -> str:
        """The text of a piece, without marks of its place in a word."""
        return piece

    def ancestors(self, index: int) -> Collection[int]:
        """Ids without which the model cannot arrive at this one."""
        del index
        return ()

    def pruned(self, new: Mapping[int, int]) -> dict[str, Any]:
        """The model over the pieces with a new id, which `new` gives."""
        kept = sorted((new[index], piece) for piece, index in self.ids.items() if index in new)
        return {**self.model, "vocab": {piece: index for index, piece in kept}}


def byte_ids(model: Mapping[str, Any], ids: Mapping[str, int]) -> set[int]:
    """Ids of the pieces <0x00> to <0xFF> that are there, if the model spells with them."""
    if not model.get("byte_fallback"):
        return set()
    return {ids[name] for name in (f"<0x{value:02X}>" for value in range(256)) if name in ids}
