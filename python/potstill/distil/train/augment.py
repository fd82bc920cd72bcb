"""More training texts from the ones there are: words replaced by near ones of the teacher's table, or dropped.

TinyBERT's augmentation (Jiao et al., 2020, algorithm 1), with the teacher's own embedding table in place of GloVe and
of a masked language model. New texts carry no label: the teacher says what they mean, so a replacement that turns the
meaning (good, bad) does no harm. Texts are made, not token ids: any tokenizer can cut them, a pruned one included.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from potstill.work.processes import current
from potstill.work.progress import Progress

if TYPE_CHECKING:
    from potstill.data.splits import Splits

# The paper's: a word is replaced with this probability, by one of so many nearest words.
REPLACE = 0.4
NEIGHBOURS = 15
# A word goes with this probability (Wei and Zou: EDA, 2019, use 0.1), the last one never.
DROP = 0.1
# The space before a word in a piece: SentencePiece's, and that of byte-level BPE, which elsewhere is a letter.
_MARKS = ("\u2581", "\u0120")
# Pieces whose neighbours are looked up at once: 1,024 x 30,000 similarities are 120 MB.
_CHUNK = 1024


def with_augmented(
    splits: Splits, tokenizer: Any, teacher: nn.Module, *, copies: int, seed: int, progress: Progress
) -> Splits:
    """The splits with ``copies`` new texts for each training text among the unlabelled ones; as they are for 0.

    Args:
        splits: needs ``train`` and ``unlabelled`` (columns ``text``), the latter may be None.
        tokenizer: the teacher's, a fast one.
        teacher: gives the embedding table.
        copies: new texts for a training text.
        seed: with the row and the copy it decides the text.
        progress: reports how many texts were made.
    """
    if copies == 0:
        return splits
    from datasets import Dataset

    texts = list(splits.train["text"])
    # Made once and told to all: where two neighbours are equally near, machines might choose differently.
    made = current().broadcast(lambda: augment(texts, tokenizer, embedding_table(teacher), copies, seed))
    progress.message(f"  augmentation: {len(made):,} new texts of {len(texts):,}")
    given = list(splits.unlabelled["text"]) if splits.unlabelled is not None else []
    more = copy.copy(splits)
    more.unlabelled = Dataset.from_dict({"text": [*given, *made]})
    return more


def embedding_table(model: nn.Module) -> np.ndarray:
    """The word embeddings of a classifier, ``[pieces, width]`` f32."""
    body: Any = getattr(model, "body", model)
    return body.get_input_embeddings().weight.detach().float().cpu().numpy()


def augment(texts: Sequence[str], tokenizer: Any, table: np.ndarray, copies: int, seed: int) -> list[str]:
    """New texts, decided by (seed, row, copy) alone; those equal to their original are left out.

    Args:
        texts: the originals.
        tokenizer: a fast tokenizer, which knows the part of the text of each piece.
        table: the embedding of each piece, ``[pieces, width]``.
        copies: texts made of each.
        seed: any number.
    """
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    words = [_words(encoded, row) for row in range(len(texts))]
    used = sorted({piece for row in words for piece, _, _ in row if piece is not None})
    spelled = _whole_words(tokenizer, len(table))
    near = neighbours(table, used, list(spelled))
    made = []
    for row, text in enumerate(texts):
        for number in range(copies):
            random = np.random.default_rng([seed, row, number])
            new = _rewrite(text, words[row], near, spelled, random)
            if new != text and new.strip():
                made.append(new)
    return made


def neighbours(table: np.ndarray, pieces: Sequence[int], among: Sequence[int]) -> dict[int, np.ndarray]:
    """For each piece that is one of ``among``, the `NEIGHBOURS` others of them most similar by cosine."""
    allowed = np.asarray(among, dtype=np.int64)
    wanted = np.intersect1d(np.asarray(pieces, dtype=np.int64), allowed)
    count = min(NEIGHBOURS, len(allowed) - 1)
    if not len(wanted) or count < 1:
        return {}
    unit = torch.from_numpy(table[allowed]).clone()
    unit /= unit.norm(dim=1, keepdim=True).clamp(min=1e-12)
    own = np.searchsorted(allowed, wanted)
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = own[start : start + _CHUNK]
        likeness = unit[rows] @ unit.T
        likeness[torch.arange(len(rows)), torch.from_numpy(rows)] = -2.0
        nearest = likeness.topk(count, dim=1).indices.numpy()
        found |= {int(piece): allowed[row] for piece, row in zip(wanted[start : start + _CHUNK], nearest, strict=True)}
    return found


def _whole_words(tokenizer: Any, count: int) -> dict[int, str]:
    """Pieces that are a whole word of letters, and that word: what may stand in a text by itself.

    Where pieces have a mark for the space before a word, those without it may be the end of one.
    """
    special = set(tokenizer.all_special_ids)
    pieces = tokenizer.convert_ids_to_tokens(list(range(min(count, len(tokenizer)))))
    between = "".join(tokenizer.tokenize("a a"))[-2]
    mark = between if between in _MARKS else ""
    found = {}
    for number, piece in enumerate(pieces):
        if number in special or not piece or not piece.startswith(mark):
            continue
        word = tokenizer.convert_tokens_to_string([piece]).strip() if mark else piece
        if word.isalpha():
            found[number] = word
    return found


def _words(encoded: Any, row: int) -> list[tuple[int | None, int, int]]:
    """Words of a text: (piece, start, end); piece is None for a word of several."""
    found: list[tuple[int | None, int, int]] = []
    last = None
    for word, piece, (start, end) in zip(
        encoded.word_ids(row), encoded["input_ids"][row], encoded["offset_mapping"][row], strict=True
    ):
        if word is not None and word == last:
            found[-1] = (None, found[-1][1], end)
        else:
            found.append((piece, start, end))
        last = word
    return found


def _rewrite(
    text: str,
    words: Sequence[tuple[int | None, int, int]],
    near: dict[int, np.ndarray],
    spelled: Mapping[int, str],
    random: np.random.Generator,
) -> str:
    drop, replace, choice = random.random((3, max(1, len(words))))
    left, parts, at = len(words), [], 0
    for index, (piece, start, end) in enumerate(words):
        parts.append(text[at:start])
        at = end
        if drop[index] < DROP and left > 1:
            left -= 1
        elif piece in near and replace[index] < REPLACE:
            candidates, given = near[piece], text[start:end]
            # A piece may stand for the space before its word too.
            parts.append(given[: len(given) - len(given.lstrip())])
            parts.append(spelled[int(candidates[int(choice[index] * len(candidates))])])
        else:
            parts.append(text[start:end])
    return " ".join(("".join(parts) + text[at:]).split())
