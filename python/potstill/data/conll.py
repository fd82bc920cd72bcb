"""CoNLL files: a word a line, its columns parted by tabs or spaces, the tag in the last one, an empty line after each
sentence (Tjong Kim Sang and De Meulder: Introduction to the CoNLL-2003 Shared Task, 2003). Lines of `-DOCSTART-` part
documents and hold no word.
"""

from __future__ import annotations

from pathlib import Path

from potstill.data.labels import Raw
from potstill.errors import DataError

SUFFIXES = (".conll", ".bio", ".iob2")
_DOCUMENT = "-DOCSTART-"


def read_conll(path: Path, *, tagged: bool) -> Raw:
    """The sentences of a file, which must be UTF-8: word lists as texts, tag lists as labels.

    Args:
        path: the file.
        tagged: False takes the words alone, of lines of a single column too.

    Raises:
        DataError: D033 a line without tag.
    """
    texts: list[list[str]] = []
    labels: list[list[str]] = []
    words: list[str] = []
    tags: list[str] = []
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            # With tabs a word may hold spaces.
            columns = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
            if not any(column.strip() for column in columns) or columns[0] == _DOCUMENT:
                if words:
                    texts.append(words)
                    labels.append(tags)
                words, tags = [], []
                continue
            if tagged and len(columns) < 2:
                raise DataError(
                    "D033",
                    f"the word {columns[0]!r} has no tag",
                    f"{path}, line {number}",
                    "give word and tag, a tab or space between, and an empty line after each sentence",
                )
            words.append(columns[0].strip())
            tags.append(columns[-1].strip())
    if words:
        texts.append(words)
        labels.append(tags)
    return Raw(texts, labels if tagged else None, str(path), "the last column" if tagged else "")
