"""Rows of words with tags: what is read, and what is refused with which row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.data.hub import pick_splits
from potstill.data.sources import load_data
from potstill.data.splits import Splits
from potstill.errors import DataError
from potstill.models.heads import task_named
from potstill.recipe.schema import Data

TASK = task_named("token-classification")
ROWS = [
    {"tokens": ["Bob", "lives", "in", "New", "York"], "tags": ["B-PER", "O", "O", "B-LOC", "I-LOC"]},
    {"tokens": ["Rain"], "tags": ["O"]},
]


def load(tmp_path: Path, rows: list[dict[str, Any]] | str, suffix: str = "jsonl", **keys: Any) -> Splits:
    path = tmp_path / f"rows.{suffix}"
    text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows)) + "\n"
    path.write_text(text, encoding="utf-8")
    content = {"source": str(path), "text": "tokens", "label": "tags", "split": [0.5, 0.25, 0.25], **keys}
    return load_data(Data.model_validate(content), seed=1, cache=tmp_path / "cache", task=TASK)


def many(rows: list[dict[str, Any]], count: int = 12) -> list[dict[str, Any]]:
    """The rows again and again, each with a word of its own, so that none is dropped."""
    return [
        {"tokens": [*row["tokens"], f"n{number}"], "tags": [*row["tags"], "O"]}
        for number in range(count)
        for row in rows
    ]


def tagged(splits: Splits) -> list[tuple[list[str], list[str]]]:
    parts = (splits.train, splits.validation, splits.test)
    return [
        (list(row["text"]), [splits.labels[tag] for tag in row["label"]]) for part in parts for row in part
    ]  # fmt: skip


def test_json_lines_and_back_from_disk(tmp_path: Path) -> None:
    rows = many(ROWS)
    splits = load(tmp_path, rows)
    assert splits.labels == ["B-LOC", "B-PER", "I-LOC", "O"]
    assert sorted(tagged(splits)) == sorted((row["tokens"], row["tags"]) for row in rows)
    (tmp_path / "saved").mkdir()
    splits.save(tmp_path / "saved")
    again = Splits.load(tmp_path / "saved")
    assert tagged(again) == tagged(splits) and again.fingerprint == splits.fingerprint


def test_parquet_with_numbers_of_the_recipes_labels(tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "rows.parquet"
    rows = many([{"tokens": ["a", "b"], "tags": [0, 1]}])
    table = {"tokens": [row["tokens"] for row in rows], "tags": [[0, 1, 0] for _ in rows]}
    datasets.Dataset.from_dict(table).to_parquet(path)
    data = Data(source=str(path), text="tokens", label="tags", labels=["O", "B-X"])
    splits = load_data(data, seed=1, cache=tmp_path, task=TASK)
    assert splits.labels == ["O", "B-X"] and {tuple(tags) for _, tags in tagged(splits)} == {("O", "B-X", "O")}


def test_class_labels_of_the_hub() -> None:
    import datasets

    names = datasets.ClassLabel(names=["O", "B-PER"])
    features = datasets.Features(
        {"tokens": datasets.Sequence(datasets.Value("string")), "ner": datasets.Sequence(names)}
    )
    table = datasets.Dataset.from_dict({"tokens": [["Bob", "runs"], ["x"]], "ner": [[1, 0], [0]]}, features=features)
    raws = pick_splits({"train": table}, {"train": None}, "tokens", "ner", "hub")
    found, ids = TASK.read_labels(raws, Data(source="x"))
    assert found == ["O", "B-PER"] and ids == {"train": [[1, 0], [0]]}
    # The recipe may list them in another order.
    assert TASK.read_labels(raws, Data(source="x", labels=["B-PER", "O"]))[1] == {"train": [[0, 1], [1]]}


CONLL = """-DOCSTART- -X- O

Bob NNP B-PER
lives VBZ O

New\tNNP\tB-LOC
York\tNNP\tI-LOC
"""


def test_conll(tmp_path: Path) -> None:
    sentences = "\n".join(f"Rain\tO\nn{number}\tO\n" for number in range(10))
    (tmp_path / "more.txt").write_text("no tags  here\n")
    splits = load(tmp_path, CONLL + "\n" + sentences, "conll", unlabelled=[str(tmp_path / "more.txt")])
    found = tagged(splits)
    assert (["Bob", "lives"], ["B-PER", "O"]) in found and (["New", "York"], ["B-LOC", "I-LOC"]) in found
    assert len(found) == 12
    assert [list(row["text"]) for row in splits.unlabelled] == [["no", "tags", "here"]]


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "D032", "1 tags for 2 words; .*row 2"),
        ({"tokens": [], "tags": []}, "D005", "row 2"),
        ({"tokens": ["a", " "], "tags": ["O", "O"]}, "D005", "word 2 is empty; .*row 2"),
        ({"tokens": None, "tags": ["O"]}, "D005", "row 2"),
        ({"tokens": ["a"], "tags": None}, "D020", "row 2"),
        ({"tokens": ["a"], "tags": [None]}, "D020", "row 2"),
        ({"tokens": ["a"], "tags": ["B-OGR"]}, "D004", "B-OGR.*row 2.*did you mean 'B-ORG'"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path: Path, row: dict[str, Any], code: str, said: str) -> None:
    rows = [{"tokens": ["x", "y"], "tags": ["O", "B-ORG"]}, row]
    with pytest.raises(DataError, match=f"(?s){code}.*{said}"):
        load(tmp_path, rows, labels=["O", "B-ORG"])


def test_texts_are_refused_and_so_are_single_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"D008.*row 1"):
        load(tmp_path, [{"tokens": "Bob lives", "tags": "O"}])
    with pytest.raises(DataError, match=r"D011.*line 2"):
        load(tmp_path, [{"tokens": ["Bob"], "tags": ["O"]}, {"tokens": "Bob lives", "tags": ["O", "O"]}])
    with pytest.raises(DataError, match=r"D008.*row 1"):
        load(tmp_path, [{"tokens": ["Bob"], "tags": "O"}])
    with pytest.raises(DataError, match=r"D007.*all training words have the one label 'O'"):
        load(tmp_path, many([{"tokens": ["a"], "tags": ["O"]}, {"tokens": ["b", "c"], "tags": ["O", "O"]}]))
    with pytest.raises(DataError, match=r"D033.*line 2"):
        load(tmp_path, "Bob B-PER\nlives\n", "conll")


def test_word_lists_are_no_texts_for_other_tasks(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n")
    with pytest.raises(DataError, match=r"D019"):
        load_data(Data(source=str(path), text="tokens", label="tags"), seed=1, cache=tmp_path)
