"""Byte-level BPE, as RoBERTa and GPT-2 have: a text is a row of bytes, and none is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import decoders, models, normalizers, pre_tokenizers

from potstill.distil.vocabulary.own import SPECIAL, Folding, merged

# A first word has a space before it, like all others, and so have the words of a tagger.
PRE_TOKENIZER = pre_tokenizers.ByteLevel(add_prefix_space=True)
DECODER = decoders.ByteLevel()


def normalizer(folding: Folding) -> normalizers.Normalizer | None:
    """Only what the teacher folds."""
    return normalizers.Lowercase() if folding.case else None


def alphabet(words: Iterable[str]) -> Sequence[str]:
    """The 256 bytes, whatever the words are."""
    del words
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def model(words: Counter[str], alphabet: Sequence[str], size: int) -> models.Model:
    """The model of at most ``size`` pieces."""
    return models.BPE(*merged(words, [*SPECIAL, *alphabet], size))
