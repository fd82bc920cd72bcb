"""Label columns with any number of labels a row, as lists and as texts; how such rows are dealt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.data import load_data
from potstill.data.label_sets import label_set_ids, label_set_names, label_sets
from potstill.data.labels import Raw
from potstill.data.splits import Rows, Splits, deal
from potstill.errors import DataError
from potstill.models.heads import task_named
from potstill.recipe.schema import Data


def raw(*labels: Any, names: list[str] | None = None) -> Raw:
    return Raw([f"text {i}" for i in range(len(labels))], list(labels), "here", names=names)


def test_texts_and_lists() -> None:
    assert label_sets(raw("a; b", "", "b ;;a"), ";") == [["a", "b"], [], ["b", "a"]]
    assert label_sets(raw("a|b;c"), "|") == [["a", "b;c"]]
    assert label_sets(raw(["a", "b"], [], [3, True]), ";") == [["a", "b"], [], ["3", "true"]]
    assert label_sets(raw([1, 0], names=["x", "y"]), ";") == [["y", "x"]]


def test_names_and_ids() -> None:
    rows = raw("b;a", "", "c;b;b")
    assert label_set_names(rows, None, ";") == ["a", "b", "c"]
    assert label_set_names(raw([10], [9, 2]), None, ";") == ["2", "9", "10"]
    assert label_set_names(rows, ["c", "b", "a"], ";") == ["c", "b", "a"]
    assert label_set_ids(rows, ["c", "b", "a"], ";") == [[1, 2], [], [0, 1]]
    # Numbers where the recipe names the labels.
    assert label_set_ids(raw([2, 0]), ["c", "b", "a"], ";") == [[0, 2]]


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ((["a"], ["z"]), "D004"),
        ((["a"], None), "D020"),
        ((["a"], 1.5), "D008"),
        (([["a"]],), "D008"),
        (([], ""), "D030"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(labels: tuple[Any, ...], code: str) -> None:
    rows = raw(*labels)
    with pytest.raises(DataError) as error:
        label_set_names(rows, None, ";")
        label_set_ids(rows, ["a", "b"], ";")
    assert error.value.code == code
    assert "here" in error.value.where


def test_rows_are_dealt_by_their_rarest_label() -> None:
    # Label 1 is in every fifth row, and must be in every split in proportion, whatever it stands beside.
    rows = Rows([f"t {i}" for i in range(500)], [[0, 1] if i % 5 == 0 else [0] if i % 2 else [] for i in range(500)])
    for part, size in zip(deal(rows, [0.8, 0.1, 0.1], 3), (400, 50, 50), strict=True):
        assert len(part) == size
        assert sum(1 in labels for labels in part.labels) == size // 5


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_becomes_splits_and_comes_back(tmp_path: Path, suffix: str) -> None:
    sets = [["good"], ["good", "new"], [], ["new"]]
    rows = [(f"text number {i}", sets[i % 4]) for i in range(80)]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "csv":
        path.write_text("text,label\n" + "".join(f"{text},{';'.join(names)}\n" for text, names in rows))
    else:
        path.write_text("".join(json.dumps({"text": text, "label": names}) + "\n" for text, names in rows))
    task = task_named("multi-label")
    splits = load_data(Data(source=str(path)), seed=1, cache=tmp_path / "cache", task=task)
    assert splits.labels == ["good", "new"]
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 80
    by_text = dict(rows)
    for row in splits.test:
        assert [splits.labels[i] for i in row["label"]] == by_text[row["text"]]
    folder = tmp_path / "stored"
    folder.mkdir()
    splits.save(folder)
    again = Splits.load(folder)
    assert list(again.train["label"]) == list(splits.train["label"])
    assert again.fingerprint == splits.fingerprint
    assert task.label_array(list(again.test["label"]), 2).shape == (len(splits.test), 2)


def test_rows_that_all_have_the_same_labels_teach_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"text number {i},a;b\n" for i in range(60)))
    with pytest.raises(DataError, match="D007"):
        load_data(Data(source=str(path)), seed=1, cache=tmp_path, task=task_named("multi-label"))
