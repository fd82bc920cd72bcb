"""A recipe with a budget, from rows to the `.still` file that keeps it; and the search, stopped and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_files import RECIPE, write_data, write_teacher

from potstill.errors import PotstillError
from potstill.models.recipes import load_recipe
from potstill.pipeline.budget.meet import meet_budget
from potstill.pipeline.builder import run_build
from potstill.pipeline.search import points as search
from potstill.pipeline.stage import Context
from potstill.recipe.schema import BudgetTime
from potstill.work.progress import QuietProgress
from potstill.work.store import Store

pytest.importorskip("torch")
FAST = [
    "student.hidden=128",
    "student.heads=4",
    "student.intermediate=128",
    "teacher.epochs=2",
    "teacher.learning_rate=1e-3",
    "distil.epochs=2",
    "distil.learning_rate=1e-3",
    "export.tflite=false",
]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose teacher is wide enough for the two smallest rungs of the ladder."""
    folder = tmp_path_factory.mktemp("budget")
    write_teacher(folder / "teacher", layers=2, hidden=128, heads=4)
    write_data(folder / "rows.csv", rows=240)
    (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.mark.builds
def test_a_budget_alone_decides(task: Path) -> None:
    out = task / "built"
    limits = ["budget.bytes=600kB", 'budget.ms={ board = "pi4", tokens = 16, value = 5 }']
    recipe = load_recipe(task / "tiny.toml", [*FAST, *limits])
    report = run_build(recipe, out, cache=task / "cache")
    assert (out / "model.still").stat().st_size <= 600_000
    assert report["budget"]["chosen"].startswith(("2x128", "1x128"))
    row = next(row for row in report["budget"]["tried"] if row["name"] == report["budget"]["chosen"])
    assert row["verdict"] == "within the budget" and row["ms"] <= 5
    assert row["bytes"] == report["bytes"]["still"]
    assert row["test_accuracy"] == pytest.approx(report["packed"]["test_accuracy"])
    # Its recipe, which lies beside it, builds the same file with nothing to choose.
    again = run_build(load_recipe(out / "recipe.toml"), task / "again", cache=task / "cache")
    assert (task / "again" / "model.still").read_bytes() == (out / "model.still").read_bytes()
    assert "budget" not in again
    # And a second run does nothing.
    before = (out / "model.still").stat().st_mtime_ns
    assert run_build(recipe, out, cache=task / "cache")["budget"] == report["budget"]
    assert (out / "model.still").stat().st_mtime_ns == before


def test_what_cannot_be_met_says_what_can(task: Path) -> None:
    recipe = load_recipe(task / "tiny.toml", [*FAST, "budget.bytes=20kB"])
    with pytest.raises(PotstillError, match=r"error\[T080\].*20 kB.*nearest is 1x128-int4"):
        run_build(recipe, task / "built", cache=task / "cache")


@pytest.mark.builds
def test_accuracy_that_no_student_holds(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(task / "tiny.toml", [*FAST, "budget.accuracy_drop=0"])
    context = Context(recipe, task / "cache", QuietProgress())
    # The teacher's own accuracy is put out of reach.
    real = Context.facts

    def facts(self: Context, stage: str) -> dict[str, object]:
        found = real(self, stage)
        return found | {"validation_accuracy": 1.5} if stage == "teacher" else found

    monkeypatch.setattr(Context, "facts", facts)
    with pytest.raises(PotstillError, match=r"error\[T081\].*2 were tried.*nearest is"):
        meet_budget(recipe, context, Store(task / "built" / "stages"))


@pytest.mark.builds
def test_search_goes_on_where_it_was(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(task / "tiny.toml", FAST)
    out, time = task / "built", BudgetTime(board="pi4", tokens=16, value=1.0)
    real, built = search.attempt, []

    def stopped(*arguments: object) -> object:
        if len(built) == 1:
            raise KeyboardInterrupt
        built.append(arguments[1])
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "attempt", stopped)
    with pytest.raises(KeyboardInterrupt):
        search.run_search(recipe, out, time, points=3, progress=QuietProgress(), cache=task / "cache")
    first = json.loads((out / "search" / "search.json").read_text(encoding="utf-8"))
    assert len(first["points"]) == 1
    monkeypatch.setattr(search, "attempt", lambda *a: built.append(a[1]) or real(*a))
    result = search.run_search(recipe, out, time, points=3, progress=QuietProgress(), cache=task / "cache")
    names = [point["name"] for point in result["points"]]
    assert [choice.name for choice in built] == names, "the first point was not built again"
    assert any(point["pareto"] for point in result["points"])
    for name in names:
        assert load_recipe(out / "search" / "recipes" / f"{name}.toml").budget.stated is False


def test_a_search_within_nothing(task: Path) -> None:
    recipe = load_recipe(task / "tiny.toml", [*FAST, "budget.bytes=20kB"])
    with pytest.raises(PotstillError, match=r"error\[T080\]"):
        search.run_search(
            recipe, task / "built", BudgetTime(board="pi4", tokens=16, value=1.0), progress=QuietProgress(),
            cache=task / "cache",
        )  # fmt: skip
