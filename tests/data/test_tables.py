"""CSV and workbooks as people have them: separators, encodings, spare columns, headers; faults with their line."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from potstill.data.columns import Wanted
from potstill.data.files import read_file
from potstill.data.labels import Raw
from potstill.data.sources import read_classes
from potstill.errors import DataError
from potstill.models.recipes import load_recipe
from potstill.recipe.schema import Data

ROWS = [("Grüße, sagte er; dann |", "froh"), ("nichts\tdavon", "trüb"), ('das "Wort"', "froh")]

RUSSIAN = "\u043f\u0440\u0438\u0432\u0435\u0442"


def csv_text(rows: Sequence[Sequence[Any]], separator: str, header: Sequence[str] = ("text", "label")) -> str:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([header, *rows])
    return out.getvalue()


def read(path: Path, content: str | bytes, **wanted: Any) -> Raw:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_file(path, Wanted(**{"text": "text", "label": "label", **wanted}))


def refused(path: Path, content: str | bytes, **wanted: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, content, **wanted)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_separator_is_seen_in_the_header(tmp_path: Path, separator: str, suffix: str) -> None:
    raw = read(tmp_path / f"rows.{suffix}", csv_text(ROWS, separator))
    assert list(zip(raw.texts, raw.labels or [], strict=True)) == ROWS
    usual = separator == {"csv": ",", "tsv": "\t"}[suffix]
    assert (raw.notes == []) is usual


def test_separator_may_be_stated_or_noted_by_excel(tmp_path: Path) -> None:
    odd = csv_text(ROWS, "~")
    assert refused(tmp_path / "a.csv", odd).code == "D003"
    assert read(tmp_path / "a.csv", odd, separator="~").texts == [text for text, _ in ROWS]
    noted = read(tmp_path / "b.csv", "sep=^\r\n" + csv_text(ROWS, "^"))
    assert noted.labels == [label for _, label in ROWS] and noted.lines == [3, 4, 5]


@pytest.mark.parametrize(
    ("encoding", "stated"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-32", None),
        ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
        ("utf-16-le", "utf-16-le"),
        # UTF-8 beyond ASCII is not read as the single-byte encoding that other files of the recipe have.
        ("utf-8", "cp1252"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "txt"])
def test_encodings(tmp_path: Path, encoding: str, stated: str | None, suffix: str) -> None:
    rows = ROWS * 3
    if suffix == "csv":
        raw = read(tmp_path / "r.csv", csv_text(rows, ",").encode(encoding), encoding=stated)
    elif suffix == "jsonl":
        import json

        lines = "".join(json.dumps({"text": t, "label": k}, ensure_ascii=False) + "\n" for t, k in rows)
        raw = read(tmp_path / "r.jsonl", lines.encode(encoding), encoding=stated)
    else:
        lines = "".join(f"{text}\n" for text, _ in rows)
        raw = read(tmp_path / "r.txt", lines.encode(encoding), encoding=stated, label=None)
    assert raw.texts == [text for text, _ in rows]


def test_an_unknown_encoding_is_a_question_with_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path / "rows.csv", "text,label\nfine,a\nune fête,b\n".encode("cp1252"))
    assert error.code == "D009" and "line 3, byte 6" in error.where
    assert "'fête' as cp1252" in error.what and "--set data.encoding=cp1252" in error.next_step
    russian = refused(tmp_path / "rows.csv", f"text,label\n{RUSSIAN} 7,a\n".encode("cp1251"))
    assert f"'{RUSSIAN}' as cp1251" in russian.what
    wrong = refused(tmp_path / "rows.csv", f"text,label\nfine,a\n{RUSSIAN},b\n".encode("koi8-r"), encoding="ascii")
    assert wrong.code == "D009" and "not ascii" in wrong.what and "line 3" in wrong.where


def test_wide_text_without_mark_and_archives_are_named(tmp_path: Path) -> None:
    for name in ("utf-16-le", "utf-16-be"):
        error = refused(tmp_path / "rows.csv", csv_text([("plain", "a")], ",").encode(name))
        assert error.code == "D041" and f"--set data.encoding={name}" in error.next_step
    error = refused(tmp_path / "rows.csv", "text,label\nfine,a\nfi\0ne and dandy,b\n")
    assert error.code == "D041" and "line 3" in error.where
    import gzip

    assert refused(tmp_path / "rows.csv", gzip.compress(b"text,label\n")).code == "D040"
    assert "unpack it" in refused(tmp_path / "rows.csv.gz", b"").next_step
    assert ".xlsx" in refused(tmp_path / "rows.xls", b"").next_step


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (",text,label\n0,one,a\n1,two,b\n", ["a", "b"]),
        ("text,,label,\none,7,a,\ntwo,8,b,\n", ["a", "b"]),
        ("\n\nid,text,label\n1,one,a\n2,two,b\n", ["a", "b"]),
        ("Text , LABEL\none,a\ntwo,b\n", ["a", "b"]),
        ("text,label,id,id\none,a,1,1\ntwo,b,2,2\n", ["a", "b"]),
        ("text,label\rone,a\rtwo,b\r", ["a", "b"]),
    ],
    ids=["index column", "unnamed columns", "empty lines", "case and spaces", "others twice", "old line ends"],
)
def test_headers_as_they_are(tmp_path: Path, content: str, labels: list[str]) -> None:
    raw = read(tmp_path / "rows.csv", content)
    assert raw.texts == ["one", "two"] and raw.labels == labels


@pytest.mark.parametrize(
    ("content", "code", "what", "where"),
    [
        ("a fine day,positive\nbad,negative\nnice,positive\n", "D042", "'a fine day', 'positive'", "line 1"),
        ("good,1\nbad,0\n", "D042", "'good', '1'", "line 1"),
        ("good,yes\nbad,no\nnice,yes\n", "D042", "'good', 'yes'", "line 1"),
        ("Text,TEXT,label\na,b,c\n", "D043", "'Text', 'TEXT'", "rows.csv"),
        ('text,label\nfine,a\n"open,b\nbad,a\nmore,b\n', "D010", "opened here and never closed", "line 3"),
        ('text,label\nfine,a\n"open,a\nclosed",b\nmore,b\n', "D010", "closed in another row", "line 3"),
        ('text,label\nfine,a\nmore,b\n"open,a\nclosed",b\n', "D010", "closed in another row", "line 4"),
        ('text,label\n"a" and b,x\n', "D010", "expected after", "line 2"),
        ("text,label\n\n\nfine,a\ngood\n", "D010", "1 fields", "line 5"),
    ],
)
def test_refused_with_the_line(tmp_path: Path, content: str, code: str, what: str, where: str) -> None:
    error = refused(tmp_path / "rows.csv", content)
    assert (error.code, what in error.what, where in error.where) == (code, True, True), str(error)


def test_texts_of_several_lines_are_no_swallowed_rows(tmp_path: Path) -> None:
    raw = read(tmp_path / "rows.csv", 'text,label\nfine,a\n"Dear Ann,\nyours, Bob",b\n"x,\ny",a\nbad,b\n')
    assert raw.texts == ["fine", "Dear Ann,\nyours, Bob", "x,\ny", "bad"] and raw.lines == [2, 3, 5, 7]


def test_tabs_without_quoting(tmp_path: Path) -> None:
    raw = read(tmp_path / "rows.tsv", 'text\tlabel\n"Fine" she said\ta\n5" wide\tb\n"open\ta\n')
    assert raw.texts == ['"Fine" she said', '5" wide', '"open'] and "quotes" in raw.notes[0]


def labels_of(tmp_path: Path, values: Sequence[Any], given: list[str] | None = None, **more: Any) -> list[str]:
    raw = read(tmp_path / "rows.csv", csv_text([(f"text {i}", value) for i, value in enumerate(values)], ","), **more)
    names, ids = read_classes({"train": raw}, Data(source="x", labels=given))
    return [names[index] for index in ids["train"]]


def test_spellings_of_numbers_and_booleans(tmp_path: Path) -> None:
    assert labels_of(tmp_path, ["0.0", "1.0", "1.0"]) == ["0", "1", "1"]
    assert labels_of(tmp_path, ["1.0", "0.0"], ["no", "yes"]) == ["yes", "no"]
    assert labels_of(tmp_path, ["2.0", "2.5"]) == ["2.0", "2.5"], "a name among others"
    assert labels_of(tmp_path, ["True", "FALSE", "true"]) == ["true", "false", "true"]
    assert labels_of(tmp_path, ["TRUE", "FALSE"], ["False", "True"]) == ["True", "False"]
    assert labels_of(tmp_path, ["007", "07"]) == ["007", "07"]
    with pytest.raises(DataError, match=r"D020.*row 2 \(line 3\)"):
        labels_of(tmp_path, ["1.0", " ", "0.0"])


def test_scores_and_ids_are_no_classes(tmp_path: Path) -> None:
    scores = [f"{number / 7:.3f}" for number in range(60)]
    for values in (
        scores,
        [f"{n} %" for n in range(60)],
        [text.replace(".", ",") for text in scores],
        range(60),
        range(0, 600, 10),
    ):
        with pytest.raises(DataError, match=r"D046.*looks like a score.*'label'.*data\.labels"):
            labels_of(tmp_path, [*values, *values, *values])
    with pytest.raises(DataError, match=r"D047.*30 different labels on 30 rows"):
        labels_of(tmp_path, [f"id-{number}" for number in range(30)])
    assert len(set(labels_of(tmp_path, [*range(60)] * 2, [str(n) for n in range(60)]))) == 60, "listed by the recipe"
    assert len(set(labels_of(tmp_path, [f"intent {n}" for n in range(77)] * 4))) == 77
    with pytest.raises(DataError, match="D046"):
        train = Raw(["x"] * 90, [number / 9 for number in range(90)], "rows.parquet")
        read_classes({"train": train}, Data(source="x"))


def test_workbook(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append([None, "Text", "label", None])
    rows: list[list[Any]] = [[0, "one", 1], [1, 2, 0], [None], [2, 2.5, True]]
    for row in rows[:3]:
        book.active.append(row)
    book.create_sheet("notes").append(["what", "ever"])
    book.create_sheet("empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl asks the clock in a way that newer Pythons warn of
        book.save(tmp_path / "rows.xlsx")
    raw = read_file(tmp_path / "rows.xlsx", Wanted("text", "label"))
    assert raw.texts == ["one", "2"] and raw.labels == [1, 0] and raw.lines == [2, 3]
    book["notes"]["A1"], book["notes"]["B1"] = "text", "label"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book.save(tmp_path / "rows.xlsx")
    with pytest.raises(DataError, match=r"D044.*Sheet, notes"):
        read_file(tmp_path / "rows.xlsx", Wanted("text", "label"))
    assert refused(tmp_path / "bad.xlsx", "text,label\n").code == "D012"


def test_keys_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('name = "r"\n[teacher]\nmodel = "t"\n[data]\nsource = "d.csv"\n', encoding="utf-8")
    recipe = load_recipe(path, ["data.separator=;", "data.encoding=cp1252"])
    assert (recipe.data.separator, recipe.data.encoding) == (";", "cp1252")
    for bad in ("data.separator=ab", 'data.separator="x"', "data.encoding=utf-99"):
        with pytest.raises(Exception, match=r"R0"):
            load_recipe(path, [bad])
