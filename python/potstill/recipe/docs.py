"""Schema documentation, JSON schema and new recipes, all generated from `recipe.schema`."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from potstill.recipe.base import resolve
from potstill.recipe.load import find_recipe
from potstill.recipe.schema import SECTIONS, SUBSECTIONS, Recipe, Section


def schema_json() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors that complete and check TOML."""
    return Recipe.model_json_schema()


def schema_markdown() -> str:
    """A table for each section: key, type and range, default, meaning."""
    parts = ["# Recipe keys\n", _table("Top level", Recipe)]
    parts += [_table(f"[{name}]", model) for name, model in {**SECTIONS, **SUBSECTIONS}.items()]
    return "\n".join(parts)


# What a new recipe names until its writer does: it builds without a change.
_FIRST = {
    "teacher": {"model": "demo:all-minilm-l6-v2"},
    "data": {"source": "demo:movie-reviews"},
}


def template(name: str) -> str:
    """The text of a new recipe: the keys that it must have, and as comments all others.

    A default that stands as a comment does not count as given, so `--set`, presets and budgets are free to choose.

    Args:
        name: of the recipe; characters that names of recipes do not have become hyphens.
    """
    fitting = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64] or "recipe"
    recipe = Recipe.model_validate({"name": fitting, **_FIRST})
    return _text(recipe.content(), given={"": {"name"}, **{section: set(keys) for section, keys in _FIRST.items()}})


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML, every key with its meaning; local paths are made absolute, so that it can be moved."""
    values, base = recipe.content(), recipe.base
    teacher, data = values["teacher"], values["data"]
    if (model := resolve(teacher["model"], base)).is_dir():  # else a model on the hub, even if a file has that name
        teacher["model"] = str(model.absolute())
    if (tokenizer := recipe.student.tokenizer_folder) is not None:
        values["student"]["tokenizer"] = str(tokenizer.absolute())
    source = resolve(data["source"], base)
    data["source"], *data["unlabelled"] = (_absolute(name, base) for name in (data["source"], *data["unlabelled"]))
    folder = source if source.is_dir() else source.parent
    for part in ("train", "validation", "test") if source.exists() else ():
        # Files of splits lie beside data.source, where they are found from anywhere, or are looked up as it is.
        if data[part] is not None and not (folder / data[part]).exists():
            data[part] = _absolute(data[part], base)
    return _text(values)


def _absolute(name: str, base: Path | None) -> str:
    path = resolve(name, base)
    return str(path.absolute()) if path.exists() else name


def _text(values: dict[str, Any], given: Mapping[str, Collection[str]] | None = None) -> str:
    """TOML of a recipe's `values`; with `given` (keys of each section, "" for the top), all others are comments."""

    def entry(section: str, key: str, field: FieldInfo, value: Any) -> list[str]:
        return _entry(key, field, value, off=given is not None and key not in given.get(section, ()))

    about = (
        "A key that is a comment has its default" if given is not None else "Keys that you remove have their default"
    )
    lines = [f"# A Potstill recipe. {about}."]
    for key, field in Recipe.model_fields.items():
        if key not in SECTIONS:
            lines += entry("", key, field, values[key])
    for section, model in SECTIONS.items():
        lines += ["", f"# {(model.__doc__ or '').strip()}", f"[{section}]"]
        for key, field in model.model_fields.items():
            lines += entry(section, key, field, values[section][key])
    return "\n".join(lines) + "\n"


def bundled_text(name: str) -> str:
    """The text of a bundled recipe as it is."""
    return find_recipe(name).read_text(encoding="utf-8")


def _entry(key: str, field: FieldInfo, value: Any, *, off: bool = False) -> list[str]:
    about = textwrap.wrap((field.description or "").replace("`", ""), 110, initial_indent="# ", subsequent_indent="# ")
    # TOML has no null: a key that is off is shown as a comment.
    line = f"{key} = {_toml(value)}" if value is not None else f"{key} = ..."
    return [*about, f"# {line}" if off or value is None else line]


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items() if item is not None) + " }"
    # JSON's texts, numbers and truth values are TOML's; only a float's exponent without point needs no change either.
    return json.dumps(value, ensure_ascii=False)


def _table(title: str, model: type[Section]) -> str:
    rows = [
        f"## {title}\n",
        (model.__doc__ or "").strip() + "\n",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
    ]
    properties = Recipe.model_json_schema()
    definition = properties if model is Recipe else properties["$defs"][model.__name__]
    for key, field in model.model_fields.items():
        if model is Recipe and key in SECTIONS:
            continue
        kind = _kind(definition["properties"][key])
        rows.append(f"| `{key}` | {kind} | {_default(field)} | {(field.description or '').replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else None
    return "-" if value is None else f"`{_toml(value)}`"


def _kind(schema: dict[str, Any]) -> str:
    """Type and range of a key in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return "table"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    text = words.get(schema.get("type", ""), "value")
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {_number(schema[key])}" for key, sign in bounds.items() if key in schema]
    return f"{text} {', '.join(limits)}" if limits else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
