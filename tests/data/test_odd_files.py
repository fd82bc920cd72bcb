"""Files of other people's kinds: each is read right, or refused with a next step that works when it is followed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from potstill.data import load_data
from potstill.data.columns import Wanted
from potstill.data.files import read_file
from potstill.data.splits import Splits
from potstill.errors import DataError
from potstill.models.heads import task_of
from potstill.recipe.schema import Data, Recipe
from potstill.work.progress import QuietProgress

WORDS = ["good", "bad", "nice", "awful", "superb", "weak", "fine", "dull", "great", "poor"]
ROWS = [(f"a {WORDS[number % 10]} film {number}", ("no", "yes")[number % 2]) for number in range(40)]


class Notes(QuietProgress):
    """Keeps what reading tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def table(rows: Any, separator: str = ",", header: str = "text,label") -> str:
    lines = [header.split(","), *rows]
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


def jsonl(labels: Any) -> str:
    rows = [{"text": f"film {number}", "label": label} for number, label in enumerate(labels)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def load(path: Path, content: str | bytes | None = None, task: str = "classification", **keys: Any) -> Splits:
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    recipe = Recipe.model_validate(
        {"name": "x", "task": task, "teacher": {"model": "t"}, "data": {"source": str(path), **keys}}
    )
    return load_data(recipe.data, seed=1, cache=path.parent / "cache", progress=Notes(), task=task_of(recipe))


def refused(path: Path, content: str | bytes | None = None, task: str = "classification", **keys: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        load(path, content, task, **keys)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Sch\u00f6ner Film"),
        ("cp1250", "za\u017c\u00f3\u0142\u0107"),
        ("cp1251", "\u0445\u043e\u0440\u043e\u0448\u0438\u0439"),
        ("shift_jis", "\u3053\u306e\u6620\u753b"),
        ("shift_jis", "\u30b3\u30f3\u30d4\u30e5\u30fc\u30bf"),
        ("gb18030", "\u8fd9\u90e8\u7535\u5f71"),
        ("big5", "\u9019\u90e8\u96fb\u5f71\u5f88\u597d\u770b"),
    ],
)
def test_the_encoding_that_is_named_first_is_the_one(tmp_path: Path, encoding: str, text: str) -> None:
    content = table([(f"{text} {number}", label) for number, (_, label) in enumerate(ROWS)]).encode(encoding)
    error = refused(tmp_path / "r.csv", content)
    assert error.code == "D009" and f"data.encoding={encoding}" in error.next_step
    assert load(tmp_path / "r.csv", encoding=encoding).train["text"][0].startswith(text)


def test_two_encodings_in_a_file_are_refused(tmp_path: Path) -> None:
    content = table([(f"tr\u00e8s {text}", label) for text, label in ROWS]).encode() + b"\xe9t\xe9,yes\n"
    for keys in ({}, {"encoding": "cp1252"}):
        error = refused(tmp_path / "r.csv", content, **keys)
        assert error.code == "D050" and "line 42" in error.where


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_of_few_plain_letters_is_named(tmp_path: Path, encoding: str) -> None:
    rows = [("\u8fd9\u90e8\u7535\u5f71" * 9 + f"\u4e00{number}", "\u597d\u574f"[number % 2]) for number in range(40)]
    error = refused(tmp_path / "r.csv", table(rows).encode(encoding))
    assert error.code == "D041" and f"data.encoding={encoding}" in error.next_step
    assert len(load(tmp_path / "r.csv", encoding=encoding).labels) == 2


@pytest.mark.parametrize("spelt", ["NaN", "nan", "NULL", "<NA>", "#N/A"])
def test_a_missing_label_is_no_class(tmp_path: Path, spelt: str) -> None:
    error = refused(tmp_path / "r.csv", table([*ROWS, ("more", spelt)]))
    assert error.code == "D054" and "line 42" in error.where
    assert len(load(tmp_path / "r.csv", labels=["no", "yes", spelt]).labels) == 3
    assert load(tmp_path / "r.csv", table([*ROWS[:20], ("x", "NA"), ("y", "none")])).labels[0] == "NA"


