"""A tokenizer over a part of its pieces, as a real Hugging Face fast tokenizer.

Every kind of model goes by the same procedure over fewer pieces, and gives a text's tokens as before wherever these are
all kept: the files of the kinds say why. Saved with the student, the smaller tokenizer is exact in every export and in
the packed file.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from potstill.distil.vocabulary.prune.bpe import Bpe
from potstill.distil.vocabulary.prune.loading import load_pruned
from potstill.distil.vocabulary.prune.pieces import Pieces
from potstill.distil.vocabulary.prune.renumbering import named_ids, renumber
from potstill.distil.vocabulary.prune.unigram import Unigram
from potstill.distil.vocabulary.prune.wordlevel import WordLevel
from potstill.distil.vocabulary.prune.wordpiece import WordPiece
from potstill.errors import TrainError
from potstill.models.byte_level import is_byte_level

KINDS: dict[str, type[Pieces]] = {"WordPiece": WordPiece, "WordLevel": WordLevel, "Unigram": Unigram, "BPE": Bpe}


class Prunable:
    """A fast tokenizer of which a part can be taken.

    Attributes:
        pieces: of its model.
        size: one more than the highest id.

    Raises:
        TrainError: it is not a fast tokenizer; its model is of another kind; nothing would stand for text without a
            piece.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.name = str(getattr(tokenizer, "name_or_path", "") or "the teacher's tokenizer")
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._content: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {}
        model = self._content.get("model") or {}
        kind = model.get("type")
        if kind not in KINDS:
            raise _refused(f"a vocabulary of {kind or type(tokenizer).__name__} cannot be pruned", self.name)
        self.pieces = KINDS[kind](model)
        self.byte_level = is_byte_level(self._content)
        self.size = 1 + max([*self.pieces.ids.values(), *named_ids(self._content)])
        if not self.pieces.stand_ins() and not (self.byte_level and kind == "BPE"):
            raise _refused("the tokenizer has no unknown token to stand for what goes", self.name)

    def fallback_ids(self, counts: np.ndarray | None = None) -> np.ndarray:
        """Ids that every pruned vocabulary keeps, sorted int64: special and added tokens, single characters, and what
        the kind of model needs.

        Single characters, wherever in a word they stand, are what any word can fall back to. Of a byte-level tokenizer
        they are the bytes.

        Args:
            counts: occurrences by id, ``[size]``; then only ASCII characters stay and those of which a piece that
                occurs is made. Text with any other character becomes unknown, or bytes. None keeps all.
        """
        kept = named_ids(self._content) | self.pieces.needed()
        alphabet = None
        if counts is not None and not self.byte_level:
            occur = (self.pieces.bare(piece) for piece, index in self.pieces.ids.items() if counts[index] > 0)
            alphabet = set(map(chr, range(128))).union(*occur)
        for piece, index in self.pieces.ids.items():
            character = self.pieces.bare(piece)
            if len(character) == 1 and (alphabet is None or character in alphabet):
                kept.add(index)
        return np.array(sorted(self.with_ancestors(kept)), dtype=np.int64)

    def with_ancestors(self, ids: Iterable[int]) -> set[int]:
        """These ids and those without which the model cannot arrive at them."""
        found: set[int] = set()
        for index in ids:
            found |= {int(index), *self.pieces.ancestors(int(index))}
        return found

    def pruned(self, kept: Sequence[int] | np.ndarray) -> Any:
        """The tokenizer over the pieces with these ids, which become 0, 1, ... in the given order.

        Args:
            kept: ids to keep; must hold `fallback_ids` and be closed under `with_ancestors`.

        Returns:
            A tokenizer of the same class and settings; `PreTrainedTokenizerFast` where the class would make another.

        Raises:
            TrainError: the smaller tokenizer does not load as it was described.
        """
        new = {int(old): index for index, old in enumerate(kept)}
        content = copy.deepcopy({**self._content, "model": None}) | {"model": self.pieces.pruned(new)}
        renumber(content, new)
        # Both belong to a call, not to the vocabulary, and padding names an id.
        content["truncation"] = content["padding"] = None
        return load_pruned(self._tokenizer, content, self.name)


def _refused(what: str, where: str) -> TrainError:
    return TrainError(
        "T060", what, where,
        "set student.vocabulary to 'full', or use a teacher with a WordPiece, BPE, Unigram or WordLevel tokenizer",
    )  # fmt: skip
