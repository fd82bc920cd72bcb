"""Class names and ids out of whatever a label column holds: names, numbers, booleans or class-label features."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from potstill.errors import DataError

_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0*|,0)?")
_NUMBER = re.compile(r"[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?")
# More different numbers than these are a scale: classes are rarely numbered so far, and never with fractions.
_MOST_NUMBERS, _MOST_FRACTIONS = 50, 20
# Numbers without a gap from 0 or 1, each on several rows, are classes that somebody counted, unless they end where
# scales do (100).
_ROWS, _SCALE = 5, 50
# How programs spell that a cell holds nothing. "NA" and "none" are classes of some data sets.
_MISSING = {"nan", "null", "<na>", "nat", "#n/a", "#nv", "#na"}
# Numbers of more digits are read as names.
_MOST_DIGITS = 19
# From so many on, labels are compared with the number of rows: each on less than two of them is no class.
_SOME = 8


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
        lines: line of the file that each row begins at, None where lines mean nothing.
        notes: what the reader found out by itself, a sentence each.
    """

    texts: list[Any]
    labels: list[Any] | None
    where: str
    column: str = "label"
    names: list[str] | None = None
    first: int = field(default=1)
    pairs: list[Any] | None = None
    lines: list[int] | None = None
    notes: list[str] = field(default_factory=list)

    def at(self, index: int, column: str | None = None) -> str:
        """Where row `index` stands, for errors; `column` is the label's by default."""
        line = "" if self.lines is None else f" (line {self.lines[index]})"
        return f"{self.where}, row {self.first + index}{line}, column {(self.column if column is None else column)!r}"


def check_texts(raw: Raw, column: str, *, second: bool = False) -> list[str]:
    """The texts of `raw`, or its second texts, all of them non-empty strings.

    Raises:
        DataError: a row without text; a text column that holds something else than text.
    """
    texts = (raw.pairs or []) if second else raw.texts
    for index, text in enumerate(texts):
        if isinstance(text, str) and text.strip():
            continue
        row = raw.at(index, column)
        if text is None or (isinstance(text, str) and not text.strip()):
            raise DataError("D005", "the text is empty", row, "fill the text in or delete the row")
        if not isinstance(text, str):
            tagged = isinstance(text, list | tuple)
            key = f"set data.{'text_pair' if second else 'text'} to the column that holds the texts"
            raise DataError(
                "D019",
                f"a value of type {type(text).__name__} stands where a text should",
                row,
                f'for words with tags set task = "token-classification", else {key}' if tagged else key,
            )
    return texts


def tidy_labels(raws: Mapping[str, Raw], given: Sequence[str] | None) -> dict[str, Raw]:
    """The rows with text labels in one spelling: ``0.0`` and ``1.0`` are 0 and 1, ``True`` and ``TRUE`` are true.

    A column is changed as a whole or not at all: beside ``2.5``, the label ``2.0`` is a name like others.
    """
    values = {v.strip() for raw in raws.values() for v in raw.labels or [] if isinstance(v, str)} - {""}
    names = list(given or [])
    meant: dict[str, str] = {}
    lower = {value.lower() for value in values}
    if values <= set(names):
        return dict(raws)
    if all(_WHOLE.fullmatch(value) for value in values) and any(not value.lstrip("+-").isdigit() for value in values):
        meant = {value: str(int(re.split("[.,]", value)[0])) for value in values}
    elif lower <= {"true", "false"} or ("true" in lower and lower <= {"true", "false", "0", "1"}):
        spelt = {name.lower(): name for name in names}
        truth = {"0": "false", "1": "true"}
        meant = {value: spelt.get(name, name) for value in values for name in [truth.get(value, value.lower())]}

    def tidy(value: Any) -> Any:
        return meant.get(value.strip(), value) if isinstance(value, str) else value

    return {
        part: raw if raw.labels is None else dataclasses.replace(raw, labels=[tidy(value) for value in raw.labels])
        for part, raw in raws.items()
    }


