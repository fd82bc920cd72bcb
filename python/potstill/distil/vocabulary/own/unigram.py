"""Unigram over Metaspace, as XLM-R and T5 have: a text is cut where the product of its pieces' frequencies is largest.

Made as in Kudo: Subword Regularization, 2018: many pieces to begin with, of which those go that are missed least, with
frequencies estimated in between. Two things differ. The first pieces are byte-pair encoding's, and frequencies are
counted over the best cut of each word, not over all cuts weighted: counts are whole numbers, whose sum does not depend
on their order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tokenizers import decoders, models, normalizers, pre_tokenizers

from potstill.distil.vocabulary.own import LONGEST, SPECIAL, Folding, merged

PRE_TOKENIZER = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
DECODER = decoders.Metaspace()
# Pieces to begin with for each that is wanted, and the share that stays in a round.
_SEEDS, _STAY = 4, 0.7
# What a character counts that only ever occurs inside of longer pieces.
_UNCUT = 0.5


def normalizer(folding: Folding) -> normalizers.Normalizer:
    """Unicode's compatibility forms made one (full-width letters, ligatures), and what the teacher folds."""
    nfkc = normalizers.NFKC()
    return normalizers.Sequence([nfkc, normalizers.Lowercase()]) if folding.case else nfkc


def alphabet(words: Iterable[str]) -> Sequence[str]:
    """Every character of the words, the mark of their beginning included."""
    return sorted(set[str]().union(*words))


def model(words: Counter[str], alphabet: Sequence[str], size: int) -> models.Model:
    """The model of at most ``size`` pieces; special tokens have the score 0, as sentencepiece gives them.

    Scores are f32 numbers, and so what a packed file holds.
    """
    room = size - len(SPECIAL)
    counts = _made(words, *merged(words, alphabet, max(len(alphabet), _SEEDS * room)))
    counts = _counted(words, _scores(counts), alphabet)
    while len(counts) > room:
        counts = _without_least_missed(counts, alphabet, max(room, math.ceil(_STAY * len(counts))))
        counts = _counted(words, _scores(counts), alphabet)
    scores = {piece: float(np.float32(score)) for piece, score in _scores(counts).items()}
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return models.Unigram([*((token, 0.0) for token in SPECIAL), *ranked], unk_id=1, byte_fallback=False)


def _made(words: Counter[str], pieces: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> dict[str, float]:
    """How often byte-pair encoding made each piece on its way through the words."""
    cutter, ids = models.BPE(dict(pieces), list(merges)), list(pieces)
    found = dict.fromkeys(ids, _UNCUT)
    for word, count in words.items():
        for token in cutter.tokenize(word):
            found[token.value] += count
    # What a piece is made of was there as often, and before it.
    for first, second in reversed(merges):
        for part in (first, second):
            found[part] += found[first + second]
    return found


def _scores(counts: Mapping[str, float]) -> dict[str, float]:
    """Logarithms of the shares."""
    total = math.fsum(counts.values())
    return {piece: math.log(count / total) for piece, count in counts.items()}


def _counted(words: Counter[str], scores: Mapping[str, float], alphabet: Sequence[str]) -> dict[str, float]:
    """How often each piece is used; unused ones are gone, but for single characters."""
    pieces = list(scores)
    cutter = models.Unigram(list(scores.items()), unk_id=0, byte_fallback=False)
    used = [0] * len(pieces)
    for word, count in words.items():
        for token in cutter.tokenize(word):
            used[token.id] += count
    single = set(alphabet)
    return {
        piece: float(count) or _UNCUT for piece, count in zip(pieces, used, strict=True) if count or piece in single
    }


def _without_least_missed(counts: Mapping[str, float], alphabet: Sequence[str], stay: int) -> dict[str, float]:
    """The pieces whose loss would cost most likelihood, ``stay`` of them, single characters first."""
    scores, single = _scores(counts), set(alphabet)

    def missed(piece: str) -> float:
        return counts[piece] * (scores[piece] - _otherwise(piece, scores))

    order = sorted((piece not in single, -missed(piece) if piece not in single else 0.0, piece) for piece in counts)
    chosen = {piece for _, _, piece in order[:stay]}
    return {piece: count for piece, count in counts.items() if piece in chosen}


def _otherwise(piece: str, scores: Mapping[str, float]) -> float:
    """The score of the best cut of a piece into others."""
    best = [0.0] + [-math.inf] * len(piece)
    for end in range(1, len(piece) + 1):
        for start in range(max(0, end - LONGEST), end):
            score = scores.get(piece[start:end])
            if score is not None and end - start < len(piece):
                best[end] = max(best[end], best[start] + score)
    return best[-1]
