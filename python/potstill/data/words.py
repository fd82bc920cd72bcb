"""Rows of words with a tag each: word lists as texts, tag lists as labels (CoNLL files, JSON Lines, Parquet, hub)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from potstill.data.labels import Raw, label_name, named_id, ordered_names, refuse_missing, refuse_scores_and_ids
from potstill.data.units import cut_text, no_rule
from potstill.errors import DataError


def check_words(raw: Raw, column: str) -> list[list[str]]:
    """The words of each row; none of them empty, none of the rows without one.

    Raises:
        DataError: a row without words or an empty word; a text column that holds something else than lists of
            words.
    """
    for index, words in enumerate(raw.texts):
        row = raw.at(index, column)
        if words is None or (isinstance(words, list | tuple) and not words):
            raise DataError("D005", "the row has no words", row, "fill them in or delete the row")
        if not isinstance(words, list | tuple):
            raise DataError(
                "D019",
                f"a value of type {type(words).__name__} stands where a list of words should",
                row,
                "set data.text to the column with the lists of words (often called tokens); CSV and workbooks hold no "
                "lists: write the words with a tag a line into a .conll file, or lists into JSON Lines",
            )
        for place, word in enumerate(words, 1):
            if not isinstance(word, str) or not word.strip():
                raise DataError(
                    "D005" if word is None or isinstance(word, str) else "D019",
                    f"word {place} is {'empty' if word is None or isinstance(word, str) else type(word).__name__}",
                    row,
                    "give each word as a text, with its tag",
                )
    return [list(words) for words in raw.texts]


def split_words(raw: Raw, column: str, units: str) -> list[list[str]]:
    """The words of texts without tags: lists as they are, of a plain text the words or characters that tagging finds.

    Raises:
        DataError: as `check_words`; a plain text, and no rule finds words (`units` is "given").
    """
    if units == "given" and any(isinstance(text, str) for text in raw.texts):
        raise no_rule(raw.where)
    plain = [cut_text(text, units) if isinstance(text, str) else text for text in raw.texts]
    return check_words(Raw(plain, None, raw.where, raw.column, first=raw.first, lines=raw.lines), column)


def tag_names(train: Raw, given: Sequence[str] | None) -> list[str]:
    """Names of the tags: those of the recipe, else the source's own, else the distinct values of `train`, sorted.

    Raises:
        DataError: as `tag_ids`; as `refuse_scores_and_ids`; something that is not a tag.
    """
    if given is not None:
        return list(given)
    if train.names is not None:
        return list(train.names)
    found = []
    for row, tags in enumerate(train.labels or []):
        names = _tags(tags, train, row)
        if "-100" in names:
            raise DataError(
                "D057",
                "the tag -100 is how training programs mark words to pass over, not a tag",
                train.at(row),
                "give the data as it was before it was cut into tokens: one tag for each whole word",
            )
        refuse_missing(names, train, row)
        found += names
    refuse_scores_and_ids(dataclasses.replace(train, labels=found))
    return ordered_names(set(found))


def tag_ids(raw: Raw, names: Sequence[str], *, ordered: bool = True) -> list[list[int]]:
    """For each row the index into `names` of each word's tag.

    Args:
        raw: the rows.
        names: of the tags.
        ordered: as `potstill.data.labels.class_ids` takes it.

    Raises:
        DataError: a tag that is not in `names`; a value that is no list of tags; a word without tag,
            not as many tags as words.
    """
    index_of = {name: index for index, name in enumerate(names)}
    found = []
    for row, tags in enumerate(raw.labels or []):
        known = _tags(tags, raw, row)
        words = raw.texts[row]
        if len(known) != len(words):
            raise DataError(
                "D032",
                f"{len(known)} tags for {len(words)} words",
                raw.at(row),
                "give one tag a word; correct the row or delete it",
            )
        found.append([index_of.get(name, -1) for name in known])
        if -1 in found[-1]:
            found[-1] = [named_id(name, names, index_of, raw, row, ordered=ordered) for name in known]
    return found


def _tags(value: Any, raw: Raw, row: int) -> list[str]:
    where = raw.at(row)
    if value is None:
        raise DataError("D020", "the row has no tags", where, "fill them in or delete the row")
    if not isinstance(value, list | tuple):
        raise DataError(
            "D008",
            f"the tags {value!r} are of type {type(value).__name__}",
            where,
            "give a list with one tag a word; set data.label to the column that has it",
        )
    names = raw.names or []
    return [
        names[tag] if isinstance(tag, int) and 0 <= tag < len(names) else label_name(tag, raw, row) for tag in value
    ]
