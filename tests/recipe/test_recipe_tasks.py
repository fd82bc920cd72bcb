"""Tasks beside the other sections: what goes together is read, what nothing measures is refused."""

from __future__ import annotations

from typing import Any

import pytest

from potstill.errors import RecipeError
from potstill.models.recipes import parse_recipe
from potstill.recipe.schema import Recipe

PAIR = {"data": {"text_pair": "b"}}


def read(task: str, changes: dict[str, dict[str, Any]]) -> Recipe:
    content: dict[str, Any] = {"name": "r", "task": task, "teacher": {"model": "m"}, "data": {"source": "x.csv"}}
    for section, keys in changes.items():
        content[section] = content.get(section, {}) | keys
    return parse_recipe(content, "test")


@pytest.mark.parametrize(
    ("task", "changes", "word"),
    [
        ("embedding", {"budget": {"accuracy_drop": 1.0}}, "budget"),
        ("embedding", {"budget": {"bytes": 1000}}, "budget"),
        ("embedding", {"quantize": {"qat_epochs": 1.0}, "compile": {"scheme": "int8"}}, "qat_epochs"),
        ("embedding", {"compile": {"scheme": "mixed"}}, "mixed"),
        ("embedding", {"student": {"init": "prune"}}, "prune"),
        ("embedding", {"student": {"architecture": "static", "head_hidden": 8}}, "head_hidden"),
        ("embedding", {"teacher": {"finetune": "always"}}, "finetune"),
        ("embedding", PAIR, "text_pair"),
        ("classification", {**PAIR, "student": {"architecture": "static"}}, "static"),
        ("multi-label", {**PAIR, "student": {"architecture": "factorized"}}, "factorized"),
        ("classification", {**PAIR, "distil": {"augment": 1}}, "augment"),
        ("classification", {"data": {"text_pair": "b", "unlabelled": ["more.txt"]}}, "unlabelled"),
        ("token-classification", PAIR, "text_pair"),
        ("token-classification", {"distil": {"pooled_cosine": 1.0}}, "pooled_cosine"),
        ("token-classification", {"distil": {"augment": 1}}, "augment"),
        ("token-classification", {"student": {"architecture": "static"}}, "static"),
        ("token-classification", {"student": {"pooling": "cls"}}, "pooling"),
        ("token-classification", {"teacher": {"pooling": "cls"}}, "pooling"),
        ("token-classification", {"budget": {"bytes": 1000}}, "budget"),
        ("classification", {"student": {"tokenizer": "own"}, "distil": {"attention": 1.0}}, "two by two"),
        ("classification", {"student": {"tokenizer": "cut/"}, "distil": {"relations": 1.0}}, "two by two"),
        ("classification", {"student": {"tokenizer": "own"}, "budget": {"bytes": 1000}}, "budget"),
    ],
)
def test_what_does_not_go_together(task: str, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(RecipeError, match=word) as found:
        read(task, changes)
    assert found.value.code == "R008"


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("embedding", {"student": {"architecture": "static"}}),
        ("embedding", {"student": {"tokenizer": "own"}, "distil": {"hidden": 1.0, "embedding": 1.0, "augment": 1}}),
        ("embedding", {"student": {"vocabulary": "seen"}, "compile": {"scheme": "int4"}}),
        ("embedding", {"distil": {"augment": 1, "hidden": 1.0}}),
        ("multi-label", {"budget": {"bytes": 1000}, "distil": {"augment": 1}}),
        ("multi-label", {"student": {"architecture": "static", "head_hidden": 8}, "compile": {"scheme": "mixed"}}),
        ("classification", {**PAIR, "quantize": {"qat_epochs": 1.0}, "student": {"vocabulary": "seen"}}),
        ("token-classification", {"quantize": {"qat_epochs": 1.0}, "student": {"vocabulary": "seen"}}),
        ("token-classification", {"student": {"init": "prune"}, "compile": {"scheme": "mixed"}}),
    ],
)
def test_what_goes_together(task: str, changes: dict[str, Any]) -> None:
    assert read(task, changes).task == task
