"""Which keys of a recipe count for a stage: a task is part of the keys only where it is not classification."""

from __future__ import annotations

from typing import Any

import pytest

from potstill.pipeline.stages import build_stages
from potstill.recipe.schema import Recipe


def keys(**changes: Any) -> dict[str, tuple[str, ...]]:
    data = {"source": "x.csv", **changes.pop("data", {})}
    recipe = Recipe.model_validate({"name": "r", "teacher": {"model": "m"}, "data": data, **changes})
    return {stage.name: stage.recipe for stage in build_stages(recipe)}


def test_stored_results_of_classifiers_stay_valid() -> None:
    found = keys()
    assert found["teacher"] == ("seed", "teacher", "data.max_tokens")
    assert found["student"] == ("seed", "student", "distil", "data.max_tokens")
    assert found["verify"] == ("data.max_tokens",)
    assert not {"task", "data.text_pair", "data.label_separator"} & {key for stage in found.values() for key in stage}


@pytest.mark.parametrize("task", ["multi-label", "embedding", "token-classification"])
def test_another_task_is_another_result(task: str) -> None:
    found = keys(task=task)
    assert all("task" in found[stage] for stage in ("data", "teacher", "student", "verify"))
    assert ("data.label_separator" in found["data"]) == (task == "multi-label")


def test_pairs_are_other_data() -> None:
    assert "data.text_pair" in keys(data={"text_pair": "b"})["data"]
