"""Tables of 100,000 pieces and more are pruned in seconds, exactly too."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import trained
from potstill.distil.vocabulary.choice import choose_vocabulary
from potstill.recipe.schema import Student

LETTERS = "abcdefghijklmn"
# Processor time; about 2 s where nothing else runs.
SECONDS = 20


def words() -> list[str]:
    """All strings of up to 4 of 14 letters, and 64,000 of 5."""
    source = random.Random(1)
    short = ["".join(each) for size in range(1, 5) for each in itertools.product(LETTERS, repeat=size)]
    return list(dict.fromkeys([*short, *("".join(source.choices(LETTERS, k=5)) for _ in range(64_000))]))


def dense_bpe() -> Tokenizer:
    """A merge for every way to split a piece, as tables converted from tiktoken have, in no order; 330,000 merges."""
    pieces = words()
    merges = [(piece[:at], piece[at:]) for piece in pieces for at in range(1, len(piece))]
    random.Random(2).shuffle(merges)
    table = {piece: at for at, piece in enumerate([*trained.SPECIAL, *pieces])}
    return Tokenizer(models.BPE(table, merges, unk_token="<unk>"))


def dense_unigram() -> Tokenizer:
    """Scores with many ties, and a lowest one that no text uses."""
    source = random.Random(3)
    scored = [(piece, -float(source.randint(4, 12))) for piece in words()]
    return Tokenizer(models.Unigram([*((name, 0.0) for name in trained.SPECIAL), *scored, ("zz", -99.0)], unk_id=3))


@pytest.mark.parametrize("make", [dense_bpe, dense_unigram])
def test_a_large_table_is_pruned_in_seconds(make: Callable[[], Tokenizer]) -> None:
    found = make()
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = trained.fast(found)
    source = random.Random(4)

    def text() -> str:
        return " ".join("".join(source.choices(LETTERS + "q", k=source.randint(1, 9))) for _ in range(4))

    texts, others = [text() for _ in range(1500)], [text() for _ in range(3000)]
    rows = [np.array(row) for row in tokenizer(texts)["input_ids"]]
    settings: dict[str, Any] = {"vocabulary": "seen", "vocabulary_min_count": 1, "vocabulary_unlabelled_weight": 1.0}
    student = Student.model_construct(**settings, vocabulary_characters="seen", vocabulary_size=None)
    start = time.process_time()
    pruned = choose_vocabulary(student, tokenizer, rows)
    assert time.process_time() - start < SECONDS
    assert pruned.teacher_size > 100_000 and pruned.size < 20_000 and pruned.kept is not None
    theirs = [*rows, *(np.array(row) for row in tokenizer(others)["input_ids"])]
    held, compared = set(pruned.kept.tolist()), 0
    for row, own in zip(theirs, pruned.tokenizer(texts + others)["input_ids"], strict=True):
        if held.issuperset(row.tolist()):
            compared += 1
            assert pruned.kept[own].tolist() == row.tolist()
    assert compared > len(texts), "texts that did not choose are compared as well"
