"""Dealing rows: fixed by the seed, the same for any order of rows, no text in two splits."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from potstill.data.splits import Rows, Splits, deal, make_splits, text_key
from potstill.errors import DataError


def rows(count: int = 200, classes: int = 3) -> Rows:
    return Rows([f"text number {i}" for i in range(count)], [i % classes for i in range(count)])


def split(
    given: dict[str, Rows], seed: int = 3, limit: int | None = None, unlabelled: list[str] | None = None
) -> Splits:
    labels = ["a", "b", "c"]
    return make_splits(
        given, unlabelled, labels, split=[0.8, 0.1, 0.1], seed=seed, limit=limit, where="x", note=lambda text: None
    )


def test_same_seed_same_splits_other_seed_others() -> None:
    one, two, other = split({"train": rows()}), split({"train": rows()}), split({"train": rows()}, seed=4)
    assert one.fingerprint == two.fingerprint
    assert one.test["text"][:] == two.test["text"][:]
    assert set(one.test["text"]) != set(other.test["text"])


def test_the_fingerprint_is_pinned() -> None:
    # Another value means that everybody's data is dealt anew, and no figure is comparable with an earlier one.
    assert split({"train": rows()}).fingerprint == "fe4238c29467921f7362e2662d3ec32c48dfff65853d46ccc3cde766e9615da7"


def test_order_of_rows_does_not_matter() -> None:
    given = rows()
    order = list(range(len(given)))
    random.Random(0).shuffle(order)
    shuffled = given.pick(order)
    assert set(split({"train": given}).test["text"]) == set(split({"train": shuffled}).test["text"])


def test_classes_keep_their_proportions() -> None:
    given = Rows([f"t {i}" for i in range(1000)], [0 if i < 900 else 1 for i in range(1000)])
    train, validation, test = deal(given, [0.8, 0.1, 0.1], 1)
    assert [part.labels.count(1) for part in (train, validation, test)] == [80, 10, 10]
    assert [part.labels.count(0) for part in (train, validation, test)] == [720, 90, 90]
    assert sorted(train.texts + validation.texts + test.texts) == sorted(given.texts)


def test_equal_texts_are_one_row() -> None:
    given = rows()
    doubled = Rows(given.texts + [f"{text.upper()}!" for text in given.texts], given.labels * 2)
    made = split({"train": doubled})
    keys = [text_key(text) for part in (made.train, made.validation, made.test) for text in part["text"]]
    assert len(keys) == len(set(keys)) == 200


def test_a_given_test_split_wins_over_train() -> None:
    train, test = rows(), rows(60).pick(range(30, 60))
    made = split({"train": train, "test": test})
    assert made.test["text"][:] == test.texts
    assert not set(made.test["text"]) & (set(made.train["text"]) | set(made.validation["text"]))


def test_unlabelled_texts_of_the_test_split_are_dropped() -> None:
    made = split({"train": rows()}, unlabelled=["new one", "Text number 5!", "new one", "new two"])
    assert made.unlabelled is not None
    assert made.unlabelled["text"][:] == ["new one", "new two"]


def test_limit_cuts_the_training_rows_only() -> None:
    full, cut = split({"train": rows()}), split({"train": rows()}, limit=60)
    assert len(cut.train) == 60
    assert cut.test["text"][:] == full.test["text"][:]
    assert [cut.train["label"][:].count(label) for label in range(3)] == [20, 20, 20]


def test_texts_without_words_are_told_apart() -> None:
    assert text_key("☕") != text_key("🍵")
    assert text_key("Don't!") == text_key("don t")
    # Marks are vowels: ka and ki in Hindi, "tooth" and "lung" but for a tone in Thai.
    assert text_key("\u0915\u093e") != text_key("\u0915\u0940") and text_key("\u0e1b\u0e2d\u0e14") != text_key(
        "\u0e1b\u0e2d\u0e48\u0e14"
    )
    assert text_key("\u4e2d\u6587\u3002") == text_key("\u4e2d\u6587")


def test_saved_splits_come_back(tmp_path: Path) -> None:
    made = split({"train": rows()}, unlabelled=["more text"])
    made.save(tmp_path)
    back = Splits.load(tmp_path)
    assert (back.labels, back.fingerprint) == (made.labels, made.fingerprint)
    assert back.labelled_fingerprint == made.labelled_fingerprint
    assert back.train[:] == made.train[:]
    assert back.test[:] == made.test[:]
    assert back.unlabelled is not None
    assert back.unlabelled["text"][:] == ["more text"]
    assert made.labelled().unlabelled is None


def test_empty_given_split() -> None:
    with pytest.raises(DataError) as caught:
        split({"train": rows(), "validation": Rows()})
    assert caught.value.code == "D006"
    assert "validation" in caught.value.what
