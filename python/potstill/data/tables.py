"""Tables of text and of spreadsheets: CSV, TSV and XLSX files.

CSV has no types, so every field is read as text: "007" and "null" stay what they are.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from potstill.data.columns import Wanted, find_column, has_all, looks_like_data, no_header, places
from potstill.data.encodings import text_encoding
from potstill.data.labels import Raw
from potstill.errors import DataError, missing_package

SEPARATORS = ",;\t|"
_NAMES = {"\t": "a tab", " ": "a space"}
# A field over this is a quote that was never closed, not a text for an encoder.
_LARGEST_FIELD = 16 * 1024 * 1024
# Lines that decide separator and header.
_SAMPLE = 200
# So many lines are searched for the header, to say where it is.
_TITLES = 20
# Excel's own note of the separator, before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)

_SPACED = re.compile(r' +".*"\s*', re.DOTALL)
_EMPTY = "check that it was written, and that the path is right"
# What a cell of a spreadsheet shows when its formula failed.
_CELL_ERRORS = {"#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#SPILL!", "#CALC!"}

Row = tuple[int, Sequence[Any]]  # number of the line or row in the file, and its fields


def read_csv(path: Path, wanted: Wanted) -> Raw:
    """Rows of a CSV or TSV file.

    Raises:
        DataError: as `places`; as `text_encoding`; malformed; no header.
    """
    encoding = text_encoding(path, wanted.encoding)
    _refuse_json(path, encoding)
    style = _style(path, encoding, wanted)
    # Tab-separated files are often written without any quoting: a quote is then a character like others.
    bare = (replace(style, quotes=False), "quotes are read as characters: the file is not written with quoting")
    spaced = (replace(style, spaces=True), "spaces after a separator are no part of the fields")
    try:
        raw = _read(path, encoding, style, wanted)
        others = [spaced] if _has_spaced_quotes(raw) else []
    except DataError as error:
        if error.code != "D010":
            raise
        raw, fault = None, error
        others = [*([bare] if style.separator == "\t" else []), spaced]
    for other, note in others:
        with suppress(DataError):
            found = _read(path, encoding, other, wanted)
            found.notes.append(note)
            return found
    if raw is None:
        raise fault
    return raw


def _refuse_json(path: Path, encoding: str) -> None:
    """Refuse objects of JSON under the name of a table.

    Raises:
        DataError: it does.
    """
    with path.open(encoding=encoding) as stream:
        first = next((line for line in stream if line.strip()), "")
    if re.match(r'\s*(\[\s*)?\{\s*"', first):
        raise DataError("D061", "the file holds JSON, not a table", str(path), "name it .jsonl")


def _has_spaced_quotes(raw: Raw) -> bool:
    """Whether a quote opens a field behind a space, where it is read as a character."""
    columns = (raw.texts, raw.labels or (), raw.pairs or ())
    return any(_SPACED.fullmatch(cell) for column in columns for cell in column)


@dataclass(frozen=True)
class _Style:
    separator: str
    skip: int  # lines before the header
    quotes: bool = True
    spaces: bool = False  # after a separator, before a quote

    def reader(self, lines: Iterable[str]) -> Any:
        """Python's reader of the lines."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            strict=self.quotes,
            skipinitialspace=self.spaces,
        )


def _style(path: Path, encoding: str, wanted: Wanted) -> _Style:
    with path.open(encoding=encoding, newline="") as stream:
        lines = [line for line in islice(stream, _SAMPLE) if line.strip()]
    note = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if note is not None:
        return _Style(wanted.separator or note[1], 1)
    return _Style(wanted.separator or _separator(lines, wanted, "\t" if _is_tsv(path) else ","), 0)


def _is_tsv(path: Path) -> bool:
    return path.suffix.lower() in (".tsv", ".tab")


def _separator(lines: Sequence[str], wanted: Wanted, usual: str) -> str:
    """The one that gives the header the wanted columns; else one that cuts all lines alike; else the usual one."""
    candidates = sorted(SEPARATORS, key=lambda mark: mark != usual)
    cut = {mark: _cut(lines, mark) for mark in candidates}
    for most in (1, _TITLES):
        fitting = [mark for mark in candidates if any(has_all(wanted, row) for row in cut[mark][:most])]
        if fitting:
            return max(fitting, key=lambda mark: len(cut[mark][0]))  # the first of equals, which the usual one is
    even = [mark for mark in candidates if len({len(row) for row in cut[mark]}) == 1 and len(cut[mark][0]) > 1]
    several = [mark for mark in candidates if cut[mark] and len(cut[mark][0]) > 1]
    return (even or several or [usual])[0]


