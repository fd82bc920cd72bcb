"""The search: which points are tried, which of them nothing beats, and how the result is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from budget_cases import MINILM, recipe

from potstill.pipeline.budget.ladder import choices
from potstill.pipeline.search.points import measured_front, predicted_front, spread
from potstill.pipeline.search.show import render, write_png
from potstill.recipe.schema import BudgetTime

TIME = BudgetTime(board="pi4", tokens=32, value=3.0)


def _row(name: str, accuracy: float, size: int, ms: float) -> dict[str, Any]:
    return {
        "name": name, "validation_accuracy": accuracy, "test_accuracy": accuracy, "bytes": size, "ms": ms,
        "drop": 100 * (0.9 - accuracy),
    }  # fmt: skip


def test_nothing_on_the_predicted_front_is_beaten() -> None:
    ladder = choices(recipe(bytes="4MB"), MINILM, TIME)
    front = predicted_front(ladder)
    assert 0 < len(front) < len(ladder)
    assert [choice.expected for choice in front] == sorted(choice.expected for choice in front)
    for choice in front:
        for other in ladder:
            better = (other.ms or 0) <= (choice.ms or 0) and other.bytes <= choice.bytes
            assert not (better and other.expected > choice.expected), (choice.name, other.name)


def test_points_are_spread_and_hold_both_ends() -> None:
    front = predicted_front(choices(recipe(bytes="4MB"), MINILM, TIME))
    for count in (1, 2, 5):
        picked = spread(front, count)
        assert 1 <= len(picked) <= count and picked[-1] is front[-1]
        assert count == 1 or picked[0] is front[0]
    assert spread(front[:3], 8) == front[:3]


def test_measured_front() -> None:
    rows = [_row("a", 0.80, 1, 1.0), _row("b", 0.85, 2, 2.0), _row("c", 0.84, 3, 3.0), _row("d", 0.84, 1, 4.0)]
    assert measured_front(rows) == {"a", "b", "d"}
    twice = [_row("a", 0.8, 1, 1.0), _row("b", 0.8, 1, 1.0)]
    assert measured_front(twice) == {"a", "b"}, "equal rows do not beat each other"


@pytest.fixture
def result() -> dict[str, Any]:
    return {
        "recipe": "try", "board": "pi4", "tokens": 32, "threads": 1,
        "teacher": {"validation_accuracy": 0.9, "test_accuracy": 0.88, "bytes": 90_000_000},
        "points": [
            {**_row("4x312-int8-full", 0.88, 14_600_000, 11.0), "pareto": True},
            {**_row("2x128-int4-4k", 0.81, 700_000, 1.1), "pareto": False},
        ],
    }  # fmt: skip


def test_table(result: dict[str, Any]) -> None:
    lines = render(result).splitlines()
    fast = next(line for line in lines if "2x128" in line)
    best = next(line for line in lines if "4x312" in line)
    assert "700 kB" in fast and "1.10" in fast and "*" not in fast and "9.0" in fast
    assert "*" in best and "14.60 MB" in best and "100.0 %" in best
    assert lines.index(fast) < lines.index(best), "fastest first"


def test_picture(result: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = write_png(result, tmp_path / "pareto.png")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
