"""Recipe content as the base of stage keys: values by their dotted names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potstill.recipe.schema import SECTIONS, Recipe


def values_of(recipe: Recipe, keys: Sequence[str]) -> dict[str, Any]:
    """Values by dotted key of some parts of a recipe: `["seed", "teacher", "data.max_tokens"]`.

    Defaults count like written values, and a section is all its keys.
    """
    content = recipe.content()
    found: dict[str, Any] = {}
    for key in keys:
        value: Any = content
        for name in key.split("."):
            value = value[name]
        found |= {f"{key}.{name}": one for name, one in value.items()} if key in SECTIONS else {key: value}
    return found


def keys_but(section: str, *left_out: str) -> tuple[str, ...]:
    """All keys of a section except some, dotted."""
    return tuple(f"{section}.{name}" for name in SECTIONS[section].model_fields if name not in left_out)