def test_numbers_of_classes_and_scores(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert len(load(path, table([(f"text {n}", n % 77) for n in range(770)])).labels) == 77
    assert len(load(path, table([(f"text {n}", 1 + n % 60) for n in range(600)])).labels) == 60
    for values in (range(101), range(1, 101), range(5, 80), [f"{n}%" for n in range(77)]):
        rows = [(f"text {n}", values[n % len(values)]) for n in range(10 * len(values))]
        assert refused(path, table(rows)).code == "D046"
    assert refused(path, table([(f"text {n}", f"{n / 7:.2f}") for n in range(6)])).code == "D046"
    assert load(path, table([(t, ("0,0", "1,0")[n % 2]) for n, (t, _) in enumerate(ROWS)], ";")).labels == ["0", "1"]
    assert load(tmp_path / "r.jsonl", jsonl([0, 1] * 20 + [10**400])).labels[:2] == ["0", "1"]
    assert len(load(path, table([*ROWS, ("long", "9" * 5000)])).labels) == 3


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "undefined", "hex", "latin-99"])
def test_codecs_of_other_purposes_are_no_encodings(name: str) -> None:
    with pytest.raises(ValueError, match="there is no text encoding"):
        Data(source="r.csv", encoding=name)


def test_small_classes_are_dealt_together(tmp_path: Path) -> None:
    assert len(load(tmp_path / "r.csv", table(ROWS[:10])).test) == 1
    same = table([("the same", label) for _, label in ROWS])
    assert "39 rows were dropped" in refused(tmp_path / "r.csv", same).what
    for each in (2, 6):
        splits = load(tmp_path / "r.csv", table([(f"text {n}", f"intent {n % 30}") for n in range(30 * each)]))
        assert min(len(splits.train), len(splits.validation), len(splits.test)) > 0


def test_tables_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    whole = len(load(path, table(ROWS)).train)
    assert len(load(path, "\n" + table(ROWS) + ",\n,\n \n").train) == whole
    error = refused(path, "Report 2024,\n,\n" + table(ROWS))
    assert error.code == "D051" and "line 3" in error.where
    assert refused(path, "Report 2024\n" + table(ROWS, ";")).code == "D051"
    assert "rename" not in refused(path, table([(t, *r) for t, *r in ROWS], header="text,text")).next_step
    for header in ("\u200btext,label", "\uff54\uff45\uff58\uff54, LABEL\u00a0"):
        assert len(load(path, table(ROWS, header=header)).train) == whole
    error = refused(path, table(ROWS, "^"))
    assert 'data.separator = "^"' in error.next_step and len(load(path, separator="^").train) == whole
    assert len(load(path, table(ROWS, "\t"), separator="\\t").train) == whole
    error = refused(path, table(ROWS, header="review,mood"))
    assert "data.text and data.label" in error.next_step and load(path, text="review", label="mood").labels
    assert "double quotes" not in refused(path, "").next_step
    assert "double quotes" not in refused(path, table(ROWS, header="label,label")).next_step


