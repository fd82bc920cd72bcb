"""CoNLL files as they come: comments, columns in other orders, noise, schemes of tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.data.columns import Wanted
from potstill.data.files import read_file
from potstill.data.labels import Raw
from potstill.data.tagging import broken, entities, looks_like_tags, scheme
from potstill.errors import DataError


def read(path: Path, content: str, label: str | None = "label") -> Raw:
    path.write_text(content, encoding="utf-8")
    return read_file(path, Wanted("text", label))


def pairs(raw: Raw) -> list[list[tuple[str, str]]]:
    return [list(zip(*both, strict=True)) for both in zip(raw.texts, raw.labels or [], strict=True)]


TWO = [[("Ann", "B-PER"), ("ran", "O")], [("Lima", "B-LOC")]]


@pytest.mark.parametrize(
    "comments",
    [
        ["# id 3f2a\tdomain=de", "# id 3f2b\tdomain=de"],
        ["# sent_id = 1", "# sent_id = 2"],
        ["# text = Ann ran", "# text = Lima"],
        ["#\thttp://example.org/a [2009-10-17]", "#"],
        ["# newdoc", "#id 7"],
    ],
)
@pytest.mark.parametrize("columns", [2, 3, 4])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_comments_are_no_words(tmp_path: Path, comments: list[str], columns: int, separator: str) -> None:
    blocks = []
    for comment, sentence in zip(comments, TWO, strict=True):
        lines = [separator.join([word, *["_"] * (columns - 2), tag]) for word, tag in sentence]
        blocks.append("\n".join([comment, *lines]))
    raw = read(tmp_path / "rows.conll", "-DOCSTART- -X- O\n\n" + "\n\n".join(blocks) + "\n")
    assert pairs(raw) == TWO
    assert any("2 lines of comments" in note for note in raw.notes)


def test_a_hash_among_words_is_a_word(tmp_path: Path) -> None:
    content = "# 1 O\n\n# O\n1 O\n\nwe O\n#won B-X\n# O\n\n#new B-Y\nday O\n"
    raw = read(tmp_path / "rows.conll", content)
    assert pairs(raw) == [
        [("#", "O"), ("1", "O")],
        [("we", "O"), ("#won", "B-X"), ("#", "O")],
        [("#new", "B-Y"), ("day", "O")],
    ]
    with pytest.raises(DataError, match=r"D045.*inside a sentence.*line 2"):
        read(tmp_path / "rows.conll", "we O\n# said so\nwon O\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Ann _ B-PER\nran _ O\n\nto _ O\nLima B-LOC\n", 5),
        ("Ann\tB-PER\nNew York\tB-LOC\nx\ty\tO\n", 3),
        ("a O\nb O\nhttp://a b c O\n", 3),
    ],
)
def test_another_number_of_columns_is_refused(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(DataError, match=rf"D045.*columns where other lines have.*line {line};"):
        read(tmp_path / "rows.conll", content)


CONLLU = """# sent_id = 1
# text = Vámonos al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_
3\tmar\tmar\tNOUN\tN\t_\t1\tobl\t_\tSpaceAfter=No

