"""Stable hashes of recipe content, the base of stage keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from potstill.recipe.schema import Recipe


def content_hash(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """SHA-256 (hex) of plain content; independent of the order of keys, of the Python version and of the machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def section_hash(recipe: Recipe, keys: Sequence[str]) -> str:
    """Hash of some parts of a recipe: `["seed", "teacher", "data.max_tokens"]`. Defaults count like written values."""
    content = recipe.content()
    parts: dict[str, Any] = {}
    for key in keys:
        value: Any = content
        for name in key.split("."):
            value = value[name]
        parts[key] = value
    return content_hash(parts)
