"""Local data files: CSV, TSV, XLSX, JSON, JSON Lines, Parquet, CoNLL, and plain text (a text a line, no labels).

Each reader looks at the whole file and can name the faulty line.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from potstill.data import conll
from potstill.data.columns import Wanted, find_column, places
from potstill.data.encodings import open_text, text_encoding
from potstill.data.labels import Raw
from potstill.data.tables import no_rows, read_csv, read_xlsx, wanted_raw
from potstill.errors import DataError


def read_file(path: Path, wanted: Wanted) -> Raw:
    """Rows of a local file; its suffix tells the format.

    Raises:
        DataError: no such file; unknown format; missing column; another encoding; malformed
            table; malformed JSON; unreadable for another reason; malformed CoNLL; compressed,
            NUL bytes; a table without header; a column that two could be; several sheets.
    """
    if not path.is_file():
        raise no_file(path)
    suffix = path.suffix.lower()
    if suffix in conll.SUFFIXES:
        return conll.read_conll(path, label=wanted.label, encoding=wanted.encoding)
    if suffix not in _READERS:
        raise _unknown_format(path, suffix)
    return _READERS[suffix](path, wanted)


def _unknown_format(path: Path, suffix: str) -> DataError:
    known = f"use {', '.join(SUFFIXES)}"
    if suffix == ".xls":
        known = "save the workbook as .xlsx, or as CSV"
    elif suffix in (".gz", ".zip", ".bz2", ".xz", ".zst"):
        known = f"unpack it first; {known}"
    return DataError("D002", f"{suffix or 'a file without suffix'} is no known data format", str(path), known)


def declared_names(feature: Any) -> list[str] | None:
    """Class names that a column's type declares: a class label, or a list of them."""
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    return None if names is None else list(names)


def no_file(path: Path) -> DataError:
    folder = path.parent
    names = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    if path.parts[0] in ("http:", "https:", "s3:", "gs:", "hf:"):
        hint = "download the file, and name it as it lies on this machine"
    elif not folder.is_dir():
        hint = f"the folder {folder} does not exist either; correct the path"
    elif close:
        hint = f"did you mean {close[0]!r}?"
    else:
        hint = "correct the path in the recipe (it is taken from the recipe's folder)"
    return DataError("D001", "the data file does not exist", str(path), hint)


def _read_jsonl(path: Path, wanted: Wanted) -> Raw:
    encoding = text_encoding(path, wanted.encoding)
    with open_text(path, encoding) as lines:
        number, first = next(((number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()), (0, ""))
    if first.startswith("["):
        return _read_array(path, encoding, wanted)  # one list, under the name of JSON Lines
    if first and not first.startswith("{"):
        what = f"the file holds no JSON: {first[:60]!r}"
        raise DataError(
            "D011", what, f"{path}, line {number}", "if it is a table, name it .csv; else write an object a line"
        )
    return _read_lines(path, encoding, wanted)


def _read_lines(path: Path, encoding: str, wanted: Wanted) -> Raw:
    def rows(lines: Iterable[str]) -> Iterable[tuple[int, Any]]:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise _bad_json(path, f"line {number}, character {error.colno}", error.msg) from error
                except (ValueError, RecursionError) as error:
                    raise _bad_json(path, f"line {number}", _shown(error)) from error

    with open_text(path, encoding) as lines:
        return _objects(path, "line", rows(lines), wanted)


def _read_json(path: Path, wanted: Wanted) -> Raw:
    return _read_array(path, text_encoding(path, wanted.encoding), wanted)


def _read_array(path: Path, encoding: str, wanted: Wanted) -> Raw:
    text = path.read_text(encoding=encoding)
    if not text.strip():
        raise no_rows(str(path))
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return _read_lines(path, encoding, wanted)  # JSON Lines under the name .json, as many tools write it
        raise _bad_json(path, f"line {error.lineno}", error.msg) from error
    except (ValueError, RecursionError) as error:
        raise _bad_json(path, "the whole file", _shown(error)) from error
    if not isinstance(rows, list):
        raise _bad_json(path, "the whole file", "one object where a list of objects should be")
    raw = _objects(path, "element", enumerate(rows, 1), wanted)
    raw.lines = None
    return raw


def _objects(path: Path, unit: str, rows: Iterable[tuple[int, Any]], wanted: Wanted) -> Raw:
    """The wanted fields of objects; each holds one type in all of them, whole numbers and fractions being one."""
    held = []
    names: dict[str, None] = {}
    for number, row in rows:
        if not isinstance(row, dict):
            what = f"a {type(row).__name__} where an object with named fields should be"
            raise _bad_json(path, f"{unit} {number}", what)
        names.update(dict.fromkeys(row))
        held.append((number, row))
    if not held:
        raise no_rows(str(path))
    columns = list(names)
    found: list[list[Any]] = []
    for name in [columns[place] for place in places(wanted, columns, str(path))]:
        kind, first = None, None
        for number, row in held:
            value = row.get(name)
            if isinstance(value, float) and math.isnan(value):
                value = row[name] = None  # how some programs write that there is none
            _refuse_half_characters(value, f"{path}, {unit} {number}", name)
            this = None if value is None else float if type(value) is int else type(value)
            if this is not None and kind is None:
                kind, first = this, value
            elif this is not None and kind is not this:
                seen = f"{type(first).__name__} and {type(value).__name__}"
                raise DataError(
                    "D011",
                    f"the field {name!r} holds different types ({seen})",
                    f"{path}, {unit} {number}",
                    "write its values all as one type: all as text, or all as numbers",
                )
        found.append([row.get(name) for _, row in held])
    return wanted_raw(wanted, found, str(path), [number for number, _ in held])


def _refuse_half_characters(value: Any, where: str, name: str) -> None:
    r"""JSON can write half of a character (``\ud83d`` without its other half), which no text can hold.

    Raises:
        DataError: it does.
    """
    if value is None or isinstance(value, int | float):
        return
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            "D011",
            f"the field {name!r} holds half of a character (\\u{ord(error.object[error.start]):04x} alone)",
            where,
            "the text was cut in the middle of a character: delete the half, or the row",
        ) from error


