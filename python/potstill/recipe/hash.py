"""Stable hashes of recipe content, the base of stage keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from potstill.recipe.schema import SECTIONS, Recipe

# Keys that came after recipes were in use. At its default such a key changes nothing, so it is not hashed then: results
# that were stored before it existed stay valid.
ADDED = frozenset(
    {
        "distil.embedding",
        "distil.hidden",
        "distil.attention",
        "distil.relations",
        "distil.teacher_layers",
        "distil.relation_layer",
        "distil.relation_heads",
        "distil.augment",
        "distil.cache_limit",
        "distil.class_weights",
        "student.preset",
        "student.activation",
        "student.embedding_size",
        "student.head_hidden",
        "student.vocabulary",
        "student.vocabulary_min_count",
        "student.vocabulary_size",
        "student.vocabulary_unlabelled_weight",
        "student.vocabulary_characters",
        "quantize.rounding",
        "quantize.calibration_rows",
    }
)


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
        parts[key] = _without_added(key, value) if key in SECTIONS else value
    return content_hash(parts)


def _without_added(section: str, content: Mapping[str, Any]) -> dict[str, Any]:
    fields = SECTIONS[section].model_fields
    return {
        name: value
        for name, value in content.items()
        if f"{section}.{name}" not in ADDED or value != fields[name].default
    }