def refuse_scores_and_ids(train: Raw) -> None:
    """Refuse a column that holds no classes; for columns whose names are not given.

    Raises:
        DataError: a scale of numbers; nearly every row has a label of its own.
    """
    values = [value for value in train.labels or [] if isinstance(value, str | int | float) and value != ""]
    distinct = {value.strip() if isinstance(value, str) else value for value in values}
    kinds, many = len(distinct), len(distinct) >= _SOME and 2 * len(distinct) > len(values)
    numbers = [number for value in distinct if (number := _number(value)) is not None]
    where = f"{train.where}, column {train.column!r}"
    if numbers and len(numbers) == kinds:
        whole = all(number.is_integer() for number in numbers)
        gapless = whole and min(numbers) in (0, 1) and max(numbers) - min(numbers) == kinds - 1
        plain = all(not isinstance(value, str) or value.isdigit() for value in distinct)
        classes = gapless and plain and max(numbers) % _SCALE and _ROWS * kinds <= len(values)
        scarce = kinds > 2 and 2 * kinds > len(values)
        if (kinds > (_MOST_NUMBERS if whole else _MOST_FRACTIONS) and not classes) or (scarce and not whole):
            raise DataError(
                "D046",
                f"the labels are {kinds:,} different numbers from {min(numbers):g} to {max(numbers):g}: "
                "the column looks like a score, not like classes",
                where,
                "regression is not supported as a task: cut the score into classes (low, high), or set data.label to "
                "the column that has them; if these are classes, list them all in data.labels",
            )
    if many:
        raise DataError(
            "D047",
            f"{kinds:,} different labels on {len(values):,} rows: the column looks like ids or texts, not like classes",
            where,
            "set data.label to the column with the classes; if these are classes, list them all in data.labels",
        )


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        plain = value.strip().removesuffix("%").rstrip()
        return float(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else None
    if isinstance(value, bool) or value != value:
        return None
    try:
        return float(value)
    except OverflowError:  # of a whole number with hundreds of digits
        return math.inf


def refuse_missing(labels: Sequence[Any], raw: Raw, index: int) -> None:
    """Refuse labels of row `index` that say that the value is missing; for columns whose names are not given.

    Raises:
        DataError: it is one.
    """
    for value in labels:
        if isinstance(value, str) and value.strip().lower() in _MISSING:
            raise DataError(
                "D054",
                f"the label {value.strip()!r} is how programs write that a value is missing",
                raw.at(index),
                "fill the label in or delete the row; if it is a class, list all classes in data.labels",
            )


def class_names(train: Raw, given: Sequence[str] | None) -> list[str]:
    """Names of the classes: those of the recipe, else the source's own, else the distinct values of `train`.

    Distinct whole numbers are ordered as numbers, all else as text.

    Raises:
        DataError: as `label_name`; as `refuse_scores_and_ids`; as `refuse_missing`.
    """
    if given is not None:
        return list(given)
    if train.names is not None:
        return list(train.names)
    for index, value in enumerate(train.labels or []):
        refuse_missing([value], train, index)
    refuse_scores_and_ids(train)
    return ordered_names({label_name(value, train, index) for index, value in enumerate(train.labels or [])})


def ordered_names(found: set[str]) -> list[str]:
    """Whole numbers in order of their value, all else as text."""
    if all(_is_whole(name) for name in found):
        return sorted(found, key=int)
    return sorted(found)


def class_ids(raw: Raw, names: Sequence[str], *, ordered: bool = True) -> list[int]:
    """The index into `names` of each row's label.

    Whole numbers are indices when no name of `names` is written like them, which is how CSV files with numbered
    classes meet a recipe that names the classes.

    Args:
        raw: the rows.
        names: of the classes.
        ordered: False: `names` are in no order that somebody chose, so a number means none of them.

    Raises:
        DataError: a label that is not in `names`; an unusable type; a row without label.
    """
    index_of = {name: index for index, name in enumerate(names)}
    ids = []
    for index, value in enumerate(raw.labels or []):
        if raw.names is not None and isinstance(value, int):
            # The source numbers its own names; the recipe may list them in another order.
            value = raw.names[value] if 0 <= value < len(raw.names) else None
        ids.append(named_id(label_name(value, raw, index), names, index_of, raw, index, ordered=ordered))
    return ids


def named_id(
    name: str, names: Sequence[str], index_of: Mapping[str, int], raw: Raw, index: int, *, ordered: bool = True
) -> int:
    """The id of the label `name` of row `index`; see `class_ids`.

    Raises:
        DataError: it is not in `names`.
    """
    if name in index_of:
        return index_of[name]
    if ordered and _is_whole(name) and 0 <= int(name) < len(names) and not any(_is_whole(known) for known in names):
        return int(name)
    raise _unknown(name, names, raw, index)


def label_name(value: Any, raw: Raw, index: int) -> str:
    """One label of row `index` as a name.

    Raises:
        DataError: an unusable type; no label.
    """
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        raise DataError("D020", "the row has no label", raw.at(index), "fill the label in or delete the row")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    step = "labels are names, whole numbers or booleans, one for each row"
    if isinstance(value, float):
        step += "; cut a score into classes (low, high)"
    if isinstance(value, list | tuple) and value is (raw.labels or [])[index]:
        step += '; for lists of labels set task = "multi-label"'
    raise DataError("D008", f"the label {repr(value)[:60]} is of type {type(value).__name__}", raw.at(index), step)


def _is_whole(name: str) -> bool:
    return name.isascii() and name.removeprefix("-").isdigit() and len(name) < _MOST_DIGITS


def _unknown(name: str, names: Sequence[str], raw: Raw, index: int) -> DataError:
    alike = [known for known in names if known.casefold() == name.casefold()]
    close = alike or difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    if _is_whole(name) and not any(_is_whole(known) for known in names):
        hint = f"numbers stand for the labels of data.labels, counted from 0 (0 is {names[0]!r}); "
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return DataError(
        "D004",
        f"the label {name!r} is not among the known ones",
        raw.at(index),
        f"{hint}known labels: {shown}; correct the row, or list all labels in data.labels",
    )
