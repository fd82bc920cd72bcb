"""Rows of the Chinese demo package, from made-up files in its form."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.data import load_data
from potstill.data.chinese import NAME_TAGS, names, reviews
from potstill.models.recipes import load_recipe
from potstill.work.cache import cache_dir

POSITIVE = "很好的书。\n\n 房间干净 \n很好的书。\n一般\uff01\n性价比高\n"
NEGATIVE = "太差了\n一般\n房间 不干净\n"


def tagged(folder: Path, text: str) -> list[tuple[str, list[str]]]:
    (folder / "199801.txt").write_text(text, encoding="utf-8")
    raw = names(folder, "demo:chinese-names")
    assert raw.names == NAME_TAGS
    assert raw.labels is not None
    return [("".join(row), tags) for row, tags in zip(raw.texts, raw.labels, strict=True)]


def test_reviews_that_say_both_are_dropped(tmp_path: Path) -> None:
    """They differ in marks alone, by which the splits too know a text."""
    (tmp_path / "pos.txt").write_text(POSITIVE, encoding="utf-8")
    (tmp_path / "neg.txt").write_text(NEGATIVE, encoding="utf-8")
    raw = reviews(tmp_path, "demo:chinese-reviews")
    assert raw.labels is not None
    assert dict(zip(raw.texts, raw.labels, strict=True)) == {
        "太差了": "negative", "房间 不干净": "negative",
        "很好的书。": "positive", "房间干净": "positive", "性价比高": "positive",
    }  # fmt: skip
    assert len(raw.texts) == 5


def test_surname_and_given_name_are_one_person(tmp_path: Path) -> None:
    assert tagged(tmp_path, "江/nr  泽民/nr  在/p  北京/ns\n") == [
        ("江泽民在北京", ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC"])
    ]
    assert tagged(tmp_path, "欧阳/nr  修/nr  、/w  王/nr  欧阳/nr\n")[0][1][:3] == ["B-PER", "I-PER", "I-PER"]


def test_names_that_stand_together_are_several(tmp_path: Path) -> None:
    """A whole name has no given name behind it; a surname takes one, of two characters at most."""
    assert tagged(tmp_path, "邓小平/nr  李鹏/nr\n")[0][1] == ["B-PER", "I-PER", "I-PER", "B-PER", "I-PER"]
    assert tagged(tmp_path, "李/nr  鹏/nr  王/nr\n")[0][1] == ["B-PER", "I-PER", "B-PER"]
    assert tagged(tmp_path, "李/nr  克林顿/nr\n")[0][1] == ["B-PER", "B-PER", "I-PER", "I-PER"]
    assert tagged(tmp_path, "上海/ns  北京/ns\n")[0][1] == ["B-LOC", "I-LOC", "B-LOC", "I-LOC"]


def test_brackets_of_compounds_go_and_other_kinds_have_no_tag(tmp_path: Path) -> None:
    assert tagged(tmp_path, "[中国/ns  政府/n]nt  新华社/nt  \uff3b/w\n") == [
        ("中国政府新华社[", ["B-LOC", "I-LOC", "O", "O", "O", "O", "O", "O"])
    ]


def test_digits_and_letters_are_of_usual_width(tmp_path: Path) -> None:
    assert tagged(tmp_path, "１９９８年/t  \uff21/nx\n")[0][0] == "1998年A"


def test_lines_are_cut_into_sentences_and_those_alike_are_one(tmp_path: Path) -> None:
    rows = tagged(tmp_path, "好/a  。/w  北京/ns  \uff01/w\n北京/ns  \uff01/w\n\n你/r  好/a\n")
    assert [text for text, _ in rows] == ["好。", "北京!", "你好"]


@pytest.mark.demo
def test_the_reviews() -> None:
    recipe = load_recipe("chinese-reviews")
    splits = load_data(recipe.data, seed=recipe.seed, cache=cache_dir())
    assert splits.labels == ["negative", "positive"]
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (13860, 1734, 1732)
