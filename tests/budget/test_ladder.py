"""The ladder: costs before training, their order, and which choices a teacher allows."""

from __future__ import annotations

import dataclasses

import pytest
from budget_cases import MINILM, recipe

from potstill.errors import PotstillError
from potstill.pipeline.budget.ladder import SIZES, VOCABULARIES, choices, excess, within
from potstill.recipe.schema import BudgetTime


def test_choices_come_cheapest_first() -> None:
    found = choices(recipe(bytes="4MB"), MINILM, None)
    assert [choice.cost for choice in found] == sorted(choice.cost for choice in found)
    assert len({choice.name for choice in found}) == len(found)


def test_no_choice_is_larger_than_the_teacher() -> None:
    found = choices(recipe(bytes="4MB"), MINILM, None)
    assert found
    assert all(choice.size.layers <= 6 and choice.size.hidden <= 384 for choice in found)
    small = choices(recipe(bytes="4MB"), dataclasses.replace(MINILM, layers=2, hidden=200), None)
    assert {(c.size.layers, c.size.hidden) for c in small} == {(1, 128), (2, 128), (2, 192)}


def test_a_narrow_feed_forward_part_is_in_the_name() -> None:
    names = {size.name: size.intermediate for size in SIZES}
    assert len(names) == len(SIZES)
    assert (names["3x384f1024"], names["3x384"], names["4x312"]) == (1024, 1536, 1024)


def test_a_random_start_has_no_such_bound() -> None:
    free = recipe(bytes="4MB")
    free = free.model_copy(update={"student": free.student.model_copy(update={"init": "random"})})
    found = choices(free, dataclasses.replace(MINILM, layers=1, hidden=64), None)
    assert {choice.size for choice in found} == set(SIZES)


def test_vocabularies_that_would_keep_the_same_tokens_count_once() -> None:
    few = choices(recipe(bytes="4MB"), dataclasses.replace(MINILM, tokens_seen=3000), None)
    assert {choice.vocabulary for choice in few} == {"full", "seen"}
    assert {choice.model.table.inputs for choice in few} == {30522, 3000}
    many = choices(recipe(bytes="4MB"), MINILM, None)
    assert {choice.vocabulary for choice in many} == {name for name, _, _ in VOCABULARIES}


def test_fewer_tokens_and_narrower_numbers_make_smaller_files() -> None:
    found = {choice.name: choice for choice in choices(recipe(bytes="4MB"), MINILM, None)}
    sizes = [found[f"4x312-{p}-8k"].bytes for p in ("int8", "int8e4", "int4")]
    assert sizes == sorted(sizes, reverse=True)
    sizes = [found[f"4x312-int8-{v}"].bytes for v in ("full", "seen", "16k", "12k", "8k", "6k", "4k")]
    assert sizes == sorted(sizes, reverse=True)
    assert found["4x312-int8-full"].expected > found["4x312-int8-8k"].expected > found["2x128-int8-8k"].expected


def test_time_is_predicted_for_the_board() -> None:
    slow, fast = (BudgetTime(board=name, tokens=32, value=1.0) for name in ("pi4", "pi5"))
    on = [{c.name: c.ms for c in choices(recipe(bytes="4MB"), MINILM, time)} for time in (slow, fast)]
    for name, ms in on[0].items():
        assert ms is not None and ms > (on[1][name] or 0.0) > 0.0
    assert all(choice.ms is None for choice in choices(recipe(bytes="4MB"), MINILM, None))


def test_an_unknown_board_is_an_error() -> None:
    with pytest.raises(PotstillError):
        choices(recipe(bytes="4MB"), MINILM, BudgetTime(board="pi99", tokens=32, value=1.0))


def test_only_what_keeps_every_limit_is_within() -> None:
    found = choices(recipe(bytes="4MB"), MINILM, BudgetTime(board="pi4", tokens=32, value=3.0))
    fitting = within(found, {"bytes": 2e6, "ms": 3.0})
    assert fitting and all(c.bytes <= 2e6 and (c.ms or 9.0) <= 3.0 for c in fitting)
    assert not within(found, {"bytes": 1.0, "ms": 3.0})
    assert within(found, {}) == found


def test_excess_is_the_worst_ratio() -> None:
    assert excess({"bytes": 100.0, "ms": 2.0}, {"bytes": 50.0, "ms": 5.0}) == 2.5
    assert excess({}, {"bytes": 50.0, "ms": None}) == 0.0
