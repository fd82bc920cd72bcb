"""A teacher and recipes with limits, for the tests of budgets."""

from __future__ import annotations

from potstill.models.recipes import parse_recipe
from potstill.pipeline.budget.ladder import Teacher
from potstill.recipe.schema import Recipe

MINILM = Teacher(layers=6, hidden=384, vocabulary=30522, tokens_seen=20000, labels=2)


def recipe(**budget: object) -> Recipe:
    """A recipe with the demo's teacher and this budget."""
    return parse_recipe(
        {
            "name": "try",
            "teacher": {"model": "demo:all-minilm-l6-v2"},
            "data": {"source": "demo:movie-reviews", "max_tokens": 64},
            "budget": budget,
        },
        "test",
    )
