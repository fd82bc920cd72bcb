"""What a key needs, in our words: pydantic gives its findings a type, and its own sentences are for programmers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By the type of the finding, without `_type` or `_parsing`.
_KINDS = {
    "int": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "bool": "true or false",
    "string": "a text in double quotes",
    "list": "a list [...]",
    "tuple": "a list [...]",
    "dict": "a section of keys",
    "mapping": "a section of keys",
    "model": "a section of keys",
    "model_attributes": "a section of keys",
}
# By the type of the finding; the limits come with it.
_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
}


def wanted(kind: str, limits: Mapping[str, Any]) -> str:
    """What a finding of this type asks for, as in "at least 1"; "another value" for one that is not known here."""
    if kind in _LIMITS:
        return _LIMITS[kind].format_map({name: _number(value) for name, value in limits.items()})
    return _KINDS.get(kind.removesuffix("_type").removesuffix("_parsing"), "another value")


def is_wrong_type(kind: str) -> bool:
    """Whether the finding is about the type of the value, not about its size."""
    return kind not in _LIMITS and kind.removesuffix("_type").removesuffix("_parsing") in _KINDS


def _number(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value
