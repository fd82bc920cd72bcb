"""Rows of two texts: read, checked, deduplicated as pairs, stored and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from potstill.data import load_data
from potstill.data.splits import Rows, Splits, drop_duplicates
from potstill.errors import DataError, RecipeError
from potstill.models.recipes import parse_recipe
from potstill.recipe.schema import Data


def write(path: Path, rows: list[dict[str, object]]) -> Data:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Data(source=str(path), text="question", text_pair="answer", label="fits")


def rows(count: int) -> list[dict[str, object]]:
    return [{"question": f"why {i // 2}", "answer": f"for {i}", "fits": ["no", "yes"][i % 2]} for i in range(count)]


def test_pairs_become_splits_and_come_back(tmp_path: Path) -> None:
    splits = load_data(write(tmp_path / "rows.jsonl", rows(100)), seed=1, cache=tmp_path / "cache")
    assert splits.test.column_names == ["text", "label", "text_pair"]
    answers = {row["answer"]: row for row in rows(100)}
    for row in splits.train:
        original = answers[row["text_pair"]]
        assert row["text"] == original["question"] and splits.labels[row["label"]] == original["fits"]
    folder = tmp_path / "stored"
    folder.mkdir()
    splits.save(folder)
    assert list(Splits.load(folder).test["text_pair"]) == list(splits.test["text_pair"])
    # Every question stands twice: only the pair makes a row.
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 100


def test_the_fingerprint_sees_the_second_text(tmp_path: Path) -> None:
    one = load_data(write(tmp_path / "one.jsonl", rows(60)), seed=1, cache=tmp_path / "cache")
    changed = [{**row, "answer": f"{row['answer']} not"} for row in rows(60)]
    other = load_data(write(tmp_path / "other.jsonl", changed), seed=1, cache=tmp_path / "cache")
    assert one.fingerprint != other.fingerprint


def test_equal_pairs_are_one_row() -> None:
    given = Rows(["a b", "A, b!", "a b"], [0, 0, 1], ["c", "C.", "d"])
    kept = drop_duplicates(given, set())
    assert (kept.texts, kept.pairs) == (["a b", "a b"], ["c", "d"])


@pytest.mark.parametrize(
    ("change", "code"), [({"answer": " "}, "D005"), ({"answer": None}, "D005"), ({"reply": "x"}, "")]
)
def test_what_is_wrong_with_second_texts(tmp_path: Path, change: dict[str, object], code: str) -> None:
    data = write(tmp_path / "rows.jsonl", [*rows(40), {**rows(1)[0], **change}])
    if not code:
        data = data.model_copy(update={"text_pair": "answr"})
    with pytest.raises(DataError, match=code or "D003.*did you mean 'answer'.*data.text_pair"):
        load_data(data, seed=1, cache=tmp_path / "cache")


def test_recipes_that_ask_for_pairs_where_there_are_none() -> None:
    content = {"name": "p", "teacher": {"model": "x"}, "data": {"source": "x.csv", "text_pair": "b"}}
    with pytest.raises(RecipeError, match="single texts"):
        parse_recipe({**content, "task": "embedding"}, "test")
    content["data"] = {**content["data"], "unlabelled": ["demo:tweets"]}  # type: ignore[dict-item]
    with pytest.raises(RecipeError, match="asks for pairs"):
        parse_recipe(content, "test")
    with pytest.raises(DataError, match="D031"):
        load_data(Data(source="demo:movie-reviews", text_pair="b"), seed=1, cache=Path("unused"))
