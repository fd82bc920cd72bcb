"""What is said of rows before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potstill.data.examine import examine_splits
from potstill.data.sources import load_data
from potstill.data.splits import Rows, Splits
from potstill.recipe.schema import Data


def load(tmp_path: Path, rows: list[tuple[str, str]], **keys: Any) -> Splits:
    path = tmp_path / "rows.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return load_data(Data(source=str(path), **keys), seed=1, cache=tmp_path)


def many(label: str, count: int) -> list[tuple[str, str]]:
    return [(f"{label} text number {number}", label) for number in range(count)]


def test_a_rare_class_is_named(tmp_path: Path) -> None:
    splits = load(tmp_path, many("up", 100) + many("down", 100) + many("odd", 4))
    assert [note for note in splits.warnings if "fewer than 10 training rows of 'odd' (3)" in note]
    assert [note for note in splits.warnings if "no test row is of 'odd'" in note]
    assert [note for note in splits.warnings if "'odd' 3: accuracy" in note and "class_weights" in note]
    (tmp_path / "saved").mkdir()
    splits.save(tmp_path / "saved")
    assert Splits.load(tmp_path / "saved").warnings == splits.warnings
    assert load(tmp_path, many("up", 100) + many("down", 120)).warnings == []


def test_uneven_classes_with_rows_enough(tmp_path: Path) -> None:
    notes = load(tmp_path, many("up", 1500) + many("down", 100)).warnings
    assert len(notes) == 1 and "uneven: 'up' has 1,200 training rows, 'down' 80" in notes[0]


def test_texts_with_several_labels_and_texts_in_both_files(tmp_path: Path) -> None:
    rows = [*many("up", 60), *many("down", 60), ("Same here!", "up"), ("same  here", "down"), ("SAME HERE", "down")]
    notes = load(tmp_path, rows).warnings
    assert len(notes) == 1 and notes[0].startswith("1 text stands there with different labels")
    assert "'Same here!' as 'up' and 'down'" in notes[0]
    test = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in [*many("up", 15), *many("down", 5)])
    (tmp_path / "test.tsv").write_text(test + "new one\tup\n")
    notes = load(tmp_path, [*many("up", 60), *many("down", 60)], test="test.tsv").warnings
    assert len(notes) == 1 and "20 test texts stand (of 21) also among the training rows" in notes[0]


def test_spellings_of_a_label(tmp_path: Path) -> None:
    rows = [*many("up", 60), *many("down", 60), *[(f"more {n}", "Up") for n in range(100)]]
    notes = load(tmp_path, rows).warnings
    assert len(notes) == 1 and "'Up' and 'up' differ by case" in notes[0]


def test_labels_of_several_and_tags() -> None:
    sets = Rows([f"t {n}" for n in range(40)], [[0, 1] if n < 35 else [2] for n in range(40)])
    notes = examine_splits({"train": sets, "validation": sets, "test": sets}, ["a", "b", "c"])
    assert len(notes) == 1 and "fewer than 10 training rows of 'c' (5)" in notes[0]
    tags = Rows([["x", "y"]] * 40, [[0, 1]] * 20 + [[2, 0]] * 20)
    parts = {"train": tags, "validation": tags, "test": Rows([["x"]], [[0]])}
    notes = examine_splits(parts, ["O", "I-A", "B-A"])
    assert [note for note in notes if "no test word is of 'I-A' and 'B-A'" in note]
    assert [note for note in notes if "the tags read as BIO2, and 20 times" in note]
    assert len(notes) == 2


def test_a_few_fractions_are_questioned(tmp_path: Path) -> None:
    rows = [(f"text {n}", f"{n % 6 / 2}") for n in range(240)]
    notes = load(tmp_path, rows).warnings
    assert len(notes) == 1 and "6 numbers, some with fractions (0.0, 0.5, 1.0, 1.5 and 2 more)" in notes[0]
    assert load(tmp_path, [(f"text {n}", str(n % 6)) for n in range(240)]).warnings == []
