"""Label columns that hold any number of labels a row: lists (JSON, Parquet, hub), or one text with a separator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potstill.data.labels import Raw, label_name, named_id, ordered_names
from potstill.errors import DataError


def label_set_names(train: Raw, given: Sequence[str] | None, separator: str) -> list[str]:
    """Names of the labels: those of the recipe, else the source's own, else the distinct values of `train`.

    Raises:
        DataError: D030 no row has a label; D008, D020 as `label_sets`.
    """
    if given is not None:
        return list(given)
    if train.names is not None:
        return list(train.names)
    found = {name for names in label_sets(train, separator) for name in names}
    if not found:
        raise DataError(
            "D030", "no training row has a label", f"{train.where}, column {train.column!r}", "set data.label"
        )
    return ordered_names(found)


def label_set_ids(raw: Raw, names: Sequence[str], separator: str) -> list[list[int]]:
    """For each row the ascending indices into `names` of its labels; an empty list for a row without one.

    Raises:
        DataError: D004 a label that is not in `names`; D008, D020 as `label_sets`.
    """
    index_of = {name: index for index, name in enumerate(names)}
    return [
        sorted({named_id(name, names, index_of, raw, row) for name in found})
        for row, found in enumerate(label_sets(raw, separator))
    ]


def label_sets(raw: Raw, separator: str) -> list[list[str]]:
    """The label names of each row.

    Raises:
        DataError: D008 a value that is neither a list nor a text, D020 a row whose value is missing (an empty list or
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
