"""CoNLL files: a word a line with its columns, an empty line after each sentence (Tjong Kim Sang and De Meulder:
Introduction to the CoNLL-2003 Shared Task, 2003). Lines of `-DOCSTART-` part documents and hold no word, lines of `#`
are comments unless they are shaped like the words around them.

The word is in the first column and the tag in the last, except in files that show another order: numbered words
(CoNLL-U: form and universal part of speech; others: second and last column), or the tag first and the word last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from potstill.data.encodings import open_text, text_encoding
from potstill.data.labels import Raw
from potstill.data.tagging import looks_like_tags
from potstill.errors import DataError

SUFFIXES = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".bioes", ".bilou")
_DOCUMENT = "-DOCSTART-"
# CoNLL-U (universaldependencies.org, format): ten columns, of which these can be learnt as tags.
_CONLLU = 10
_CONLLU_TAGS = {"upos": 3, "xpos": 4, "deprel": 7}
_CONLLU_OTHERS = ("id", "form", "lemma", "feats", "head", "deps", "misc")
# Tags of the word # where nothing else has them (Penn Treebank, universal parts of speech, names of entities).
_HASH_TAGS = ("#", "SYM", "PUNCT", "O")
_HASHTAG = re.compile(r"#\w+")
# What a line of column names calls the words.
_WORDS = ("word", "words", "token", "tokens", "form", "text")
# A file without an empty line is one sentence; with more words than this it is not a sentence.
_LONGEST = 100
_SPACES = re.compile(r"[ \t]+")
# Lines that decide what a .txt file holds.
_SAMPLE = 2000


@dataclass
class _Line:
    number: int
    columns: list[str]
    text: str


@dataclass
class _Layout:
    """Columns of a line, and which of them are read (from 0)."""

    width: int
    word: int
    tag: int
    note: str

    def place(self, line: _Line) -> int:
        """The column of a line's tag: in a sentence of another width it is the last one too."""
        return self.tag if len(line.columns) == self.width else len(line.columns) - 1


def read_conll(path: Path, *, label: str | None, encoding: str | None = None) -> Raw:
    """The sentences of a file: word lists as texts, tag lists as labels.

    Args:
        path: the file.
        label: None takes the words alone, of lines of a single column too; ``upos``, ``xpos`` or ``deprel`` names the
            column of a CoNLL-U file, a number the column of any, from 1; any other name leaves the choice to the file.
        encoding: as `text_encoding` takes it.

    Raises:
        DataError: as `text_encoding`; a line without tag; one with another number of columns
            than the others; a column of tags that is not there; no end of a sentence.
    """
    blocks = _blocks(path, text_encoding(path, encoding))
    headed = _without_header(blocks)
    layout = _layout(blocks, (label or "").lower(), path)
    texts: list[list[str]] = []
    labels: list[list[str]] = []
    lines: list[int] = []
    tags = _tags(blocks, layout)
    sentences = _without_comments(blocks, layout, tags, path)
    comments = sum(map(len, blocks)) - sum(map(len, sentences))
    if label is not None and len(sentences) == 1 and len(sentences[0]) > _LONGEST:
        raise DataError(
            "D058",
            f"the file is one sentence of {len(sentences[0]):,} words: no empty line ends a sentence",
            str(path),
            "put an empty line after each sentence",
        )
    for block in sentences:
        _check_width(block, layout, tags, path, tagged=label is not None)
        words = block
        if layout.width == _CONLLU and layout.word == 1:
            # Without 3-4 (a contraction, whose words follow) and 8.1 (a word left out).
            words = [line for line in block if line.columns[0].isdigit()]
        if words:
            texts.append([line.columns[layout.word].strip() for line in words])
            labels.append([line.columns[layout.place(line)].strip() for line in words])
            lines.append(words[0].number)
    notes = [layout.note] if label is not None and layout.note else []
    notes += ["the first line holds the names of the columns, no word"] if headed else []
    notes += [f"{comments:,} line{'' if comments == 1 else 's'} of comments passed over"] if comments else []
    column = f"{layout.tag + 1} of {layout.width}" if label is not None else ""
    return Raw(texts, labels if label is not None else None, str(path), column, lines=lines, notes=notes)


