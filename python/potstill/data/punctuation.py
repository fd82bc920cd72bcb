"""Written text as speech recognition gives it, lower case and without punctuation, with what each word has lost."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Case of a word, and the mark behind it: a comma for every pause inside a sentence, a period for every end of one.
CASES, MARKS = ("lower", "title", "upper"), ("", "+comma", "+period")
TAGS = [f"{case}{mark}" for case in CASES for mark in MARKS]
# Words of a row: about 50 tokens of BBC news. A row begins and ends anywhere in a sentence, as a recording does.
ROW_WORDS = 40
# A word: from its first letter or digit to its last; what stands behind it up to the next white space.
_WORD = re.compile(r"[^\W_](?:\S*[^\W_])?")


def spoken(text: str) -> tuple[list[str], list[str]]:
    """The words of a text in lower case without marks at their ends, and their tags of `TAGS`.

    `"It's raining," Bob said.` gives it's (title), raining (lower+comma), bob (title), said (lower+period). Marks
    inside a word (`70,000`, `co-op`) stay; a mark by itself belongs to the word before it.
    """
    words: list[str] = []
    tags: list[tuple[str, str]] = []
    for part in text.split():
        found = _WORD.search(part)
        behind = part[found.end() :] if found else part
        mark = "+period" if re.search(r"[.!?]", behind) else "+comma" if re.search(r"[,;:]", behind) else ""
        if found:
            words.append(found.group().lower())
            tags.append((_case(found.group()), mark))
        elif tags and mark and not tags[-1][1]:
            tags[-1] = (tags[-1][0], mark)
    return words, [f"{case}{mark}" for case, mark in tags]


def spoken_rows(texts: Iterable[str], size: int = ROW_WORDS) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of `size` words of each text with their tags; a shorter rest of a text is left out."""
    rows, labels = [], []
    for text in texts:
        words, tags = spoken(text)
        for start in range(0, len(words) - size + 1, size):
            rows.append(words[start : start + size])
            labels.append(tags[start : start + size])
    return rows, labels


def _case(word: str) -> str:
    letters = [letter for letter in word if letter.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return "upper"
    return "title" if word[0].isupper() else "lower"
