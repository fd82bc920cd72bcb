"""What is said of texts before anything is trained: scripts, and how teacher and student cut them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest

import teachers
from potstill.pipeline.check import texts
from potstill.pipeline.check.findings import Findings
from potstill.recipe.schema import Student


def table(rows: list[str]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": rows})


def told(theirs: Any, train: list[str], validation: list[str], **student: Any) -> tuple[list[str], list[str]]:
    """What stands under "tokens", and warnings."""
    findings = Findings()
    splits: Any = SimpleNamespace(train=table(train), validation=table(validation), unlabelled=None, units="")
    recipe: Any = SimpleNamespace(student=Student(**student), data=SimpleNamespace(max_tokens=32))
    texts.check_tokens(findings, recipe, SimpleNamespace(config=None), theirs, splits)  # type: ignore[arg-type]
    seen = [one.seen for one in findings.checks if one.name == "tokens"]
    return seen, [one.seen for one in findings.checks if one.status == "warning"]


def test_teacher_and_student() -> None:
    tokenizer = teachers.words()
    train, validation = ["good film", "bad film"] * 5, ["good plot \u96e8"]
    seen, warnings = told(tokenizer, train, validation)
    assert seen == [f"{who}: 1.00 tokens a word, unknown 33.33 %, bytes 0.00 %" for who in ("teacher", "student")]
    assert warnings == []
    # Pieces that the training texts have: "plot" is spelt, and p, t and o have no piece.
    seen, _ = told(tokenizer, train, validation, vocabulary="seen")
    assert seen[1] == "student: 1.00 tokens a word, unknown 66.67 %, bytes 0.00 %"


def test_a_student_of_which_nothing_is_known_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tokenizer = teachers.words()
    seen, _ = told(tokenizer, ["good film"], ["a film"], tokenizer="own", tokenizer_size=300)
    assert seen[1] == "student: a tokenizer of its own, made of the texts: the report tells"
    monkeypatch.setattr(texts, "_MOST_ROWS", 1)
    seen, _ = told(tokenizer, ["good film", "bad film"], ["a film"], vocabulary="seen")
    assert "more than 1 texts have: the report tells" in seen[1]
    teachers.bpe(pad_token="<pad>").save_pretrained(tmp_path)
    seen, _ = told(tokenizer, ["good film"], ["\u96e8"], tokenizer=str(tmp_path))
    # It has no piece for these bytes, and no unknown token.
    assert seen[1] == "student: 0.00 tokens a character, unknown 0.00 %, bytes 0.00 %"


def test_a_foreign_script() -> None:
    _, warnings = told(teachers.words(), ["\u0434\u0430 \u043d\u0435\u0442"] * 4, ["a film"])
    assert len(warnings) == 1 and "100 % of the letters of the training texts are Cyrillic" in warnings[0]


def test_scripts_and_languages() -> None:
    findings = Findings()
    splits: Any = SimpleNamespace(train={"text": [["\u5c0f", "\u660e"], ["\u96e8"]]})
    texts.check_script(findings, splits)
    seen = {one.name: one.seen for one in findings.checks}
    assert seen["scripts"] == "Han 100 %" and set(seen) == {"scripts", "languages"}
