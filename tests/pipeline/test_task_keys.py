"""Which keys of a recipe count for a stage."""

from __future__ import annotations

import pytest

from potstill.pipeline.stages import build_stages
from potstill.recipe import Recipe
from potstill.recipe.schema import SECTIONS


def keys() -> dict[str, tuple[str, ...]]:
    content = {"name": "r", "teacher": {"model": "m"}, "data": {"source": "x.csv"}}
    return {stage.name: stage.recipe for stage in build_stages(Recipe.model_validate(content))}


@pytest.mark.parametrize("stage", ["data", "teacher", "student", "verify"])
def test_the_task_counts(stage: str) -> None:
    assert "task" in keys()[stage]


def test_every_key_of_the_data_counts_but_places_which_are_known_by_content() -> None:
    places = {"source", "train", "validation", "test", "unlabelled"}
    known = {key for key in keys()["data"] if key.startswith("data.")}
    assert known == {f"data.{name}" for name in SECTIONS["data"].model_fields if name not in {*places, "max_tokens"}}
    assert not {f"data.{name}" for name in places} & {key for stage in keys().values() for key in stage}


def test_the_place_of_a_teacher_counts_nowhere() -> None:
    assert "teacher.epochs" in keys()["teacher"]
    assert not {"teacher", "teacher.model"} & {key for stage in keys().values() for key in stage}
