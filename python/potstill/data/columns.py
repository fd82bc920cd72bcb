"""Which columns of a table are read, and how they are found by name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from potstill.data.tagging import looks_like_tags
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
    """Where the column stands: under this name, else one that differs by case, width, spaces or invisible marks."""
    exact = [place for place, column in enumerate(columns) if column == name]
    return exact or [place for place, column in enumerate(columns) if _plain(column) == _plain(name)]


def has_all(wanted: Wanted, columns: Sequence[str]) -> bool:
    """Whether every wanted column is there."""
    return all(find_column(name, columns) for _, name in wanted.named())


def places(wanted: Wanted, columns: Sequence[str], where: str) -> list[int]:
    """Where the columns of `Wanted.named` stand, in that order.

    Raises:
        DataError: a column is missing; more than one could be meant.
    """
    found = []
    absent = [(key, name) for key, name in wanted.named() if not find_column(name, columns)]
    if absent:
        raise missing_column(absent, columns, where)
    for key, name in wanted.named():
        at = find_column(name, columns)
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


def missing_column(absent: Sequence[tuple[str, str]], columns: Sequence[str], where: str) -> DataError:
    """The error for columns that are not there; lists those that are, and the closest one.

    Args:
        absent: recipe keys and the columns that they name.
        columns: those of the table.
        where: names the table.
    """
    shown = ", ".join(name.strip() or "(unnamed)" for name in columns) or "none"
    what = f"there is {' and '.join(f'no column {name!r}' for _, name in absent)}"
    joined = columns[0] if len(columns) == 1 else ""
    mark = next((m[1] for _, name in absent if (m := re.search(rf"\b{re.escape(name)}\b *([^\w\s\"'])", joined))), "")
    if mark:
        step = f'if {mark!r} stands between the columns, say so: data.separator = "{mark}"'
    else:
        close = difflib.get_close_matches(absent[0][1], columns, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        step = f"{hint}set {' and '.join(key for key, _ in absent)} in the recipe"
    return DataError("D003", what, f"{where}, columns: {shown}", step)


def looks_like_data(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a first line is a row like the others: a number, a text, a value that comes again below it, or a tag."""
    for place, cell in enumerate(header):
        value = cell.strip()
        if _NUMBER.fullmatch(value) or len(value.split()) >= _WORDS_OF_A_TEXT:
            return True
        if value and any(len(row) > place and str(row[place]).strip() == value for row in rows):
            return True
    return _tagged(header, rows)


def _tagged(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the last column spells entities, from the first line on."""
    return len(header) > 1 and looks_like_tags({str(row[-1]).strip() for row in (header, *rows) if row})


def no_header(header: Sequence[str], where: str, wanted: Wanted, rows: Sequence[Sequence[Any]]) -> DataError:
    """The error for a table that begins with a row."""
    shown = ", ".join(repr(cell[:40]) for cell in header[:4])
    named = wanted.named()
    step = (
        f"put a line with the names of the columns before it ({' and '.join(name for _, name in named)}, each over its "
        f"column); or set {' and '.join(key for key, _ in named)} if these are names"
    )
    if _tagged(header, rows):
        step = "for words with a tag a line, name the file .conll"
    return DataError("D042", f"the first line seems to be a row, not the names of the columns: {shown}", where, step)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip("\ufeff\u200b \t").casefold()
