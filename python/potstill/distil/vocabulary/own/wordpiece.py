"""WordPiece, with what BERT has around it: words are cut at spaces, punctuation and Chinese characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import decoders, models, normalizers, pre_tokenizers

from potstill.distil.vocabulary.own import SPECIAL, Folding, merged

PRE_TOKENIZER = pre_tokenizers.BertPreTokenizer()
DECODER = decoders.WordPiece()
_PREFIX = "##"
# BERT's is 100; a clause of Thai, which has no spaces between words, may be longer.
_MOST_CHARACTERS = 200


def normalizer(folding: Folding) -> normalizers.Normalizer:
    """BERT's."""
    return normalizers.BertNormalizer(lowercase=folding.case, strip_accents=folding.accents)


def alphabet(words: Iterable[str]) -> Sequence[str]:
    """Every character alone, and those continuing a word that do so."""
    alone, continuing = set[str](), set[str]()
    for word in words:
        alone.update(word)
        continuing.update(word[1:])
    return [*sorted(alone), *(_PREFIX + character for character in sorted(continuing))]


def model(words: Counter[str], alphabet: Sequence[str], size: int) -> models.Model:
    """The model of at most ``size`` pieces."""
    vocabulary, _ = merged(words, [*SPECIAL, *alphabet], size, _PREFIX)
    return models.WordPiece(
        vocabulary, unk_token=SPECIAL[1], continuing_subword_prefix=_PREFIX, max_input_chars_per_word=_MOST_CHARACTERS
    )
