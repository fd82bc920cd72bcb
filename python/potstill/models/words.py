"""Rows of words as token rows: where each word begins, and what is known of it at that place.

The first piece of a word carries its label and its answer, as in Devlin et al.: BERT, 2019, section 5.3; all other
places are left out of losses. Arrays called `words` hold, for each word of a row, the place of its first piece in the
token row, or -1 where the cut to max_tokens took the word away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from potstill.errors import TrainError
from potstill.models.tokens import NO_LABEL, check_limit
from potstill.runtime.rows import kept_places


def encode_words(
    tokenizer: Any, rows: Sequence[Sequence[str]], max_tokens: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Token ids of rows of words, specials included, cut to max_tokens, and `words` of each: lists of int32 arrays.

    A word that the tokenizer drops (control characters alone) is read as the unknown token.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        rows: the words.
        max_tokens: tokens kept of each row.

    Raises:
        TrainError: as `tokens.encode`; a word has no token, and the tokenizer none for unknown words.
    """
    check_limit(int(getattr(tokenizer, "model_max_length", 0) or 0), max_tokens)

    def encoded(given: Sequence[Sequence[str]]) -> Any:
        words = [list(row) for row in given]
        return tokenizer(words, is_split_into_words=True, padding=False, return_attention_mask=False, verbose=False)

    found = encoded(rows)
    ids, places = [], []
    for number, row in enumerate(rows):
        whole, of = found["input_ids"][number], found.word_ids(number)
        if len({word for word in of if word is not None}) < len(row):
            again = encoded([_readable(row, of, tokenizer.unk_token)])
            whole, of = again["input_ids"][0], again.word_ids(0)
        first = np.full(len(row), -1, np.int32)
        for place in range(len(of) - 1, -1, -1):
            if of[place] is not None:
                first[of[place]] = place
        if len(whole) > max_tokens:
            kept = kept_places(of, max_tokens)
            whole = [whole[place] for place in kept]
            # What was cut off stood behind all words that stay.
            first[~np.isin(first, kept)] = -1
        ids.append(np.asarray(whole, np.int32))
        places.append(first)
    return ids, places


def _readable(row: Sequence[str], of: Sequence[int | None], unknown: str | None) -> list[str]:
    """The words, those that gave no piece as the unknown token."""
    seen = set(of)
    if unknown is None:
        word = next(word for index, word in enumerate(row) if index not in seen)
        raise TrainError(
            "T132", f"the tokenizer has no token for the word {word!r}, and none for unknown words", "the tokenizer",
            "give it an unknown token, or one of bytes all 256 of them; or take another tokenizer",
        )  # fmt: skip
    return [word if index in seen else unknown for index, word in enumerate(row)]


class AtFirstPieces:
    """A column of teacher logits ``[words, labels]`` a row as ``[length, labels]`` f32 of the student's row, NaN where
    the teacher has nothing to say.

    Args:
        column: the teacher's, by row.
        words: of the student's rows; the teacher may cut words otherwise.
        lengths: tokens of the student's rows.
    """

    def __init__(self, column: Any, words: Sequence[Any], lengths: Sequence[int]) -> None:
        self._column, self._words, self._lengths = column, words, lengths

    def __getitem__(self, row: int) -> np.ndarray:
        """The row."""
        return at_tokens(np.asarray(self._column[row]), np.asarray(self._words[row]), self._lengths[row], np.nan)


def at_tokens(values: np.ndarray, words: np.ndarray, length: int, fill: float) -> np.ndarray:
    """Something with one entry a word, ``[words, ...]``, at the words' first pieces of ``[length, ...]``."""
    found = np.full((length, *values.shape[1:]), fill, values.dtype)
    kept = words >= 0
    found[words[kept]] = values[kept]
    return found


def at_words(values: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The reverse: ``[words, ...]`` out of ``[length, ...]``, NaN for words that were cut away."""
    found = np.full((len(words), *values.shape[1:]), np.nan, values.dtype)
    kept = words >= 0
    found[kept] = values[words[kept]]
    return found


def answered(
    logits: torch.Tensor, labels: torch.Tensor | None, taught: torch.Tensor | None, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """What losses compare of a batch, one row a word.

    Args:
        logits: the student's, ``[batch, length, labels]``.
        labels: ``[batch, length]`` int64, -100 where no word begins; a row of -100 alone has no tags, and counts with
            all its tokens.
        taught: the teacher's logits, ``[batch, length, labels]``, NaN where it has nothing to say.
        mask: ``[batch, length]``, 1 for real tokens.

    Returns:
        The student's logits ``[words, labels]``, labels ``[words]`` and the teacher's logits ``[words, labels]``.
    """
    chosen = mask.bool()
    if labels is not None:
        tagged = labels != NO_LABEL
        chosen = chosen & (tagged | ~tagged.any(dim=1, keepdim=True))
    if taught is not None:
        chosen = chosen & ~taught[..., 0].isnan()
    return logits[chosen], None if labels is None else labels[chosen], None if taught is None else taught[chosen]
