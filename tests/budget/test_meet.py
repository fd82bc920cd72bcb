"""Meeting a budget: what is built, in which order, and what is said when nothing will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from budget_cases import MINILM, recipe

from potstill.pipeline.budget import meet
from potstill.pipeline.budget.ladder import Choice, choices, within
from potstill.recipe.schema import BudgetTime

Make = Callable[..., Any]
TIME = BudgetTime(board="pi4", tokens=32, value=3.0)


def _fitting(**limits: float) -> list[Choice]:
    return within(choices(recipe(bytes="4MB"), MINILM, TIME), limits)


def test_without_accuracy_the_most_able_is_built_once(build: Make) -> None:
    run, built = build(lambda choice: 2.0)
    limits = {"bytes": 2e6, "ms": 3.0}
    fitting = _fitting(**limits)
    chosen = meet._most_able(fitting, limits, run)
    assert chosen is not None and built == [chosen.name]
    assert chosen.expected == max(choice.expected for choice in fitting)


def test_a_file_larger_than_predicted_is_passed_over(build: Make) -> None:
    run, built = build(lambda choice: 2.0, heavier=1.3)
    limits = {"bytes": 2e6, "ms": 3.0}
    chosen = meet._most_able(_fitting(**limits), limits, run)
    assert chosen is not None and 1.3 * chosen.bytes <= 2e6
    assert len(built) > 1, "the first choices were over the limit after all"


def test_accuracy_takes_the_cheapest_size_that_holds(build: Make) -> None:
    run, built = build(lambda choice: 0.5 if choice.size.hidden >= 192 and choice.size.layers >= 3 else 4.0)
    budget = recipe(accuracy_drop=1.0, bytes="20MB").budget
    chosen = meet._cheapest(_fitting(bytes=20e6), budget, run)
    assert chosen is not None and (chosen.size.layers, chosen.size.hidden) == (3, 192)
    assert [name.partition("-")[0] for name in built] == ["1x128", "2x128", "2x192", "3x192", "3x192"]
    assert chosen.precision.name == "int4", "the cheapest numbers hold as well"


def test_cheaper_numbers_that_do_not_hold_are_not_taken(build: Make) -> None:
    run, built = build(lambda choice: 0.5 if choice.precision.name == "int8" else 3.0)
    chosen = meet._cheapest(_fitting(bytes=20e6), recipe(accuracy_drop=1.0).budget, run)
    assert chosen is not None and chosen.precision.name == "int8"
    assert built == ["1x128-int8-full", "1x128-int4-full", "1x128-int8e4-full"]


def test_nothing_holds(build: Make) -> None:
    run, built = build(lambda choice: 5.0)
    assert meet._cheapest(_fitting(bytes=20e6), recipe(accuracy_drop=1.0).budget, run) is None
    assert len(built) == len({choice.size for choice in _fitting(bytes=20e6)})


def test_the_nearest_is_named_when_nothing_fits() -> None:
    asked = recipe(bytes="50kB", ms={"board": "pi4", "tokens": 32, "value": 3})
    error = meet.nothing_fits(choices(asked, MINILM, asked.budget.ms), meet.limits_of(asked.budget), asked)
    assert error.code == "T080"
    assert "1x128-int4-4k" in error.next_step and "50 kB" in error.what and "3 ms on pi4" in error.what


def test_a_tiny_teacher_is_told() -> None:
    asked = recipe(bytes="4MB")
    assert "smaller than the smallest" in meet.nothing_fits([], {"bytes": 4e6}, asked).what


def test_the_nearest_is_named_when_nothing_holds() -> None:
    rows = [
        {"name": "a", "drop": 4.0, "bytes": 1e6, "ms": 1.0, "verdict": "too much"},
        {"name": "b", "drop": 1.43, "bytes": 2e6, "ms": 2.0, "verdict": "too much"},
        {"name": "c", "drop": 0.1, "bytes": 9e6, "ms": 9.0, "verdict": "over the limits after all"},
    ]
    error = meet._nothing_holds(rows, recipe(accuracy_drop=1.0))
    assert error.code == "T081" and "b: 1.4 points, 2.00 MB, 2.00 ms" in error.next_step
    assert "accuracy_drop = 1.5" in error.next_step


def test_limits() -> None:
    assert meet.limits_of(recipe(accuracy_drop=1.0).budget) == {}
    both = recipe(bytes=5, ms={"board": "pi4", "tokens": 32, "value": 3}).budget
    assert meet.limits_of(both) == {"bytes": 5, "ms": 3.0}
