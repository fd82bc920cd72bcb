"""Taggers of words and of characters: what rows are told to be, and texts that are cut into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.data.labels import Raw
from potstill.data.sources import load_data
from potstill.data.splits import Splits
from potstill.data.units import cut_further, units_of, with_units
from potstill.errors import DataError
from potstill.models.heads import task_named
from potstill.recipe.schema import Data
from potstill.work.progress import QuietProgress

TASK = task_named("token-classification")


@pytest.mark.parametrize(
    ("rows", "units"),
    [
        ([["Bob", "lives", "in", "Lima", "."]], "words"),
        ([list("小明住在上海。")], "characters"),
        ([list("サクラ"), ["ก", "ี่"], ["👩\u200d🚀"]], "characters"),
        # Chinese by characters, Latin words and numbers whole: cut as words are.
        ([[*"我用", "iPhone", "15"]], "words"),
        # Japanese words: no rule finds them.
        ([["私", "は", "東京", "に", "住んで", "いる"]], "given"),
        # A Chinese name among English words stays what it was.
        ([["the", "city", "of", "北京", *["grew"] * 30]], "words"),
        # One slip among many characters.
        ([list("小明住在上海") * 60, ["上海"]], "characters"),
        ([["서울에", "산다"]], "words"),
    ],
)
def test_what_rows_are_made_of(rows: list[list[str]], units: str) -> None:
    assert units_of(rows) == units


def cut(texts: list[Any], labels: list[Any] | None, wanted: str = "auto") -> tuple[list[Any], list[Any] | None, str]:
    raws, units = with_units({"train": Raw(texts, labels, "rows.jsonl")}, wanted)
    return raws["train"].texts, raws["train"].labels, units


def test_texts_with_spans() -> None:
    texts, labels, units = cut(
        ["小明住在上海。", "Tom 在 京都"],
        [
            [{"start": 0, "end": 2, "label": "PER"}, {"start": 4, "end": 6, "label": "LOC"}],
            [[0, 3, "PER"], (6, 8, "LOC")],
        ],
    )
    assert units == "characters"
    assert texts == [list("小明住在上海。"), list("Tom在京都")]
    assert labels == [
        ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"],
        ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC"],
    ]
    texts, labels, units = cut(["Bob lives in New York."], [[[0, 3, "PER"], [13, 21, "LOC"]]])
    assert units == "words" and texts == [["Bob", "lives", "in", "New", "York", "."]]
    assert labels == [["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]]
    # Places count characters of the text, whatever lies outside of the first plane; no span is no entity.
    texts, labels, _ = cut(["👋🏽 Bob", "hi"], [[[3, 6, "PER"]], []])
    assert texts == [["👋🏽", "Bob"], ["hi"]] and labels == [["O", "B-PER"], ["O"]]


def test_texts_with_a_tag_a_character_or_word() -> None:
    texts, labels, units = cut(["小明 在"], [["B-PER", "I-PER", "O"]])
    assert (texts, units) == ([["小", "明", "在"]], "characters") and labels == [["B-PER", "I-PER", "O"]]
    # Tags of code points: that of a space goes, a mark has its letter's.
    texts, labels, units = cut(["ที่ นี่"], [["B-X", "I-X", "I-X", "O", "O", "O", "O"]])
    assert units == "characters" and texts == [["ที่", "นี่"]] and labels == [["B-X", "O"]]
    texts, labels, units = cut(["Bob runs."], [["B-PER", "O", "O"]])
    assert units == "words" and texts == [["Bob", "runs", "."]]


def test_marks_by_themselves_join_their_letter() -> None:
    raws, units = with_units({"train": Raw([list("ที่ไทย")], [["B-X", "I-X", "I-X", "O", "B-Y", "I-Y"]], "th")}, "auto")
    train = raws["train"]
    assert units == "characters" and train.texts == [["ที่", "ไ", "ท", "ย"]]
    assert train.labels == [["B-X", "O", "B-Y", "I-Y"]] and "2 marks" in train.notes[0]
    # Rows of words stay as they are, whatever they hold.
    rows = [["naïve", "\u0301", "words"]]
    assert cut(rows, [["O", "O", "O"]])[0] == rows


@pytest.mark.parametrize(
    ("text", "label", "wanted", "code"),
    [
        ("Berliner", [[0, 6, "LOC"]], "auto", "D063"),
        ("ที่นี่", [[0, 2, "LOC"]], "characters", "D063"),
        ("Bob Lee", [[0, 3, "PER"], [0, 7, "PER"]], "auto", "D063"),
        ("Bob", [[3, 4, "PER"]], "auto", "D062"),
        ("Bob", [{"start": 0, "label": "PER"}], "auto", "D062"),
        ("Bob", [[0, 3, " "]], "auto", "D062"),
        ("Bob", [[True, 3, "PER"]], "auto", "D062"),
        ("Bob", [[0, 3, "PER"]], "given", "D065"),
    ],
)
def test_spans_that_are_none(text: str, label: Any, wanted: str, code: str) -> None:
    with pytest.raises(DataError, match=rf"{code}.*rows\.jsonl"):
        cut([text], [label], wanted)


def test_words_are_no_characters() -> None:
    with pytest.raises(DataError, match=r"D064.*'東京'.*row 1"):
        cut([["東京", "に"]], [["B-LOC", "O"]], "characters")
    assert cut([list("東京")], [["B-LOC", "I-LOC"]], "words")[2] == "words"


def test_words_that_a_text_has_in_parts() -> None:
    share, some = cut_further([["U.S.", "rain", "U.S.", "co-op"]])
    assert share == 0.75 and some == ["U.S.", "co-op"]


class Heard(QuietProgress):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def load(tmp_path: Path, rows: list[dict[str, Any]], heard: Heard, **keys: Any) -> Splits:
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    data = Data.model_validate({"source": str(tmp_path / "rows.jsonl"), **keys})
    return load_data(data, seed=1, cache=tmp_path / "cache", task=TASK, progress=heard)


def test_splits_know_their_units(tmp_path: Path) -> None:
    numbers = "一二三四五六七八九十"
    rows = [{"text": f"小明住在{n}", "label": [[0, 2, "PER"]]} for n in numbers]
    heard = Heard()
    (tmp_path / "more.txt").write_text("有雨 Bob\n", encoding="utf-8")
    splits = load(tmp_path, rows, heard, unlabelled=[str(tmp_path / "more.txt")])
    assert splits.units == "characters" and any("rows of characters" in line for line in heard.lines)
    assert list(splits.unlabelled[0]["text"]) == list("有雨Bob")
    assert sorted("".join(row["text"]) for row in (*splits.train, *splits.validation, *splits.test)) == sorted(
        row["text"] for row in rows
    )
    (tmp_path / "saved").mkdir()
    splits.save(tmp_path / "saved")
    assert Splits.load(tmp_path / "saved").units == "characters"
    # Other units are other data: what is made of them is not taken from the cache.
    lists = [{"text": list(row["text"]), "label": ["B-PER", "I-PER", "O", "O", "O"]} for row in rows]
    one, other = (load(tmp_path, lists, heard, units=units) for units in ("characters", "words"))
    assert one.fingerprint == splits.labelled_fingerprint != other.fingerprint


def test_words_that_no_rule_finds(tmp_path: Path) -> None:
    rows = [{"text": ["東京", "に", f"{n}人"], "label": ["B-LOC", "O", "O"]} for n in "一二三四五六七八九十"]
    heard = Heard()
    assert load(tmp_path, rows, heard).units == "given"
    assert any("lists of words, no texts" in line for line in heard.lines)
    (tmp_path / "more.txt").write_text("東京に雨\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"D065.*more\.txt"):
        load(tmp_path, rows, heard, unlabelled=[str(tmp_path / "more.txt")])
