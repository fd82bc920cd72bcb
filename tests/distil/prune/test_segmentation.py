"""Pruned tokenizers of every kind cut texts as the whole ones do, wherever these use kept pieces only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trained
from potstill.distil.vocabulary.choice import Vocabulary, aligned_ids, choose_vocabulary
from potstill.recipe.schema import Student

KINDS = list(trained.KINDS)
CHOICES: list[dict[str, Any]] = [
    {},
    {"vocabulary_characters": "seen"},
    {"vocabulary_size": 450},
    {"vocabulary_min_count": 3, "vocabulary_characters": "seen", "vocabulary_size": 400},
]


def settings(**changes: Any) -> Student:
    sizes: dict[str, Any] = {"vocabulary_min_count": 1, "vocabulary_size": None, "vocabulary_unlabelled_weight": 1.0}
    return Student.model_construct(**{"vocabulary": "seen", "vocabulary_characters": "all", **sizes, **changes})


def ids(tokenizer: Any, texts: list[str]) -> list[np.ndarray]:
    return [np.array(row) for row in tokenizer(texts)["input_ids"]]


class Case:
    """A trained tokenizer, the texts that choose, and others."""

    def __init__(self, kind: str, seed: int) -> None:
        source = trained.Texts(seed)
        self.kind = kind
        self.tokenizer = trained.fast(trained.KINDS[kind](source.make(1000), 800))
        self.texts, self.others = source.make(150), source.make(300)
        self.rows = ids(self.tokenizer, self.texts)

    def choose(self, **changes: Any) -> Vocabulary:
        return choose_vocabulary(settings(**changes), self.tokenizer, self.rows)

    def comparable(self, row: np.ndarray, held: set[int]) -> bool:
        """All pieces are kept. A word that WordPiece cannot cut to its end may fall into pieces over fewer."""
        unknown = self.kind == "wordpiece" and self.tokenizer.unk_token_id in row
        return held.issuperset(row.tolist()) and not unknown


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param, 1)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_cut_is_the_teachers_wherever_its_pieces_are_kept(case: Case, choice: dict[str, Any]) -> None:
    found = case.choose(**choice)
    assert found.kept is not None and len(found.kept) == len(found.tokenizer) == found.size < found.teacher_size
    texts = case.texts + case.others
    theirs = ids(case.tokenizer, texts)
    ours = aligned_ids(ids(found.tokenizer, texts), found.kept)
    held = set(found.kept.tolist())
    compared = [at for at, row in enumerate(theirs) if case.comparable(row, held)]
    assert len(compared) > 100
    for at in compared:
        assert ours[at].tolist() == theirs[at].tolist(), texts[at]
    if "vocabulary_size" not in choice and "vocabulary_min_count" not in choice:
        assert all(held.issuperset(row.tolist()) for row in theirs[: len(case.texts)])
    # The pieces are the same, and each token's text too.
    back = case.tokenizer.convert_ids_to_tokens
    assert found.tokenizer.convert_ids_to_tokens(range(found.size)) == back(found.kept.tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_is_met_and_dropped_words_are_still_read(kind: str) -> None:
    """Ancestors count, and words that went are spelt without anything unknown, except in a table of words."""
    case = Case(kind, 3)
    least = len(case.choose(vocabulary_min_count=1 << 30).kept)  # type: ignore[arg-type]
    most = case.choose().size
    for size in (least + 1, (least + most) // 2):
        found = case.choose(vocabulary_size=size)
        assert found.size == size, (least, most)
    found = case.choose(vocabulary_size=least)
    unknown = [
        (np.array(row) == found.tokenizer.unk_token_id).sum() for row in found.tokenizer(case.texts)["input_ids"]
    ]
    before = [(row == case.tokenizer.unk_token_id).sum() for row in case.rows]
    assert (sum(unknown) == sum(before)) == (kind != "wordlevel")
