"""Augmentation: near words, dropped words, the same texts for the same seed and row."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import families
from potstill.distil.train.augment import augment, embedding_table, neighbours, with_augmented
from potstill.models.classifier import load_classifier
from potstill.models.tokens import load_tokenizer
from potstill.work.progress import QuietProgress

TEXTS = ["the film was good and we saw it", "Then, the dull Film!", "unknownword film", "good"]


@pytest.fixture
def tokenizer(tiny_teacher: Path) -> Any:
    return load_tokenizer(tiny_teacher)


@pytest.fixture
def table(tiny_teacher: Path) -> np.ndarray:
    return embedding_table(load_classifier(tiny_teacher))


def test_neighbours_are_the_most_similar_and_not_the_piece_itself() -> None:
    angles = np.array([0.0, 0.1, 0.3, 3.0, 0.05])
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * [[1], [5], [1], [1], [1]]
    near = neighbours(table.astype(np.float32), [0, 3, 4], [0, 1, 2, 3])
    assert near[0].tolist() == [1, 2, 3]
    assert near[3].tolist() == [2, 1, 0]
    assert 4 not in near, "not one that may stand alone"


def test_new_texts_use_words_of_the_vocabulary_and_keep_the_rest(tokenizer: Any, table: np.ndarray) -> None:
    made = augment(TEXTS, tokenizer, table, 8, seed=1)
    assert 20 < len(made) <= 32
    assert not set(made) & set(TEXTS)
    known = set(tokenizer.get_vocab())
    for text in made:
        assert text.strip() == text and "[" not in text
        for word in text.replace(",", " ").replace("!", " ").split():
            assert word.lower() in known or word == "unknownword"
    assert any("," in text for text in made), "what stands between words stays"


@pytest.mark.parametrize("kind", ["roberta_bpe", "llama_bpe", "xlm_unigram", "t5_unigram"])
def test_pieces_that_hold_the_space_before_their_word(kind: str) -> None:
    """New texts have what words begin with, and spaces between; ends of words stand nowhere by themselves."""
    made_for = getattr(families, kind)()
    texts = families.sentences(20, seed=4)
    table = np.random.default_rng(0).standard_normal((len(made_for), 8)).astype(np.float32)
    made = augment(texts, made_for, table, 4, seed=1)
    words = {*families.GOOD, *families.BAD, *families.PLAIN}
    assert len(made) > 60
    new = 0
    for text in made:
        for word in text.split():
            assert any(whole.startswith(word.strip(".!")) for whole in words), text
    for text, first in zip(texts, augment(texts, made_for, table, 1, seed=1), strict=False):
        new += len(set(first.split()) - set(text.split()))
    assert new > 20, "words were replaced, not only dropped"


def test_a_text_depends_on_seed_row_and_copy_alone(tokenizer: Any, table: np.ndarray) -> None:
    one = augment(TEXTS[:1], tokenizer, table, 4, seed=1)
    assert augment(TEXTS, tokenizer, table, 4, seed=1)[: len(one)] == one
    assert augment(TEXTS[:1], tokenizer, table, 2, seed=1) == one[:2]
    assert augment(TEXTS[:1], tokenizer, table, 4, seed=2) != one
    assert len(set(one)) > 1


def test_a_text_never_becomes_empty(tokenizer: Any, table: np.ndarray) -> None:
    made = augment(["good bad"] * 50 + ["", "  "], tokenizer, table, 4, seed=3)
    assert made and all(text.strip() for text in made)


def test_splits_get_the_texts_unlabelled(tiny_teacher: Path, tokenizer: Any) -> None:
    teacher = load_classifier(tiny_teacher)
    splits = SimpleNamespace(train={"text": TEXTS, "label": [0, 1, 0, 1]}, unlabelled=None)
    more = with_augmented(splits, tokenizer, teacher, copies=3, seed=1, progress=QuietProgress())
    assert more.unlabelled.column_names == ["text"] and 0 < len(more.unlabelled) <= 12
    assert more.train is splits.train and splits.unlabelled is None
    assert with_augmented(splits, tokenizer, teacher, copies=0, seed=1, progress=QuietProgress()) is splits
