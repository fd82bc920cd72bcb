"""A choice as a recipe, and counting the tokens that texts use."""

from __future__ import annotations

import dataclasses

import pytest
from budget_cases import MINILM, recipe

from potstill.pipeline.budget.attempt import with_choice
from potstill.pipeline.budget.ladder import choices


def test_every_choice_is_a_valid_recipe_without_a_budget() -> None:
    asked = recipe(bytes="4MB")
    for choice in choices(asked, MINILM, None):
        made = with_choice(asked, choice)
        assert not made.budget.stated
        size = choice.size
        assert (made.student.layers, made.student.hidden) == (size.layers, size.hidden)
        assert made.compile.embedding == choice.precision.embedding
        assert (made.student.vocabulary == "full") == (choice.vocabulary == "full")
        assert (made.teacher, made.data, made.distil) == (asked.teacher, asked.data, asked.distil)


def test_names_and_settings_are_one_to_one() -> None:
    asked = recipe(bytes="4MB")
    found = choices(asked, MINILM, None)
    made = {with_choice(asked, choice).model_dump_json() for choice in found}
    assert len(made) == len(found)


@pytest.mark.parametrize("student", [{"preset": "tinybert-4l-312"}, {"vocabulary": "seen", "vocabulary_min_count": 2}])
def test_the_recipes_own_student_gives_way(student: dict[str, object]) -> None:
    asked = recipe(bytes="4MB")
    asked = asked.model_copy(update={"student": type(asked.student).model_validate(student)})
    for choice in choices(asked, dataclasses.replace(MINILM, layers=2, hidden=128), None):
        assert with_choice(asked, choice).student.layers == choice.size.layers


@pytest.mark.parametrize("init", ["copy", "pca", "prune", "random"])
def test_the_teachers_width_is_kept_and_smaller_ones_are_projected(init: str) -> None:
    asked = recipe(bytes="4MB")
    asked = asked.model_copy(update={"student": asked.student.model_copy(update={"init": init})})
    made = {c.size.hidden: with_choice(asked, c).student.init for c in choices(asked, MINILM, None)}
    assert made[384] == ("random" if init == "random" else "prune")
    assert made[128] == made[312] == ("random" if init == "random" else "pca")


def test_characters_that_no_text_has_go_with_a_pruned_vocabulary() -> None:
    asked = recipe(bytes="4MB")
    for choice in choices(asked, MINILM, None):
        student = with_choice(asked, choice).student
        assert student.vocabulary_characters == ("all" if choice.vocabulary == "full" else "seen")
