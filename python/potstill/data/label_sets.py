"""Label columns that hold any number of labels a row: lists (JSON, Parquet, hub), or one text with a separator."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from potstill.data.labels import Raw, label_name, named_id, ordered_names, refuse_missing, refuse_scores_and_ids
from potstill.errors import DataError


def tidy_sets(raws: Mapping[str, Raw], given: Sequence[str] | None) -> dict[str, Raw]:
    """The rows with lists of labels: out of texts that spell one (``['a', 'b']``), or of vectors of 0 and 1.

    Args:
        raws: rows of each split.
        given: ``data.labels``, which name the places of a vector.

    Raises:
        DataError: a list that cannot be read, or a vector without names for its places.
    """
    held = {part: [_spelt(value, raw, row) for row, value in enumerate(raw.labels or [])] for part, raw in raws.items()}
    width = _vector_width([value for values in held.values() for value in values])
    names = list(given or raws["train"].names or [])
    if width and len(names) != width:
        raise DataError(
            "D055",
            f"the labels are vectors of {width} numbers 0 and 1, for which there are {len(names) or 'no'} names",
            raws["train"].at(0),
            f"set data.labels to the {width} names, in the order of the numbers",
        )
    if width:
        held = {
            part: [[name for name, value in zip(names, vector, strict=True) if value] for vector in values]
            for part, values in held.items()
        }
    return {
        part: raw if raw.labels is None else dataclasses.replace(raw, labels=held[part]) for part, raw in raws.items()
    }


def _spelt(value: Any, raw: Raw, row: int) -> Any:
    """A list out of a text that spells one in JSON or in Python; all else as it is."""
    text = value.strip() if isinstance(value, str) else ""
    if not (text.startswith("[") and text.endswith("]")):
        return value
    # NumPy writes no commas, and Python joins texts without one between.
    if not re.search(r"""['"]\s+['"]""", text):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return read(text)
    raise DataError(
        "D055",
        f"the labels {text[:60]!r} are no list that can be read",
        raw.at(row),
        'write the names with data.label_separator between them (a;b), or a list as in JSON: ["a", "b"]',
    )


def _vector_width(values: Sequence[Any]) -> int:
    """Numbers in each list if all are vectors of 0 and 1, else 0: a list of ids holds each of them once."""
    lists = [value for value in values if isinstance(value, list | tuple)]
    widths = {len(value) for value in lists}
    if len(lists) != len(values) or len(widths) != 1 or min(widths) < 2:
        return 0
    plain = all(isinstance(number, int | float) and number in (0, 1) for value in lists for number in value)
    return widths.pop() if plain and any(len(set(value)) < len(value) for value in lists) else 0


def label_set_names(train: Raw, given: Sequence[str] | None, separator: str) -> list[str]:
    """Names of the labels: those of the recipe, else the source's own, else the distinct values of `train`.

    Raises:
        DataError: no row has a label; as `label_sets`; as `class_names`.
    """
    if given is not None:
        return list(given)
    if train.names is not None:
        return list(train.names)
    found: list[str] = []
    for row, names in enumerate(label_sets(train, separator)):
        refuse_missing(names, train, row)
        found += names
    if not found:
        raise DataError(
            "D030", "no training row has a label", f"{train.where}, column {train.column!r}", "set data.label"
        )
    if not all(name.isdigit() for name in found):  # labels of several hundred kinds are often numbered
        refuse_scores_and_ids(dataclasses.replace(train, labels=found))
    return ordered_names(set(found))


def label_set_ids(raw: Raw, names: Sequence[str], separator: str, *, ordered: bool = True) -> list[list[int]]:
    """For each row the ascending indices into `names` of its labels; an empty list for a row without one.

    Args:
        raw: the rows.
        names: of the labels.
        separator: between the labels of a text.
        ordered: as `class_ids` takes it.

    Raises:
        DataError: a label that is not in `names`; as `label_sets`.
    """
    index_of = {name: index for index, name in enumerate(names)}
    return [
        sorted({named_id(name, names, index_of, raw, row, ordered=ordered) for name in found})
        for row, found in enumerate(label_sets(raw, separator))
    ]


def label_sets(raw: Raw, separator: str) -> list[list[str]]:
    """The label names of each row.

    Raises:
        DataError: a value that is neither a list nor a text; a row whose value is missing (an empty list or
            text means: no label).
    """
    return [_row(value, raw, row, separator) for row, value in enumerate(raw.labels or [])]


def _row(value: Any, raw: Raw, row: int, separator: str) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(separator) if part.strip()]
    if isinstance(value, list | tuple):
        names = [raw.names[v] if raw.names is not None and _is_index(v, raw.names) else v for v in value]
        return [label_name(name, raw, row) for name in names]
    where = raw.at(row)
    if value is None:
        raise DataError("D020", "the row has no labels", where, "give an empty list where there is none")
    raise DataError(
        "D008",
        f"the labels {value!r} are of type {type(value).__name__}",
        where,
        f"give a list of names, or one text with {separator!r} between them (data.label_separator)",
    )


def _is_index(value: Any, names: Sequence[str]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)
