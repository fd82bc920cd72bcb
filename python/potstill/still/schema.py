"""cpp/schema/still.fbs for Python: the module `fb` that flatc generates, and its enums by words.

A field ``word_scale`` of the schema is ``wordScale`` of an object, a table ``Linear`` the class ``fb.LinearT``.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from potstill.errors import missing_package


def _generated() -> Any:
    try:
        return importlib.import_module("potstill.still._still_fb")
    except ModuleNotFoundError as error:
        what = error.name if error.name == "flatbuffers" else "flatbuffers schema (potstill.still._still_fb)"
        raise missing_package(what, "build", "potstill compile") from error


fb = _generated()


def words(enum: Any) -> dict[str, int]:
    """``{"none": 0, "gelu": 1, "gelu_poly": 2, ...}`` of an enum of the schema."""
    return {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().rstrip("_"): number
        for name, number in vars(enum).items()
        if not name.startswith("__")
    }


def word(enum: Any, number: int) -> str:
    """The word of a number, as `words` has it."""
    return next(found for found, value in words(enum).items() if value == number)


def made(table: Any, /, **fields: Any) -> Any:
    """An object of the class `table` with these fields."""
    found = table()
    for name, value in fields.items():
        assert hasattr(found, name), f"{table.__name__} has no field {name}"
        setattr(found, name, value)
    return found


def kind(item: Any) -> str:
    """The table in the union `body` of an op, head or step: "Linear"."""
    return str(type(item.body).__name__[:-1])