def _cut(lines: Sequence[str], mark: str) -> list[list[str]]:
    with _large_fields():
        try:
            return [row for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:
            return []


def _read(path: Path, encoding: str, style: _Style, wanted: Wanted) -> Raw:
    spans: dict[int, int] = {}
    with closing(_records(path, encoding, style, spans)) as records:
        raw = take(str(path), records, wanted)
    if style.separator != ("\t" if _is_tsv(path) else ","):
        shown = _NAMES.get(style.separator, repr(style.separator))
        raw.notes.append(f"fields are separated by {shown}")
    if spans and style.quotes and raw.labels is not None:
        _refuse_swallowed(path, encoding, style, raw, wanted, spans)
    return raw


@contextmanager
def _large_fields() -> Iterator[None]:
    before = csv.field_size_limit(_LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _records(path: Path, encoding: str, style: _Style, spans: dict[int, int]) -> Generator[Row, None, None]:
    """Header and rows; `spans` is filled with the last line of each row that is longer than a line, by its first."""
    with _large_fields(), path.open(encoding=encoding, newline="") as stream:
        for _ in range(style.skip):
            next(stream, "")
        reader = style.reader(stream)
        while True:
            first = style.skip + reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                said = str(error)
                if "unexpected end" in said or "field limit" in said:
                    said = "a quote is opened here and never closed"
                raise _malformed(str(path), first, said) from error
            if row is None:
                return
            if style.skip + reader.line_num > first:
                spans[first] = style.skip + reader.line_num
            if row:
                yield first, row


def take(where: str, records: Iterable[Row], wanted: Wanted) -> Raw:
    """The wanted columns of a table whose first row is the header; columns without a name are passed over.

    Args:
        where: names the table in errors.
        records: number of the line (of a sheet: of the row) and fields of each row, the header's first.

    Raises:
        DataError: as `places`; rows of another width than the header, or no header; the header is
            a row.
    """
    rows = iter(records)
    start, header = next(((line, row) for line, row in rows if not _blank(row)), (1, []))
    if not header:
        raise DataError("D052", "the header line is empty: the file holds no rows", f"{where}, line 1", _EMPTY)
    names = ["" if cell is None else str(cell) for cell in header]
    for key, name in wanted.named():
        if names.count(name) > 1:
            raise DataError(
                "D010",
                f"the column {name!r} stands twice in the header",
                f"{where}, line {start}",
                f"give the columns different names, and write the one that is meant into {key}",
            )
    if not has_all(wanted, names):
        sample: list[Row] = []
        with suppress(DataError):  # what is wrong below matters less than that the columns are not there
            sample += islice(rows, _SAMPLE)
        _refuse_titles(where, sample, wanted)
        cells = [row for _, row in sample]
        if not any(find_column(name, names) for _, name in wanted.named()) and looks_like_data(names, cells):
            raise no_header(names, f"{where}, line {start}", wanted, cells)
    chosen = places(wanted, names, where)
    columns: list[list[Any]] = [[] for _ in chosen]
    lines: list[int] = []
    for line, row in rows:
        if len(names) > 1 and _blank(row):
            continue  # a line of separators alone is how spreadsheets write an empty row
        if len(row) > len(names) and _blank(row[len(names) :]):
            row = row[: len(names)]
        if len(row) != len(names):
            raise _malformed(where, line, f"{len(row)} fields, the header has {len(names)}")
        lines.append(line)
        for column, place in zip(columns, chosen, strict=True):
            column.append(row[place])
    return wanted_raw(wanted, columns, where, lines)


def _blank(row: Sequence[Any]) -> bool:
    return all(cell is None or (isinstance(cell, str) and not cell.strip("\ufeff \t\r\n\u00a0")) for cell in row)


def _refuse_titles(where: str, sample: Sequence[Row], wanted: Wanted) -> None:
    """A title, or notes, before the names of the columns.

    Raises:
        DataError: it stands further down.
    """
    for line, row in sample[:_TITLES]:
        if has_all(wanted, ["" if cell is None else str(cell) for cell in row]):
            raise DataError(
                "D051",
                "the first line does not hold the names of the columns",
                f"{where}, line {line}",
                "delete the lines before it",
            )


def no_rows(where: str) -> DataError:
    """The error for a file that holds nothing."""
    return DataError("D052", "the file holds no rows", where, _EMPTY)


def wanted_raw(
    wanted: Wanted, columns: Sequence[list[Any]], where: str, lines: list[int] | None, names: list[str] | None = None
) -> Raw:
    """`Raw` of the columns in the order of `Wanted.named`."""
    found = dict(zip((key for key, _ in wanted.named()), columns, strict=True))
    return Raw(
        found["data.text"],
        found.get("data.label"),
        where,
        wanted.label or "",
        names,
        pairs=found.get("data.text_pair"),
        lines=lines,
    )


def _refuse_swallowed(
    path: Path, encoding: str, style: _Style, raw: Raw, wanted: Wanted, spans: dict[int, int]
) -> None:
    """A quote that is closed rows later swallows the rows between: each of its lines ends in a label like others.

    Raises:
        DataError: the table is malformed.
    """
    rows = zip(raw.labels or [], raw.lines or [], strict=True)
    labels = {label.strip() for label, line in rows if line not in spans}
    with path.open(encoding=encoding, newline="") as stream:
        held = [(number, line) for number, line in enumerate(stream, 1) if line.strip()]
    header = next(csv.reader([held[style.skip][1]], delimiter=style.separator), [])
    column = find_column(wanted.label or "", header)
    for first, last in spans.items():
        within = [line for number, line in held if first <= number <= last]
        cut = [next(csv.reader([line], delimiter=style.separator, quoting=csv.QUOTE_NONE)) for line in within]
        whole = [len(row) == len(header) and bool(column) and row[column[0]].strip() in labels for row in cut]
        if len(within) > 1 and all(whole):
            raise _malformed(str(path), first, "a quote is opened here and closed in another row")


def _malformed(where: str, line: int, what: str) -> DataError:
    return DataError(
        "D010",
        f"the table is malformed: {what}",
        f"{where}, line {line}",
        "put fields that hold the separator or a quote into double quotes, and double the quotes inside; "
        "if the separator is another one, set data.separator",
    )


def read_xlsx(path: Path, wanted: Wanted) -> Raw:
    """Rows of the sheet that has the wanted columns.

    Raises:
        DataError: no workbook; several sheets have the columns; else as `take`.
        SystemFailure: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise missing_package("openpyxl", "build", f"reading {path.name}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validation rules that it does not know
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = {sheet.title: _cells(sheet) for sheet in book.worksheets}
            book.close()
    except Exception as error:  # zip, XML and its own errors alike
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            "D012", f"the workbook cannot be read: {said}", str(path), "open it and save it as .xlsx again, or as CSV"
        ) from error
    filled = {name: rows for name, rows in sheets.items() if rows}
    fitting = [name for name, rows in filled.items() if has_all(wanted, [str(cell) for cell in rows[0][1]])]
    if len(fitting) > 1:
        raise DataError(
            "D044",
            f"{len(fitting)} sheets have the columns: {', '.join(fitting)}",
            str(path),
            "keep the rows in one sheet, or save the one that is meant as CSV",
        )
    name = next(iter(fitting or filled), "")
    where = f"{path}, sheet {name!r}" if len(filled) > 1 else str(path)
    raw = take(where, filled.get(name, []), wanted)
    _refuse_error_cells(raw, wanted)
    if None in raw.texts or None in (raw.labels or ()) or None in (raw.pairs or ()):
        _refuse_formulas(path, name, where, raw, wanted)
    raw.texts = [_as_text(cell) for cell in raw.texts]
    raw.pairs = None if raw.pairs is None else [_as_text(cell) for cell in raw.pairs]
    return raw


def _cells(sheet: Any) -> list[Row]:
    """The rows that hold something, all as wide as the widest."""
    sheet.reset_dimensions()  # some writers state them wrongly
    found: list[Row] = []
    width = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = list(row)
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            width = max(width, len(cells))
            found.append((number, cells))
    return [(number, [*cells, *[None] * (width - len(cells))]) for number, cells in found]


def _refuse_error_cells(raw: Raw, wanted: Wanted) -> None:
    """Cells of formulas that failed: ``#N/A`` is no text and no class.

    Raises:
        DataError: there is one.
    """
    columns = zip((wanted.text, wanted.label, wanted.pair), (raw.texts, raw.labels, raw.pairs), strict=True)
    for name, cells in columns:
        for index, cell in enumerate(cells or []):
            if isinstance(cell, str) and cell in _CELL_ERRORS:
                raise DataError(
                    "D053", f"the cell holds the error {cell}", raw.at(index, name), "mend the cell or delete the row"
                )


def _refuse_formulas(path: Path, sheet: str, where: str, raw: Raw, wanted: Wanted) -> None:
    """Cells that are empty since the value of their formula was never saved.

    Raises:
        DataError: there is one.
    """
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(path, read_only=True)
        written = take(where, _cells(book[sheet]), wanted)
        book.close()
    saved = {line: index for index, line in enumerate(raw.lines or [])}
    columns = (
        (wanted.text, written.texts, raw.texts),
        (wanted.label, written.labels, raw.labels),
        (wanted.pair, written.pairs, raw.pairs),
    )
    for name, cells, values in columns:
        for index, (cell, line) in enumerate(zip(cells or [], written.lines or [], strict=False)):
            value = values[saved[line]] if values is not None and line in saved else None
            if value is None and isinstance(cell, str) and cell.startswith("="):
                raise DataError(
                    "D053",
                    "the cell holds a formula whose value is not in the file",
                    written.at(index, name),
                    "open the workbook in a spreadsheet program and save it, or write the values in place of formulas",
                )


def _as_text(cell: Any) -> Any:
    """A number in a column of texts as it is shown."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    return cell
