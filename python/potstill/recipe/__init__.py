"""Recipes: the TOML files that say what a build does. The schema in `recipe.schema` is the only description of it.

`potstill.models.recipes.load_recipe` reads one and asks its task what does not go with it.
"""

from __future__ import annotations

from potstill.recipe.load import apply_overrides, bundled_names
from potstill.recipe.schema import Recipe

__all__ = ["Recipe", "apply_overrides", "bundled_names"]
