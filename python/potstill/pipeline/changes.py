"""Why a stage is made again: what its key is made of, now and for its newest result, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from potstill.pipeline.stage import Parts

# Beyond this number, changes of a kind are counted instead of named.
_NAMED = 4
# Longer values are hashes, or no help.
_LONGEST = 40


def changes(old: Mapping[str, Any], new: Parts) -> list[str]:
    """What differs, the reader's own settings first: "student.layers 4 -> 3", "code changed: data/splits.py"."""
    found: list[str] = []
    for kind, values in new.items():
        before = old.get(kind)
        before = before if isinstance(before, Mapping) else {}
        names = [name for name in {**values, **before} if before.get(name) != values.get(name)]
        if names:
            found += _WORDS[kind](names, before, values)
    # Another Python writes other syntax trees: then files of unchanged code differ too.
    if any(text.startswith("python ") for text in found):
        found = [text for text in found if not text.startswith("code changed")]
    return found


def _settings(names: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    told = [_change(name, before, after) for name in names[:_NAMED]]
    return told if len(names) <= _NAMED else [*told, f"{len(names) - _NAMED} more settings"]


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    sides = [_shown(side.get(name)) for side in (before, after)]
    return f"{name} changed" if max(map(len, sides)) > _LONGEST else f"{name} {sides[0]} -> {sides[1]}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _results(names: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [f"{', '.join(names)} changed"]


def _inputs(names: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [f"{name} changed" if _is_digest(name, before, after) else _change(name, before, after) for name in names]


def _is_digest(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return any(len(str(side.get(name, ""))) >= 32 for side in (before, after))


def _code(names: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"code changed: {', '.join(sorted(names)[:_NAMED])}{more}"]


_WORDS = {"recipe": _settings, "needs": _results, "identity": _inputs, "code": _code, "libraries": _settings}
