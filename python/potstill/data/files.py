"""Local data files: CSV, TSV, JSON, JSON Lines, Parquet, CoNLL, and plain text (a text a line) for unlabelled data.

A file is first read through once, in constant memory, by a check that can name the faulty line; then HF `datasets`
reads it. CSV has no types, so every CSV column is read as text: "007" and "null" stay what they are.
"""

from __future__ import annotations

import csv
import difflib
import glob
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.data import conll
from potstill.data.labels import Raw
from potstill.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".txt", *conll.SUFFIXES)
# A field over this is a quote that was never closed, not a text for an encoder.
_LARGEST_FIELD = 16 * 1024 * 1024


def read_file(path: Path, text: str, label: str | None, cache: Path, pair: str | None = None) -> Raw:
    """Rows of a local file.

    Args:
        path: the file; its suffix tells the format.
        text, label: names of the columns; `label` None reads the texts only.
        cache: folder where `datasets` keeps its converted copy.
        pair: name of the column with second texts, or None.
    Raises:
        DataError: D001 no such file, D002 unknown format, D003 missing column, D009 not UTF-8, D010 malformed CSV,
            D011 malformed JSON, D012 unreadable for another reason, D033 a CoNLL line without tag.
    """
    if not path.is_file():
        raise no_file(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            "D002",
            f"{suffix or 'a file without suffix'} is no known data format",
            str(path),
            f"use {', '.join(SUFFIXES)}",
        )
    if suffix == ".txt":
        return _plain_text(path, label)
    if suffix in conll.SUFFIXES:
        _check_utf8(path)
        return conll.read_conll(path, tagged=label is not None)
    columns, options = _CHECKS[suffix](path)
    for key, column in (("data.text", text), ("data.text_pair", pair), ("data.label", label)):
        if column is not None and column not in columns:
            raise missing_column(column, columns, str(path), key)
    table = _load(path, options, cache)
    labels = None if label is None else table[label]
    names = None if label is None else declared_names(table.features[label])
    pairs = None if pair is None else table[pair][:]
    return Raw(table[text][:], None if labels is None else labels[:], str(path), label or "", names, pairs=pairs)


def declared_names(feature: Any) -> list[str] | None:
    """Class names that a column's type declares: a class label, or a list of them."""
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    return None if names is None else list(names)


def missing_column(column: str, columns: Sequence[str], where: str, key: str) -> DataError:
    """The error for a column that is not there; lists those that are, and the closest one."""
    close = difflib.get_close_matches(column, columns, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return DataError(
        "D003",
        f"there is no column {column!r}",
        f"{where}, columns: {', '.join(columns)}",
        f"{hint}set {key} in the recipe",
    )


def no_file(path: Path) -> DataError:
    folder = path.parent
    names = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    if not folder.is_dir():
        hint = f"the folder {folder} does not exist either; correct the path"
    elif close:
        hint = f"did you mean {close[0]!r}?"
    else:
        hint = "correct the path in the recipe (it is taken from the recipe's folder)"
    return DataError("D001", "the data file does not exist", str(path), hint)


def _check_utf8(path: Path) -> None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    "D009",
                    f"the file is not UTF-8 (byte 0x{line[error.start]:02x})",
                    f"{path}, line {number}, byte {error.start + 1}",
                    "save the file as UTF-8, for example: iconv -f latin1 -t utf-8",
                ) from error


