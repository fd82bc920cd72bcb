"""Which columns of a table are read, and how they are found by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from potstill.errors import DataError

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
# A column is seldom named by so many words; a text often has them.
_WORDS_OF_A_TEXT = 4


@dataclass(frozen=True)
class Wanted:
    """What is read of a source.

    Attributes:
        text, label, pair: names of the columns; `label` None reads the texts only, `pair` is the second text's.
        separator: between the fields of a CSV file, None to look.
        encoding: of text files that are not UTF-8, None for none.
    """

    text: str
    label: str | None
    pair: str | None = None
    separator: str | None = None
    encoding: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """Recipe keys with the columns that they name."""
        named = (("data.text", self.text), ("data.text_pair", self.pair), ("data.label", self.label))
        return [(key, column) for key, column in named if column is not None]


def find_column(name: str, columns: Sequence[str]) -> list[int]:
    """Where the column stands: under this name, else under one that differs by case, spaces or a byte order mark."""
    exact = [place for place, column in enumerate(columns) if column == name]
    return exact or [place for place, column in enumerate(columns) if _plain(column) == _plain(name)]


def has_all(wanted: Wanted, columns: Sequence[str]) -> bool:
    """Whether every wanted column is there."""
    return all(find_column(name, columns) for _, name in wanted.named())


def places(wanted: Wanted, columns: Sequence[str], where: str) -> list[int]:
    """Where the columns of `Wanted.named` stand, in that order.

    Raises:
        DataError: D003 a column is missing, D043 more than one could be meant.
    """
    found = []
    for key, name in wanted.named():
        at = find_column(name, columns)
        if not at:
            raise missing_column(name, columns, where, key)
        if len(at) > 1:
            meant = ", ".join(repr(columns[place]) for place in at)
            raise DataError(
                "D043",
                f"{len(at)} columns could be {name!r}: {meant}",
                where,
                f"give them different names and write the one that is meant into {key}",
            )
        found.append(at[0])
    return found


def missing_column(column: str, columns: Sequence[str], where: str, key: str) -> DataError:
    """The error for a column that is not there; lists those that are, and the closest one."""
    close = difflib.get_close_matches(column, columns, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(name.strip() or "(unnamed)" for name in columns) or "none"
    return DataError(
        "D003", f"there is no column {column!r}", f"{where}, columns: {shown}", f"{hint}set {key} in the recipe"
    )


def looks_like_data(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a first line is a row like the others: a number, a text, or a value that comes again below it."""
    for place, cell in enumerate(header):
        value = cell.strip()
        if _NUMBER.fullmatch(value) or len(value.split()) >= _WORDS_OF_A_TEXT:
            return True
        if value and any(len(row) > place and str(row[place]).strip() == value for row in rows):
            return True
    return False


def no_header(header: Sequence[str], where: str) -> DataError:
    """The error for a table that begins with a row."""
    shown = ", ".join(repr(cell[:40]) for cell in header[:4])
    return DataError(
        "D042",
        f"the first line seems to be a row, not the names of the columns: {shown}",
        where,
        "put a line of names before it, for example text,label; or set data.text and data.label if these are names",
    )


def _plain(name: str) -> str:
    return name.strip("\ufeff \t\u00a0").casefold()