# sent_id = 2
1\tSí\tsí\tINTJ\tI\t_\t0\troot\t_\t_
"""


def test_conllu(tmp_path: Path) -> None:
    raw = read(tmp_path / "rows.conllu", CONLLU)
    assert raw.texts == [["Vamos", "nos", "mar"], ["Sí"]] and raw.labels == [["VERB", "PRON", "NOUN"], ["INTJ"]]
    assert "UPOS" in raw.notes[0]
    assert read(tmp_path / "rows.conll", CONLLU, "xpos").labels == [["V", "P", "N"], ["I"]]


def test_other_orders_are_stated(tmp_path: Path) -> None:
    raw = read(tmp_path / "rows.tsv.conll", "1\tAnn\tB-PER\tO\n2\tran\tO\tO\n\n1\tLima\tB-LOC\tB-X\n")
    assert raw.texts == [["Ann", "ran"], ["Lima"]] and raw.labels == [["O", "O"], ["B-X"]]
    assert "words from column 2, tags from column 4" in raw.notes[0]
    turned = read(tmp_path / "rows.bio", "O\ta\nB-Genre\tfunny\nI-Genre\tfilm\n\nO\tnow\n")
    assert turned.texts == [["a", "funny", "film"], ["now"]] and turned.labels == [["O", "B-Genre", "I-Genre"], ["O"]]


def test_txt_holds_tags_or_texts(tmp_path: Path) -> None:
    tagged = "Ann\tB-PER\nran\tO\n\nLima\tB-LOC\n"
    assert pairs(read(tmp_path / "rows.txt", tagged)) == TWO
    assert read(tmp_path / "more.txt", tagged, None).texts == [["Ann", "ran"], ["Lima"]], "words, not lines with tags"
    assert read(tmp_path / "more.txt", "good film\nbad film\n\ngood day\n", None).texts == [
        "good film", "bad film", "good day",
    ]  # fmt: skip
    parts = "the DET\ndog NOUN\nran VERB\n\n" * 5
    assert len(read(tmp_path / "pos.txt", parts).texts) == 5
    with pytest.raises(DataError, match=r"D018.*no labels"):
        read(tmp_path / "rows.txt", "good film\tpositive\nbad film\tnegative\nnice film\tpositive\n")


@pytest.mark.parametrize(
    ("rows", "name", "spans"),
    [
        (["B-A I-A O B-B", "B-A B-A"], "BIO2", [{("A", 0, 2), ("B", 3, 4)}, {("A", 0, 1), ("A", 1, 2)}]),
        (["I-A I-A B-A O I-B", "I-A I-B"], "IOB1",
         [{("A", 0, 2), ("A", 2, 3), ("B", 4, 5)}, {("A", 0, 1), ("B", 1, 2)}]),
        (["I-A I-A O I-B"], "IO", [{("A", 0, 2), ("B", 3, 4)}]),
        (["B-A I-A E-A S-A S-A", "B-B E-B B-B E-B"], "BIOES",
         [{("A", 0, 3), ("A", 3, 4), ("A", 4, 5)}, {("B", 0, 2), ("B", 2, 4)}]),
        (["B-A I-A L-A U-A O U-B"], "BILOU", [{("A", 0, 3), ("A", 3, 4), ("B", 5, 6)}]),
        (["B-A M-A E-A S-B"], "BMES", [{("A", 0, 3), ("B", 3, 4)}]),
        (["B-A M-A E-A W-B"], "BMEWO", [{("A", 0, 3), ("B", 3, 4)}]),
    ],
)  # fmt: skip
def test_schemes(rows: list[str], name: str, spans: list[set[tuple[str, int, int]]]) -> None:
    tags = [row.split() for row in rows]
    assert scheme(tags) == name and broken(tags, name) == 0
    assert [entities(row) for row in tags] == spans


def test_broken_tags_are_counted() -> None:
    assert broken([["B-A", "O", "I-A"], ["I-B", "B-B", "I-A"]], "BIO2") == 3
    assert broken([["B-A", "O"], ["E-A"], ["S-A", "I-A", "E-A"], ["B-A", "B-A", "E-A"]], "BIOES") == 4
    assert scheme([["NOUN", "VERB"]]) is None and not looks_like_tags(["B-A", "I-A", "X-A"])


def test_a_column_of_other_things_is_no_tags(tmp_path: Path) -> None:
    from potstill.data.words import tag_names

    raw = read(tmp_path / "rows.conll", "".join(f"word{n} O sha{n}\n" for n in range(30)))
    with pytest.raises(DataError, match=r"D047.*30 different labels"):
        tag_names(raw, None)


def test_a_sentence_of_another_width_must_hold_entities(tmp_path: Path) -> None:
    rows = "a O\nb O\n\n" * 3
    assert pairs(read(tmp_path / "r.conll", rows + "Ann NNP B-PER\nran VBD O\n"))[-1] == TWO[0]
    with pytest.raises(DataError, match=r"D045.*3 columns where other lines have 2.*line 10"):
        read(tmp_path / "r.conll", rows + "see this O\n")


def test_ends_of_lines_and_numbers_among_words(tmp_path: Path) -> None:
    assert pairs(read(tmp_path / "r.conll", "Ann\tB-PER\t\nran\tO\t \n\nLima\tB-LOC\t\n")) == TWO
    single = read(tmp_path / "r.conll", "1 CD O\n\n1 CD B-X\n\na-b NN O\n")
    assert single.texts == [["1"], ["1"], ["a-b"]], "a word that is 1 is no number of a word"
