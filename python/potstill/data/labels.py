"""Class names and ids out of whatever a label column holds: names, numbers, booleans or class-label features."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from potstill.errors import DataError


@dataclass
class Raw:
    """Rows as they were read, labels not yet looked at.

    Attributes:
        texts: as in the source; None where the row has none.
        labels: one value a row, or None if the source is read for its texts only.
        names: class names that the source itself declares (class-label feature), else None.
        where: names the source in errors.
        column: name of the label column, for errors.
        first: number of the first row as the reader of the file counts, for errors.
        pairs: second texts, None if the source is read for single texts.
    """

    texts: list[Any]
    labels: list[Any] | None
    where: str
    column: str = "label"
    names: list[str] | None = None
    first: int = field(default=1)
    pairs: list[Any] | None = None


def check_texts(raw: Raw, column: str, *, second: bool = False) -> list[str]:
    """The texts of `raw`, or its second texts, all of them non-empty strings.

    Raises:
        DataError: D005 a row without text, D019 a text column that holds something else than text.
    """
    texts = (raw.pairs or []) if second else raw.texts
    for index, text in enumerate(texts):
        row = f"{raw.where}, row {raw.first + index}, column {column!r}"
        if text is None or (isinstance(text, str) and not text.strip()):
            raise DataError("D005", "the text is empty", row, "fill the text in or delete the row")
        if not isinstance(text, str):
            raise DataError(
                "D019",
                f"a value of type {type(text).__name__} stands where a text should",
                row,
                f"set data.{'text_pair' if second else 'text'} to the column that holds the texts",
            )
    return texts


def class_names(train: Raw, given: Sequence[str] | None) -> list[str]:
    """Names of the classes: those of the recipe, else the source's own, else the distinct values of `train`.

    Distinct whole numbers are ordered as numbers, all else as text.
    """
    if given is not None:
        return list(given)
    if train.names is not None:
        return list(train.names)
    return ordered_names({label_name(value, train, index) for index, value in enumerate(train.labels or [])})


def ordered_names(found: set[str]) -> list[str]:
    """Whole numbers in order of their value, all else as text."""
    if all(_is_whole(name) for name in found):
        return sorted(found, key=int)
    return sorted(found)


def class_ids(raw: Raw, names: Sequence[str]) -> list[int]:
    """The index into `names` of each row's label.

    Whole numbers are indices when no name of `names` is written like them, which is how CSV files with numbered
    classes meet a recipe that names the classes.

    Raises:
        DataError: D004 a label that is not in `names`, D008 an unusable type, D020 a row without label.
    """
    index_of = {name: index for index, name in enumerate(names)}
    ids = []
    for index, value in enumerate(raw.labels or []):
        if raw.names is not None and isinstance(value, int):
            # The source numbers its own names; the recipe may list them in another order.
            value = raw.names[value] if 0 <= value < len(raw.names) else None
        ids.append(named_id(label_name(value, raw, index), names, index_of, raw, index))
    return ids


def named_id(name: str, names: Sequence[str], index_of: Mapping[str, int], raw: Raw, index: int) -> int:
    """The id of the label `name` of row `index`; see `class_ids`.

    Raises:
        DataError: D004 it is not in `names`.
    """
    if name in index_of:
        return index_of[name]
    if _is_whole(name) and 0 <= int(name) < len(names) and not any(_is_whole(known) for known in names):
        return int(name)
    raise _unknown(name, names, raw, index)


def label_name(value: Any, raw: Raw, index: int) -> str:
    """One label of row `index` as a name.

    Raises:
        DataError: D008 an unusable type, D020 no label.
    """
    row = f"{raw.where}, row {raw.first + index}, column {raw.column!r}"
    if value is None or value == "" or value != value:
        raise DataError("D020", "the row has no label", row, "fill the label in or delete the row")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise DataError(
        "D008",
        f"the label {value!r} is of type {type(value).__name__}",
        row,
        "labels are names, whole numbers or booleans, one for each row",
    )


def _is_whole(name: str) -> bool:
    return name.isascii() and name.removeprefix("-").isdigit()


def _unknown(name: str, names: Sequence[str], raw: Raw, index: int) -> DataError:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return DataError(
        "D004",
        f"the label {name!r} is not among the known ones",
        f"{raw.where}, row {raw.first + index}, column {raw.column!r}",
        f"{hint}known labels: {shown}; correct the row, or list all labels in data.labels",
    )
