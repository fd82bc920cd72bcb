"""Recipes as they are read for work: checked by the schema, then by the head of their task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.models.heads import task_of
from potstill.recipe.load import checked_recipe, read_recipe
from potstill.recipe.schema import Recipe


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in the file `name`, or the bundled one of that name, with `overrides` applied.

    Args:
        name: path of a TOML file, or a bundled name such as `"sentiment"`.
        overrides: as `["student.layers=2", "data.source=my.csv"]`.

    Raises:
        RecipeError: no such recipe; not TOML; what is wrong inside; several problems.
    """
    return read_recipe(name, overrides, _refusals)


def parse_recipe(content: Mapping[str, Any], where: str) -> Recipe:
    """A checked recipe from TOML content; ``where`` names it in errors.

    Raises:
        RecipeError: what is wrong inside; several problems.
    """
    return checked_recipe(content, where, _refusals)


def _refusals(recipe: Recipe) -> Iterable[str]:
    return task_of(recipe).refusals(recipe)