def _check_csv(path: Path) -> tuple[list[str], dict[str, Any]]:
    import datasets

    _check_utf8(path)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    before = csv.field_size_limit(_LARGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=separator, strict=True)
            header = next(reader, [])
            if not header or any(not name.strip() for name in header):
                raise _bad_csv(path, 1, "the header line is empty or has an empty column name")
            other = next((mark for mark in ";\t|," if mark != separator and mark in header[0]), None)
            if len(header) == 1 and other is not None:
                raise DataError(
                    "D010",
                    f"the header is one column, {header[0]!r}",
                    f"{path}, line 1",
                    f"fields seem to be separated by {other!r}: save a .csv with commas, or a .tsv with tabs",
                )
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise _bad_csv(path, 1, f"the column {twice[0]!r} stands twice in the header")
            for row in reader:
                if row and len(row) != len(header):
                    raise _bad_csv(path, reader.line_num, f"{len(row)} fields, the header has {len(header)}")
    except csv.Error as error:
        raise _bad_csv(path, reader.line_num, str(error)) from error
    finally:
        csv.field_size_limit(before)
    features = datasets.Features({name: datasets.Value("string") for name in header})
    return header, {
        "path": "csv",
        "sep": separator,
        "features": features,
        "keep_default_na": False,
        "encoding": "utf-8-sig",
    }


def _bad_csv(path: Path, line: int, what: str) -> DataError:
    return DataError(
        "D010",
        f"the table is malformed: {what}",
        f"{path}, line {line}",
        "put fields that hold the separator or a quote into double quotes, and double the quotes inside",
    )


def _check_jsonl(path: Path) -> tuple[list[str], dict[str, Any]]:
    _check_utf8(path)
    columns: dict[str, None] = {}
    kinds: dict[str, type] = {}
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _bad_json(path, f"line {number}", str(error)) from error
            _check_object(path, f"line {number}", row, columns, kinds)
    return list(columns), {"path": "json"}


def _check_json(path: Path) -> tuple[list[str], dict[str, Any]]:
    _check_utf8(path)
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return _check_jsonl(path)  # JSON Lines under the name .json, as many tools write it
        raise _bad_json(path, f"line {error.lineno}", error.msg) from error
    if isinstance(rows, dict):
        raise _bad_json(path, "the whole file", "one object where a list of objects should be")
    columns: dict[str, None] = {}
    kinds: dict[str, type] = {}
    for number, row in enumerate(rows, 1):
        _check_object(path, f"element {number}", row, columns, kinds)
    return list(columns), {"path": "json"}


def _check_object(path: Path, where: str, row: Any, columns: dict[str, None], kinds: dict[str, type]) -> None:
    if not isinstance(row, dict):
        raise _bad_json(path, where, f"a {type(row).__name__} where an object with named fields should be")
    for name, value in row.items():
        columns.setdefault(name)
        if value is not None and kinds.setdefault(name, type(value)) is not type(value):
            kinds_seen = f"{kinds[name].__name__} and {type(value).__name__}"
            raise _bad_json(path, where, f"the field {name!r} holds different types ({kinds_seen})")


def _bad_json(path: Path, where: str, what: str) -> DataError:
    return DataError(
        "D011",
        f"the JSON is not a list of rows: {what}",
        f"{path}, {where}",
        "give one JSON object a row, all with the same fields",
    )


def _check_parquet(path: Path) -> tuple[list[str], dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        schema = parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return list(schema.names), {"path": "parquet"}


_CHECKS: dict[str, Callable[[Path], tuple[list[str], dict[str, Any]]]] = {
    ".csv": _check_csv,
    ".tsv": _check_csv,
    ".jsonl": _check_jsonl,
    ".json": _check_json,
    ".parquet": _check_parquet,
}


def _load(path: Path, options: dict[str, Any], cache: Path) -> Any:
    import datasets

    try:
        return datasets.load_dataset(
            data_files={"train": glob.escape(str(path))}, split="train", cache_dir=str(cache / "datasets"), **options
        )
    except (datasets.exceptions.DatasetsError, ValueError, TypeError) as error:
        raise _unreadable(path, error.__cause__ or error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(
        "D012", f"the file cannot be read: {said[0][:200]}", str(path), "check that the suffix fits the format"
    )


def _plain_text(path: Path, label: str | None) -> Raw:
    if label is not None:
        raise DataError(
            "D002",
            "a .txt file has no labels",
            str(path),
            "use .csv or .jsonl for labelled data; .txt fits data.unlabelled",
        )
    _check_utf8(path)
    texts = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    return Raw([text for text in texts if text], None, str(path))