def is_conll(path: Path, encoding: str, *, strict: bool) -> bool:
    """Whether a .txt file holds words with tags: several columns, the same number in nearly every line.

    Args:
        path: the file.
        encoding: as `text_encoding` gives it.
        strict: True: also every last column spells a tag of entities; texts of two words a line are not tagged words.
    """
    blocks = _blocks(path, encoding, _SAMPLE)
    lines = [line for block in blocks for line in block if not line.text.startswith("#")]
    if not lines:
        return False
    (width, count), *_ = Counter(len(line.columns) for line in lines).most_common(1)
    if width < 2 or count < 0.9 * len(lines):
        return False
    even = [line for line in lines if len(line.columns) == width]
    ends = [{line.columns[place].strip() for line in even} for place in (0, -1)]
    few = len(blocks) > 1 and 4 * len(ends[1]) <= len(even)
    return any(looks_like_tags(end) for end in ends) or (few and not strict)


def _blocks(path: Path, encoding: str, most: int | None = None) -> list[list[_Line]]:
    """The lines of each sentence, comments included."""
    blocks: list[list[_Line]] = [[]]
    with open_text(path, encoding) as lines:
        for number, text in enumerate(lines, 1):
            if most is not None and number > most:
                break
            # With tabs a word may hold spaces.
            text = text.rstrip("\t ")
            columns = text.split("\t") if "\t" in text else _SPACES.split(text.strip(" "))
            if not any(column.strip() for column in columns) or columns[0].upper().split()[:1] == [_DOCUMENT]:
                if blocks[-1]:
                    blocks.append([])
            else:
                blocks[-1].append(_Line(number, columns, text))
    return blocks if blocks[-1] else blocks[:-1]


def _without_header(blocks: Sequence[list[_Line]]) -> bool:
    """Take a first line off that names the columns: its tag is no tag of others, its word a name of words."""
    if not blocks or len(blocks[0]) < 2 or blocks[0][0].text.startswith("#"):
        return False
    first = [column.strip() for column in blocks[0][0].columns]
    others = {line.columns[-1].strip() for block in blocks for line in block if line is not blocks[0][0]}
    if len(first) < 2 or first[-1] in others or not any(name.lower() in _WORDS for name in first[:2]):
        return False
    del blocks[0][0]
    return True


def _layout(blocks: Sequence[Sequence[_Line]], label: str, path: Path) -> _Layout:
    plain = [line for block in blocks for line in block if not line.text.startswith("#")]
    widths = Counter(len(line.columns) for line in plain)
    width = max(widths, key=lambda columns: (widths[columns], columns), default=1)
    even = [line for line in plain if len(line.columns) == width]
    chosen = int(label) - 1 if label.isascii() and label.isdigit() else None
    if chosen is not None and not 0 <= chosen < width:
        raise DataError(
            "D003", f"there is no column {label}", f"{path}, {width} columns", f"set data.label to one of 1 to {width}"
        )
    found = _found_layout(blocks, even, width, label, path)
    if chosen is None or chosen == found.tag:
        return found
    note = f"words from column {found.word + 1}, tags from column {label} of {width}"
    return _Layout(width, found.word, chosen, note)


def _found_layout(
    blocks: Sequence[Sequence[_Line]], even: Sequence[_Line], width: int, label: str, path: Path
) -> _Layout:
    """The columns, recognised by what they hold."""
    last = width - 1
    if width >= 3 and _numbered(blocks, width):
        if width == _CONLLU:
            if label in _CONLLU_OTHERS:
                known = ", ".join(_CONLLU_TAGS)
                raise DataError(
                    "D003",
                    f"the column {label.upper()} cannot be learnt as tags",
                    str(path),
                    f"set data.label to one of {known}, or to the number of a column",
                )
            tag = _CONLLU_TAGS.get(label, 3)
            name = next(name for name, place in _CONLLU_TAGS.items() if place == tag)
            return _Layout(width, 1, tag, f"a CoNLL-U file: words from the column FORM, tags from {name.upper()}")
        return _Layout(width, 1, last, f"numbered words: words from column 2, tags from column {width} of {width}")
    first_tags, last_tags = ({line.columns[place].strip() for line in even} for place in (0, last))
    if width == 2 and looks_like_tags(first_tags) and not looks_like_tags(last_tags):
        return _Layout(width, 1, 0, "words from column 2, tags from column 1 of 2")
    note = f"words from column 1, tags from column {width} of {width}" if width > 2 else ""
    return _Layout(width, 0, last, note)


