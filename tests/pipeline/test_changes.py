"""Why a stage is made again, in words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from stub_stages import ROWS, write_recipe

from potstill.models.recipes import load_recipe
from potstill.pipeline import builder as run
from potstill.pipeline.changes import changes
from potstill.work.progress import PlainProgress

OLD: dict[str, dict[str, Any]] = {
    "recipe": {"student.layers": 4, "student.preset": None, "data.split": [0.8, 0.1, 0.1]},
    "needs": {"teacher": "1 2"},
    "identity": {"data": "5" * 64, "cpus": 4},
    "code": {f"distil/{name}.py": "1" for name in "abcdef"},
    "libraries": {"python": "3.11.7", "torch": "2.12.0"},
}


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        ("recipe", {"student.layers": 3}, ["student.layers 4 -> 3"]),
        ("recipe", {"student.preset": "2l-128"}, ["student.preset none -> 2l-128"]),
        ("recipe", {"data.split": [0.5, 0.25, 0.25]}, ["data.split [0.8, 0.1, 0.1] -> [0.5, 0.25, 0.25]"]),
        ("recipe", {"distil.new": 0.5}, ["distil.new none -> 0.5"]),
        ("needs", {"teacher": "1 3"}, ["teacher changed"]),
        ("identity", {"data": "6" * 64}, ["data changed"]),
        ("identity", {"cpus": 8}, ["cpus 4 -> 8"]),
        ("code", {"distil/b.py": "2"}, ["code changed: distil/b.py"]),
        ("code", {f"distil/{name}.py": "2" for name in "abcdef"},
         ["code changed: distil/a.py, distil/b.py, distil/c.py, distil/d.py and 2 more"]),
        ("libraries", {"torch": "2.13.0"}, ["torch 2.12.0 -> 2.13.0"]),
        ("recipe", {}, []),
    ],
)  # fmt: skip
def test_what_changed(kind: str, changed: dict[str, Any], told: list[str]) -> None:
    assert changes(OLD, {**OLD, kind: {**OLD[kind], **changed}}) == told


def test_another_python_is_told_instead_of_all_files() -> None:
    new = {**OLD, "code": {"distil/a.py": "9"}, "libraries": {**OLD["libraries"], "python": "3.12.1"}}
    assert changes(OLD, new) == ["python 3.11.7 -> 3.12.1"]


@pytest.mark.parametrize("old", [{}, {"recipe": None, "code": 3}])
def test_an_older_result_of_another_form_is_no_obstacle(old: dict[str, Any]) -> None:
    assert changes(old, OLD)


def test_a_build_tells_why(tmp_path: Path, ran: list[str]) -> None:
    def told(*settings: str) -> str:
        stream = io.StringIO()
        run.run_build(load_recipe(tmp_path / "mine.toml", settings), tmp_path / "out", progress=PlainProgress(stream))
        return stream.getvalue()

    write_recipe(tmp_path)
    assert "made again" not in told(), "there was nothing before"
    again = told("student.layers=3")
    assert "student: made again: student.layers 4 -> 3\n" in again
    assert "onnx: made again: student changed\n" in again
    (tmp_path / "rows.csv").write_text(ROWS + "one more,a\n")
    assert "data: made again: data.source train changed\n" in told("student.layers=3")
    assert "teacher: made again: teacher.epochs 4 -> 2; distil.class_weights" not in told("teacher.epochs=2")
