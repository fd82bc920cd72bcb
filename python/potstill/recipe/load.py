"""Recipes from files: found by path or bundled name, overridden by `--set`, checked; all problems told at once."""

from __future__ import annotations

import copy
import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from potstill.errors import RecipeError, os_errors
from potstill.paths import read_path
from potstill.recipe.schema import SECTIONS, SUBSECTIONS, Recipe, Section
from potstill.recipe.wording import is_wrong_type, wanted

BUNDLED_DIR = Path(__file__).parent / "bundled"


def bundled_names() -> list[str]:
    """Names of the recipes that come with Potstill."""
    return sorted(path.stem for path in BUNDLED_DIR.glob("*.toml"))


# What does not go with a recipe's task, each "reason; next step": the heads tell it (potstill.models.recipes).
Refusals = Callable[[Recipe], Iterable[str]]


def read_recipe(name: str | Path, overrides: Sequence[str], refusals: Refusals) -> Recipe:
    """The recipe in the file `name`, or the bundled one of that name, with `overrides` applied.

    Args:
        name: path of a TOML file, or a bundled name such as `"sentiment"`.
        overrides: as `["student.layers=2", "data.source=my.csv"]`.
    Raises:
        RecipeError: no such recipe; not TOML; what is wrong inside; several problems.
    """
    path = find_recipe(name)
    with os_errors(path, reading=True):
        raw = path.read_bytes()
    try:
        content = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecipeError("R002", "the file is not UTF-8", _where(path, raw, error), "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # a number or nesting past Python's limits, too
        raise RecipeError(
            "R002", f"the file is not valid TOML: {error}", _where(path, raw, error), _toml_hint()
        ) from error
    bundled = path.parent == BUNDLED_DIR
    where = f"bundled recipe {path.stem}" if bundled else str(path)
    recipe = checked_recipe(apply_overrides(content, overrides), where, refusals)
    recipe.set_base(None if bundled else path.parent.absolute())
    return recipe


def find_recipe(name: str | Path) -> Path:
    """The file of the recipe `name`, which is a path or a bundled name.

    Raises:
        InputError: `name` is no path.
        RecipeError: neither exists; lists the bundled names and the closest one.
        SystemFailure: its folder may not be looked into; the system's answer is another one.
    """
    text = read_path(name, "recipe")
    path = Path(text)
    with os_errors(path, reading=True):
        if path.is_file():
            return path
        if path.exists():
            step = "name the TOML file in it" if path.is_dir() else "save it as a file first"
            raise RecipeError("R001", "a recipe is a regular file, and this is not one", text, step)
    if (BUNDLED_DIR / f"{text}.toml").is_file() and "/" not in text:
        return BUNDLED_DIR / f"{text}.toml"
    names = bundled_names()
    nearby = [str(p) for p in path.parent.glob("*.toml") if p.is_file()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(text, [*names, *nearby], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise RecipeError(
        "R001",
        f"there is no recipe {text!r}",
        "neither a file nor a bundled name",
        f"{hint}bundled: {', '.join(names)}",
    )


def checked_recipe(content: Mapping[str, Any], where: str, refusals: Refusals) -> Recipe:
    """A checked recipe from TOML content.

    Raises:
        RecipeError: unknown key; missing key; wrong type; out of range; not one of the
            choices; settings that contradict each other; several of these, each told.
    """
    try:
        recipe = Recipe.model_validate(content)
        problems = [_contradiction(reason, f"{where}, the recipe") for reason in refusals(recipe)]
    except ValidationError as error:
        problems = [_problem(entry, where) for entry in error.errors(include_url=False)]
    if not problems:
        return recipe
    if len(problems) == 1:
        raise problems[0]
    listed = "".join(f"\n  {problem}" for problem in problems)
    raise RecipeError("R010", f"the recipe has {len(problems)} problems", where, f"correct them all:{listed}")


def apply_overrides(content: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of `content` with `key.sub=value` settings applied; values are TOML, bare words count as text.

    `key=` takes a key out: it has its default again.

    Raises:
        RecipeError: not of the form `key=value`, or a key below something that is no section.
    """
    result = copy.deepcopy(dict(content))
    for override in overrides:
        key, equals, value = override.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise RecipeError(
                "R009", "a setting is not of the form key=value", f"--set {override}", "as: --set student.layers=2"
            )
        target = result
        for part in parts[:-1]:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise RecipeError(
                    "R009", f"{part!r} holds a value, not keys", f"--set {override}", "see: potstill recipe schema"
                )
        if value.strip():
            target[parts[-1]] = _value(value.strip())
        else:
            target.pop(parts[-1], None)
    return result


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
        return found["value"] if len(found) == 1 else text  # several lines are a text, and no second setting
    except (ValueError, RecursionError):  # no TOML, or a number or nesting past Python's limits
        return text


def _where(path: Path, raw: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = raw[: error.start].count(b"\n") + 1
        return f"{path}, line {line}"
    # tomllib ends its message with the place: "... (at line 3, column 9)" or "(at end of document)".
    _, found, place = str(error).rpartition("(at ")
    return f"{path}, {place.rstrip(')')}" if found else str(path)


def _toml_hint() -> str:
    return "texts are written in double quotes, truth values as true and false, sections as [teacher], [data], ..."


def _problem(entry: Mapping[str, Any], where: str) -> RecipeError:
    """One of pydantic's findings as an error of ours."""
    path = [part for part in entry["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "the recipe"
    place = f"{where}, {key}"
    kind, limits, given = entry["type"], entry.get("ctx", {}), entry.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(path, key, where)
    if kind == "missing":
        return RecipeError("R004", f"the key {key} is missing", place, f"add it: {_about(path)}")
    if kind == "literal_error":
        choices = limits.get("expected", "")
        close = difflib.get_close_matches(
            str(given), [c.strip(" '") for c in choices.replace(" or ", ",").split(",")], n=1
        )
        hint = f"did you mean {close[0]!r}? " if close else ""
        return RecipeError("R007", f"{given!r} is not one of the choices", place, f"{hint}use {choices}")
    if kind == "value_error":
        return _contradiction(str(limits["error"]), place, f"correct {key}")
    asked = wanted(kind, limits)
    if is_wrong_type(kind):
        return RecipeError("R005", f"{_shown(given)} is of the wrong type: {asked} is needed", place, _about(path))
    return RecipeError("R006", f"{_shown(given)} is out of range: {asked} is needed", place, _about(path))


def _contradiction(text: str, place: str, otherwise: str = "correct the recipe") -> RecipeError:
    """A refusal, "reason; next step"."""
    reason, _, hint = text.partition("; ")
    return RecipeError("R008", reason, place, hint or otherwise)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unknown_key(path: Sequence[Any], key: str, where: str) -> RecipeError:
    name = str(path[-1])
    section = _section(path[:-1]) if len(path) > 1 else Recipe
    known = list((section or Recipe).model_fields)
    # A key in the wrong section is as common a slip as a misspelt one, and surer when the name fits exactly.
    homes = [other for other, model in SECTIONS.items() if name in model.model_fields]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if homes:
        hint = f"that key belongs to [{homes[0]}]"
    elif close:
        hint = f"did you mean {key[: -len(name)]}{close[0]}?"
    else:
        hint = f"known keys: {', '.join(known)}"
    return RecipeError("R003", f"unknown key {key}", f"{where}, {key}", hint)


def _section(path: Sequence[Any]) -> type[Section] | None:
    """The section of that name, or the table inside one."""
    return {**SECTIONS, **SUBSECTIONS}.get(".".join(map(str, path)))


def _about(path: Sequence[Any]) -> str:
    """What the key means, for a next step."""
    names = [part for part in path if isinstance(part, str)]
    model: type[Section] | None = Recipe
    field = None
    for place, name in enumerate(names, 1):
        field = model.model_fields.get(name) if model is not None else None
        model = _section(names[:place])
    if field is None or not field.description:
        return "see: potstill recipe schema"
    return f"{names[-1]}: {field.description}"