def _shown(error: Exception) -> str:
    return "lists or objects in each other too deep" if isinstance(error, RecursionError) else str(error).split(";")[0]


def _bad_json(path: Path, where: str, what: str) -> DataError:
    return DataError(
        "D011",
        f"the JSON is not a list of rows: {what}",
        f"{path}, {where}",
        "give one JSON object a row, all with the same fields",
    )


def _read_parquet(path: Path, wanted: Wanted) -> Raw:
    import datasets
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        schema = parquet.read_schema(path)
        chosen = [schema.names[place] for place in places(wanted, schema.names, str(path))]
        table = parquet.read_table(path, columns=chosen)
        features = datasets.Features.from_arrow_schema(schema)
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            "D012", f"the file cannot be read: {said[0][:200]}", str(path), "check that the suffix fits the format"
        ) from error
    keys = [key for key, _ in wanted.named()]
    label = chosen[keys.index("data.label")] if "data.label" in keys else None
    names = None if label is None else declared_names(features[label])
    return wanted_raw(wanted, [table.column(name).to_pylist() for name in chosen], str(path), None, names)


def _read_text(path: Path, wanted: Wanted) -> Raw:
    """Words with tags if the file holds them, else a text a line."""
    encoding = text_encoding(path, wanted.encoding)
    if conll.is_conll(path, encoding, strict=wanted.label is None):
        return conll.read_conll(path, label=wanted.label, encoding=wanted.encoding)
    with open_text(path, encoding) as lines:
        first = next((line for line in lines if line.strip()), "")
    if "\t" in first and all(find_column(name, first.split("\t")) for _, name in wanted.named()):
        return read_csv(path, wanted)  # a table with tabs, as spreadsheets save it under this name
    if wanted.label is not None:
        raise DataError(
            "D018",
            "a .txt file without a line of column names has no labels",
            str(path),
            f"if each line holds a text, a tab and a label, put a line before them: {wanted.text}, a tab, "
            f"{wanted.label}; or use .csv or .jsonl; of tagged words write a word and its tag a line; plain .txt fits "
            "data.unlabelled",
        )
    with open_text(path, encoding) as lines:
        texts = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    return Raw([text for _, text in texts], None, str(path), lines=[number for number, _ in texts])


_READERS: dict[str, Callable[[Path, Wanted], Raw]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".tab": read_csv,
    ".xlsx": read_xlsx,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".txt": _read_text,
}
SUFFIXES = (*_READERS, *conll.SUFFIXES)
