"""Local files: what each format gives, and how each fault is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potstill.data import load_data, source_identity
from potstill.data.splits import Splits
from potstill.errors import DataError
from potstill.recipe.schema import Data

CSV = "text,label\n" + "".join(
    f'"word{i}, said {"ja" if i % 2 else "nein"}",{"yes" if i % 2 else "no"}\n' for i in range(40)
)


def make(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(source: Path, cache: Path, **keys: Any) -> Splits:
    return load_data(Data(source=str(source), **keys), seed=1, cache=cache)


def failure(source: Path, **keys: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        load(source, source.parent / "cache", **keys)
    assert caught.value.exit_code == 2
    return caught.value


def test_csv_is_split_and_labelled(tmp_path: Path) -> None:
    splits = load(make(tmp_path / "rows.csv", CSV), tmp_path)
    assert splits.labels == ["no", "yes"]
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 4, 4)
    assert splits.unlabelled is None
    for part in (splits.train, splits.validation, splits.test):
        assert all(("ja" in row["text"]) == (row["label"] == 1) for row in part)
    assert splits.train.column_names == ["text", "label"]


def test_csv_keeps_every_text_as_written(tmp_path: Path) -> None:
    texts = ["007", "null", "NA", "1.50", 'say "hi", twice', "two\nlines", "ünïcödé ✓", " spaced "]
    rows = "".join('"{}",{}\n'.format(text.replace('"', '""'), i % 2) for i, text in enumerate(texts * 1))
    splits = load(make(tmp_path / "rows.csv", "\ufefftext,label\n" + rows), tmp_path, split=[0.5, 0.25, 0.25])
    found = {row["text"] for part in (splits.train, splits.validation, splits.test) for row in part}
    assert found == set(texts)


@pytest.mark.parametrize("name", ["rows [1].csv", "a*b.csv", "q?.csv", "with space.csv", "ünï.csv"])
def test_file_names_are_no_patterns(tmp_path: Path, name: str) -> None:
    make(tmp_path / "axb.csv", CSV.replace("word", "other"))
    splits = load(make(tmp_path / name, CSV), tmp_path)
    assert len(splits.train) == 32
    assert all(text.startswith("word") for text in splits.train["text"])


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("values", "labels", "given"),
    [
        (["b", "a"], ["a", "b"], None),
        ([10, 9], ["9", "10"], None),
        ([True, False], ["false", "true"], None),
        ([1.0, 0.0], ["0", "1"], None),
        ([0, 1], ["down", "up"], ["down", "up"]),
        (["up", "down"], ["down", "up"], ["down", "up"]),
    ],
    ids=["names", "numbers", "booleans", "whole floats", "indices", "given order"],
)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_label_types(
    tmp_path: Path, suffix: str, values: list[Any], labels: list[str], given: list[str] | None
) -> None:
    import datasets

    rows = [{"text": f"row number {i}", "label": values[i % 2], "i": i} for i in range(20)]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        datasets.Dataset.from_list(rows).to_parquet(path)
    else:
        make(path, jsonl(rows) if suffix == "jsonl" else json.dumps(rows))
    splits = load(path, tmp_path, labels=given)
    assert splits.labels == labels
    expected = {f"row number {i}": values[i % 2] for i in range(20)}
    for row in splits.train:
        value = expected[row["text"]]
        name = labels[value] if given and isinstance(value, int) else str(value).removesuffix(".0").lower()
        assert splits.labels[row["label"]] == name


def test_csv_numbers_meet_names_of_the_recipe(tmp_path: Path) -> None:
    path = make(tmp_path / "rows.csv", "text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(20)))
    splits = load(path, tmp_path, labels=["down", "up"])
    assert splits.labels == ["down", "up"]
    assert all(int(row["text"].split()[1]) % 2 == row["label"] for row in splits.train)


def test_class_label_feature_of_parquet_gives_the_names(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["zoo", "ark"])})
    rows = {"text": [f"text {i}" for i in range(20)], "label": [i % 2 for i in range(20)]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "rows.parquet")
    assert load(tmp_path / "rows.parquet", tmp_path).labels == ["zoo", "ark"]
    turned = load(tmp_path / "rows.parquet", tmp_path, labels=["ark", "zoo"])
    assert turned.labels == ["ark", "zoo"]
    assert all(int(row["text"].split()[1]) % 2 == 1 - row["label"] for row in turned.train)


def test_given_files_stay_what_they_are(tmp_path: Path) -> None:
    for part, start in (("train", 0), ("validation", 100), ("test", 200)):
        make(tmp_path / "d" / f"{part}.csv", "text,label\n" + "".join(f"t {start + i},{i % 2}\n" for i in range(10)))
    splits = load(tmp_path / "d", tmp_path)
    assert sorted(splits.test["text"]) == sorted(f"t {200 + i}" for i in range(10))
    assert len(splits.train) == len(splits.validation) == 10
    named = load(tmp_path / "d" / "train.csv", tmp_path, test="test.csv", split=[0.7, 0.3, 0.0])
    assert sorted(named.test["text"]) == sorted(f"t {200 + i}" for i in range(10))
    assert (len(named.train), len(named.validation)) == (7, 3) or (len(named.train), len(named.validation)) == (6, 4)


def test_unlabelled_texts(tmp_path: Path) -> None:
    path = make(tmp_path / "rows.csv", CSV)
    make(tmp_path / "more.txt", "a first text\n\na second text\nword1 said ja\n")
    splits = load(path, tmp_path, unlabelled=[str(tmp_path / "more.txt")])
    assert splits.unlabelled is not None
    assert splits.unlabelled["text"][:] == ["a first text", "a second text"], "a labelled text stays out"
    plain = load(path, tmp_path)
    assert plain.fingerprint != splits.fingerprint
    assert plain.fingerprint == splits.labelled_fingerprint == splits.labelled().fingerprint


def test_relative_paths_start_at_the_recipe(tmp_path: Path) -> None:
    make(tmp_path / "sub" / "rows.csv", CSV)
    data = Data(source="rows.csv")
    data._base = tmp_path / "sub"
    assert len(load_data(data, seed=1, cache=tmp_path).train) == 32
    assert list(source_identity(data)) == ["data.source train"]


@pytest.mark.parametrize(
    ("content", "code", "what", "where"),
    [
        ("text,label\nfine,a\n,b\n", "D005", "the text is empty", "row 2"),
        ("text,label\nfine,a\n   ,b\n", "D005", "the text is empty", "row 2"),
        ("text,label\nfine,a\ngood,\n", "D020", "no label", "row 2"),
        ("sentence,label\nfine,a\n", "D003", "no column 'text'", "columns: sentence, label"),
        ("text,labels\nfine,a\n", "D003", "no column 'label'", "columns: text, labels"),
        ("text,label\nfine,a\ngood,b,c\n", "D010", "3 fields, the header has 2", "line 3"),
        ("text,label\nfine,a\ngood\n", "D010", "1 fields, the header has 2", "line 3"),
        ('text,label\n"fine,a\n', "D010", "malformed", "line 2"),
        ("text~label\nfine~a\n", "D003", "no column 'text'", "columns: text~label"),
        ("text,text\nfine,a\n", "D010", "stands twice", "line 1"),
        ("", "D052", "header line is empty", "line 1"),
        (b"text,label\nfine,a\ncaf\xe9,b\n", "D009", "not UTF-8 (byte 0xe9)", "line 3, byte 4"),
    ],
)
def test_bad_csv(tmp_path: Path, content: str | bytes, code: str, what: str, where: str) -> None:
    error = failure(make(tmp_path / "rows.csv", content))
    assert (error.code, what in error.what, where in error.where) == (code, True, True), str(error)


def test_close_column_is_suggested(tmp_path: Path) -> None:
    error = failure(make(tmp_path / "rows.csv", "texts,label\nfine,a\n"))
    assert "did you mean 'texts'?" in error.next_step
    assert "data.text" in error.next_step


@pytest.mark.parametrize(
    ("content", "code", "what", "where"),
    [
        ('{"text": "a", "label": 1}\n{"text": "b", \n', "D011", "JSON", "line 2"),
        ('{"text": "a", "label": 1}\n[1, 2]\n', "D011", "a list where an object", "line 2"),
        ('{"text": "a", "label": 1}\n{"text": "b", "label": "x"}\n', "D011", "different types (int and str)", "line 2"),
        ('{"text": "a", "label": 1}\n{"text": 5, "label": 1}\n', "D011", "different types (str and int)", "line 2"),
        ('{"text": 5, "label": 1}\n', "D019", "type int", "row 1"),
        ('{"text": "a", "label": [1]}\n', "D008", "type list", "row 1"),
        ('{"text": "a", "label": 1.5}\n', "D008", "type float", "row 1"),
        ('{"text": null, "label": 1}\n{"text": "b", "label": 1}\n', "D005", "empty", "row 1"),
        ('{"label": 1}\n', "D003", "no column 'text'", "columns: label"),
    ],
)
def test_bad_jsonl(tmp_path: Path, content: str, code: str, what: str, where: str) -> None:
    error = failure(make(tmp_path / "rows.jsonl", content))
    assert (error.code, what in error.what, where in error.where) == (code, True, True), str(error)


def test_json_object_is_no_list(tmp_path: Path) -> None:
    assert failure(make(tmp_path / "rows.json", '{"text": ["a"], "label": [1]}')).code == "D011"


def test_not_parquet(tmp_path: Path) -> None:
    error = failure(make(tmp_path / "rows.parquet", "text,label\n"))
    assert error.code == "D012"


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [("rows.cvs", "D002", ".csv"), ("row.csv", "D001", "did you mean 'rows.csv'?"), ("no/rows.csv", "D001", "folder")],
)
def test_wrong_path(tmp_path: Path, name: str, code: str, hint: str) -> None:
    make(tmp_path / "rows.csv", CSV)
    make(tmp_path / "rows.cvs", CSV)
    error = failure(tmp_path / name)
    assert error.code == code
    assert hint in error.next_step


def test_unknown_label_names_row_and_known_labels(tmp_path: Path) -> None:
    make(tmp_path / "test.csv", "text,label\nfine,yes\nodd,yess\n")
    error = failure(make(tmp_path / "rows.csv", CSV), test="test.csv")
    assert error.code == "D004"
    assert "'yess'" in error.what
    assert "test.csv, row 2" in error.where
    assert "did you mean 'yes'?" in error.next_step
    assert "known labels: no, yes" in error.next_step


def test_label_outside_the_given_list(tmp_path: Path) -> None:
    error = failure(make(tmp_path / "rows.csv", CSV), labels=["yes", "maybe"])
    assert error.code == "D004"
    assert "row 1" in error.where


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    error = failure(make(tmp_path / "rows.csv", "text,label\n" + "".join(f"t {i},a\n" for i in range(30))))
    assert error.code == "D007"
    assert "'a'" in error.what


def test_too_few_rows_for_the_shares(tmp_path: Path) -> None:
    error = failure(make(tmp_path / "rows.csv", "text,label\none,a\ntwo,b\n"))
    assert error.code == "D006"


def test_folder_without_train_file(tmp_path: Path) -> None:
    make(tmp_path / "d" / "other.csv", CSV)
    error = failure(tmp_path / "d")
    assert error.code == "D001"
    assert "other.csv" in error.where


def test_identity_follows_the_content(tmp_path: Path) -> None:
    path = make(tmp_path / "rows.csv", CSV)
    before = source_identity(Data(source=str(path)))
    assert source_identity(Data(source=str(path))) == before
    make(path, CSV + "another,yes\n")
    assert source_identity(Data(source=str(path))) != before
    path.unlink()
    with pytest.raises(DataError) as caught:
        source_identity(Data(source=str(path)))
    assert caught.value.code == "D001"


def test_progress_bars_of_datasets_are_put_back(tmp_path: Path) -> None:
    import datasets

    probe: Callable[[], bool] = datasets.are_progress_bars_disabled
    before = probe()
    load(make(tmp_path / "rows.csv", CSV), tmp_path)
    assert probe() is before