def _numbered(blocks: Sequence[Sequence[_Line]], width: int) -> bool:
    """Whether the first column counts the words of every sentence from 1."""
    longest = 0
    for block in blocks:
        found = [line.columns[0].strip() for line in block if len(line.columns) == width and line.text[0] != "#"]
        whole = [number for number in found if "-" not in number and "." not in number]
        if whole != [str(place) for place in range(1, len(whole) + 1)]:
            return False
        longest = max(longest, len(whole))
    return longest > 1


def _tags(blocks: Sequence[Sequence[_Line]], layout: _Layout) -> set[str]:
    """The tags of all lines that have the usual columns and are surely words."""
    even = [line for block in blocks for line in block if len(line.columns) == layout.width]
    known = {line.columns[layout.tag].strip() for line in even if not line.text.startswith("#")}
    # Hashtags may have a tag that nothing else has: several words, one tag.
    hashtags: dict[str, set[str]] = {}
    for line in even:
        tag = line.columns[layout.tag].strip()
        if _HASHTAG.fullmatch(line.columns[0]) and tag.isalpha() and tag.isupper():
            hashtags.setdefault(tag, set()).add(line.columns[0])
    return known | {tag for tag, words in hashtags.items() if len(words) > 1}


def _without_comments(
    blocks: Sequence[Sequence[_Line]], layout: _Layout, tags: set[str], path: Path
) -> list[list[_Line]]:
    """The sentences without lines of # that are no words."""
    kept = []
    for block in blocks:
        words: list[_Line] = []
        for line in block:
            if not line.text.startswith("#") or _is_word(line, layout, tags):
                words.append(line)
            elif words:
                raise DataError(
                    "D045",
                    f"a comment, or a word # without its columns, stands inside a sentence: {line.text[:60]!r}",
                    f"{path}, line {line.number}",
                    "delete the line, or put it before the sentence; give the word # the columns of the other words",
                )
        kept.append(words)
    return kept


def _is_word(line: _Line, layout: _Layout, tags: set[str]) -> bool:
    """Whether a line of # has the columns of a word: "# O" and "#fun B-X" have, "# id 7" does not."""
    if layout.width == 1:
        return line.text.strip() == "#"
    if len(line.columns) != layout.width:
        return False
    tag = line.columns[layout.tag].strip()
    if line.columns[0].strip() == "#" and tag in _HASH_TAGS:
        return True
    return tag in tags or (looks_like_tags(tags | {tag}) and looks_like_tags({tag}))


def _check_width(block: Sequence[_Line], layout: _Layout, tags: set[str], path: Path, *, tagged: bool) -> None:
    """A sentence has the columns of the others; or all of it has others, and its last column still holds tags.

    Raises:
        DataError: a line without its tag, or with other columns.
    """
    widths = {len(line.columns) for line in block}
    if widths <= {layout.width} and not (tagged and layout.width < 2):
        return
    if len(widths) == 1 and min(widths) > 1 and (layout.word, layout.tag) == (0, layout.width - 1):
        ends = {line.columns[-1].strip() for line in block}
        if looks_like_tags(ends) and looks_like_tags(ends | tags):
            return
    for line in block:
        found, where = len(line.columns), f"{path}, line {line.number}"
        if tagged and found < 2:
            raise DataError(
                "D033",
                f"the word {line.columns[0]!r} has no tag",
                where,
                "give word and tag, a tab or space between, and an empty line after each sentence",
            )
        if found != layout.width:
            raise DataError(
                "D045",
                f"{found} columns where other lines have {layout.width}: {line.text[:60]!r}",
                where,
                "give every word the same columns, parted by tabs if a word holds spaces; begin comments with #",
            )