def test_csv_by_other_rules(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    for rows in (['one, "two, three"'], ['"one, two", "yes"', '"two, three", "no"']):
        header = "label,text" if len(rows) == 1 else "text,label"
        content = table([] if len(rows) == 1 else ROWS, header=header) + "".join(f"{row}\n" for row in rows)
        path.write_text(content)
        raw = read_file(path, Wanted("text", "label"))
        assert raw.texts[-1] == "two, three" and raw.notes == ["spaces after a separator are no part of the fields"]
        assert set(raw.labels or []) in ({"one"}, {"no", "yes"})
    for row in ('"a "b" c",yes', '"open,yes', "one, two,yes"):
        error = refused(path, table(ROWS) + row + "\n")
        assert error.code == "D010" and "line 42" in error.where


def test_a_text_file_may_be_a_table(tmp_path: Path) -> None:
    assert load(tmp_path / "r.txt", table(ROWS, "\t").encode("utf-16")).labels == ["no", "yes"]
    lines = table(ROWS, "\t").split("\n", 1)[1]
    error = refused(tmp_path / "r.txt", lines)
    assert error.code == "D018" and "put a line before them: text, a tab, label" in error.next_step
    assert load(tmp_path / "r.txt", "text\tlabel\n" + lines).labels == ["no", "yes"]
    tags = refused(tmp_path / "r.tsv", "Ann\tB-PER\nran\tO\n\nLima\tB-LOC\n", "token-classification")
    assert tags.code == "D042" and "name the file .conll" in tags.next_step


def test_workbooks(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")

    def book(rows: list[tuple[Any, ...]]) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl asks the clock in a way that newer Pythons warn of
            made = openpyxl.Workbook()
            for row in rows:
                made.active.append(list(row))
            made.save(tmp_path / "r.xlsx")
        return tmp_path / "r.xlsx"

    head = [("text", "label")]
    assert len(load(book([*head, *ROWS, ("odd", "yes", "see this")])).train) > 30, "a note beside the table"
    assert refused(book([("Report",), *head, *ROWS])).code == "D051"
    for row, column in (("=A2", "yes"), "'text'"), (("fine", '=IF(A2="x","yes","no")'), "'label'"):
        error = refused(book([*head, *ROWS, row]))
        assert error.code == "D053" and "formula" in error.what and "line 42" in error.where and column in error.where
    for row, column in (("#REF!", "yes"), "'text'"), (("fine", "#N/A"), "'label'"):
        error = refused(book([*head, *ROWS, row]))
        assert error.code == "D053" and "line 42" in error.where and column in error.where


def test_json_of_other_kinds(tmp_path: Path) -> None:
    labels = ["no", "yes"] * 20
    rows = [json.loads(line) for line in jsonl(labels).splitlines()]
    assert load(tmp_path / "r.jsonl", json.dumps(rows)).labels == ["no", "yes"]
    assert load(tmp_path / "r.jsonl", json.dumps(rows, indent=1)).labels == ["no", "yes"]
    for name in ("r.json", "r.jsonl"):
        for content in ("", "\n", "[]"):
            assert refused(tmp_path / name, content).code == "D052"
    for bad in ("text", "label"):
        row = json.dumps({"text": "a", "label": "yes"} | {bad: "cut \ud83d"})
        error = refused(tmp_path / "r.jsonl", jsonl(labels) + row + "\n")
        assert error.code == "D011" and "ud83d" in error.what and "line 41" in error.where
    assert refused(tmp_path / "r.jsonl", jsonl([*labels, float("nan")])).code == "D020"
    assert "one type" in refused(tmp_path / "r.jsonl", jsonl([*labels, 1])).next_step
    assert 'task = "multi-label"' in refused(tmp_path / "r.jsonl", jsonl([[name] for name in labels])).next_step


def test_label_lists_in_texts_and_vectors(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    for spelt in ('"[""a"", ""b""]"', "\"['a', 'b']\""):
        rows = [(text, spelt if n % 2 else '"[""a""]"') for n, (text, _) in enumerate(ROWS)]
        assert load(path, table(rows), "multi-label").labels == ["a", "b"]
    error = refused(path, table([(text, "['a' 'b']") for text, _ in ROWS]), "multi-label")
    assert error.code == "D055" and "line 2" in error.where
    vectors = jsonl([[n % 2, 1 - n % 2, 0] for n in range(40)])
    error = refused(tmp_path / "r.jsonl", vectors, "multi-label")
    assert error.code == "D055" and "the 3 names" in error.next_step
    splits = load(tmp_path / "r.jsonl", vectors, "multi-label", labels=["x", "y", "z"])
    assert all(row["label"] == [1 - int(row["text"].split()[1]) % 2] for row in splits.train)
    ids = load(tmp_path / "r.jsonl", jsonl([[n % 2, 2] for n in range(40)]), "multi-label", labels=["x", "y", "z"])
    assert ids.train["label"][0] in ([0, 2], [1, 2])
    assert refused(path, table([(text, f"id-{n}") for n, (text, _) in enumerate(ROWS)]), "multi-label").code == "D047"
    joined = load(path, table([(text, ("a", "b", '"a,b"')[n % 3]) for n, (text, _) in enumerate(ROWS)]), "multi-label")
    assert any('data.label_separator = ","' in line for line in joined.warnings)


def test_an_unknown_label_says_which_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert "did you mean 'YES'?" in refused(path, table(ROWS), labels=["no", "YES"]).next_step
    from_one = table([(text, 1 + n % 2) for n, (text, _) in enumerate(ROWS)])
    error = refused(path, from_one, labels=["no", "yes"])
    assert "counted from 0 (0 is 'no')" in error.next_step and "line 3" in error.where


def test_files_under_another_name(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    for content in ("".join(json.dumps(row) + "\n" for row in rows), json.dumps(rows)):
        error = refused(tmp_path / "r.csv", content)
        assert error.code == "D061" and ".jsonl" in error.next_step
        assert load(tmp_path / "r.jsonl", content).labels == ["no", "yes"]
    assert ".csv" in refused(tmp_path / "r.jsonl", table(ROWS)).next_step
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 12\n"
    for suffix in ("csv", "jsonl", "conll"):
        assert "git lfs pull" in refused(tmp_path / f"r.{suffix}", pointer).next_step
    spare = load(tmp_path / "s.csv", "text;label\n" + "".join(f"{text};{label};;\n" for text, label in ROWS))
    assert len(spare.train) == 32


def test_an_address_is_no_file(tmp_path: Path) -> None:
    recipe = Data(source="https://example.com/a.csv")
    with pytest.raises(DataError, match=r"D001.*download the file"):
        load_data(recipe, seed=1, cache=tmp_path)


def test_folders(tmp_path: Path) -> None:
    for name in ("dev", "val", "valid"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Train.csv").write_text(table(ROWS))
        (folder / f"{name}.csv").write_text(table([(f"other {text}", label) for text, label in ROWS[:10]]))
        assert len(load(folder).validation) == 10
    (folder / "train.jsonl").write_text("")
    assert refused(folder).code == "D056"
    (folder / "train.jsonl").unlink()
    (folder / "test.csv").write_text("text\nnew\n")
    error = refused(folder)
    assert error.code == "D003" and "test.csv" in error.where and "data.source" in error.next_step
    assert len(load(folder / "Train.csv").test) == 4
    (folder / "test.csv").write_text(table([(f"new {n}", n % 2) for n in range(10)]))
    assert refused(folder).code == "D004", "nobody said which class is 0"
    assert len(load(folder, labels=["no", "yes"]).test) == 10
    (folder / "test.csv").write_text(table(ROWS))
    assert "all its 40 texts are among the" in refused(folder).what


def sentences(words: str, number: int = 20) -> str:
    return "\n".join(words.replace("@", str(place)) for place in range(number))


PLAIN = sentences("Ann@\tB-PER\nran\tO\n")


def test_odd_lines_of_conll(tmp_path: Path) -> None:
    path, task = tmp_path / "r.conll", "token-classification"
    for head in ("token\ttag\n", "Word\tNER\n"):
        assert load(path, head + PLAIN, task).labels == ["B-PER", "O"]
    assert load(path, "Word\tO\n" + PLAIN, task).train["text"][0][0] in ("Word", "Ann1"), "a word like others"
    pos = sentences("Ann@\tNN\nran\tVB\n") + "\n#\tSYM\n1\tNN\n"
    assert "SYM" in load(path, pos, task).labels
    tagged = load(path, sentences("#fun@\tHT\nran\tVB\nAnn@\tNN\n"), task)
    assert tagged.labels == ["HT", "NN", "VB"] and tagged.train["text"][0][0].startswith("#fun")
    for head in ("-DOCSTART- (1 EU)\tO\n\n", "-docstart-\tO\n\n"):
        assert len(load(path, head + PLAIN, task).train) == len(load(path, PLAIN, task).train)
    error = refused(path, PLAIN + "\nBob\tNaN\n", task)
    assert error.code == "D054" and "line 61" in error.where
    nested = [{"text": ["a", f"b{n}"], "label": [["O"], ["X"]]} for n in range(30)]
    error = refused(tmp_path / "r.jsonl", "".join(json.dumps(row) + "\n" for row in nested), task)
    assert error.code == "D008" and "multi-label" not in error.next_step
    error = refused(path, "Ann\tO\nran\tB-X\n" * 80, task)
    assert error.code == "D058" and "160 words" in error.what
    error = refused(path, PLAIN.replace("ran", "# so\nran", 1), task)
    assert error.code == "D045" and "line 2" in error.where and "delete the line" in error.next_step
    rows = [{"text": ["a", f"b{n}"], "label": [-100, n % 2]} for n in range(30)]
    error = refused(tmp_path / "r.jsonl", "".join(json.dumps(row) + "\n" for row in rows), task)
    assert error.code == "D057" and "line 1" in error.where


def test_the_column_of_tags_may_be_chosen(tmp_path: Path) -> None:
    path, task = tmp_path / "r.conll", "token-classification"
    nested = sentences("1\tAnn@\tB-PER\tO\n2\tran\tO\tO\n")
    assert "data.label" in refused(path, nested, task).next_step
    assert load(path, nested, task, label="3").labels == ["B-PER", "O"]
    assert refused(path, nested, task, label="5").code == "D003"
    conllu = sentences("1\tde@\tde\tADP\tP\t_\t0\troot\t_\t_\n2\tel\tel\tDET\tD\t_\t1\tdet\t_\t_\n")
    for name in ("feats", "lemma"):
        error = refused(tmp_path / "r.conllu", conllu, task, label=name)
        assert error.code == "D003" and "upos" in error.next_step
    assert load(tmp_path / "r.conllu", conllu, task, label="deprel").labels == ["det", "root"]


@pytest.mark.parametrize("tags", ["B_LOC I_LOC O", "LOC-B LOC-I O", "b-loc i-loc o", "B:LOC I:LOC O", "B-LOC I-LOC _"])
def test_tags_that_are_nearly_entities_are_told(tmp_path: Path, tags: str) -> None:
    first, second, third = tags.split()
    content = sentences(f"a@ {first}\nb {second}\nc {third}\n", 40)
    warnings = load(tmp_path / "r.conll", content, "token-classification").warnings
    assert any("look like entities" in line for line in warnings)
    for plain in ("B-LOC I-LOC O", "NN VB .", "B I O", "LOC PER O", "SUBST-M ADJ-F O"):
        first, second, third = plain.split()
        content = sentences(f"a@ {first}\nb {second}\nc {third}\n", 40)
        splits = load(tmp_path / "r.conll", content, "token-classification")
        assert not splits.warnings, plain


def test_labels_that_look_alike_are_told(tmp_path: Path) -> None:
    rows = [(text, ("\u00e9", "e\u0301", "no")[n % 3]) for n, (text, _) in enumerate(ROWS * 2)]
    rows = [(f"{text} {n}", label) for n, (text, label) in enumerate(rows)]
    assert any("look alike" in line for line in load(tmp_path / "r.csv", table(rows)).warnings)
