"""What a tagger labels: words or characters. Texts are cut into them as the core cuts a text (`word_ranges`)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from potstill.data.labels import Raw
from potstill.data.languages import WITHOUT_SPACES, script_of, without_spaces
from potstill.errors import DataError
from potstill.runtime.backends import word_ranges

# Share of words of several characters up to which rows are taken for rows of characters.
_SLIPS = 0.005
# Rows of texts that are looked at to tell what their tags belong to.
_LOOKED_AT = 200
# Share of words of scripts without spaces, of several characters, from which no rule finds the rows' words.
_UNFOUND = 0.05


def with_units(raws: Mapping[str, Raw], wanted: str) -> tuple[dict[str, Raw], str]:
    """The rows as lists of words with a tag each, and what these are.

    Rows are lists of words or characters as they are, or texts with a tag for each, or texts with spans: then they are
    cut. Of characters, a mark that stands alone in a row joins the one before, whose tag counts.

    Args:
        raws: the splits as read; ``train`` is there.
        wanted: ``data.units``: "auto", or one of `potstill.card.UNITS`.

    Returns:
        The rows and their units.

    Raises:
        DataError: spans that begin or end inside a word or character, overlap, or lie outside of their text; texts
            and words in one column; not as many tags as words or characters; ``characters`` wanted of rows of words.
    """
    texts = raws["train"].texts
    if texts and all(isinstance(text, str) for text in texts):
        units = _units_of_texts(raws["train"]) if wanted == "auto" else wanted
        if units == "given":
            raise no_rule(raws["train"].where)
        return {part: _cut(raw, units) for part, raw in raws.items()}, units
    if wanted not in ("auto", "characters"):
        return dict(raws), wanted
    joined = {part: _marks_joined(raw) for part, raw in raws.items()}
    rows = [text for text in joined["train"].texts if isinstance(text, list)]
    units = units_of(rows)
    if wanted == "characters" and units != "characters":
        raise _not_characters(joined["train"])
    return (joined if units == "characters" else dict(raws)), units


def units_of(rows: Sequence[Sequence[Any]]) -> str:
    """What rows of words are made of, as `potstill.card.UNITS` calls it.

    "characters" where nearly all words are single ones; "given" where some are longer and of a script without spaces;
    else "words".
    """
    counts = Counter(word for word in chain.from_iterable(rows) if isinstance(word, str))
    longer = {word: count for word, count in counts.items() if len(word) > 1 and len(_characters(word)) > 1}
    if sum(longer.values()) <= _SLIPS * counts.total():
        return "characters"
    unfound = sum(count for word, count in longer.items() if _without_spaces(word))
    return "given" if unfound > _UNFOUND * counts.total() else "words"


def cut_text(text: str, units: str) -> list[str]:
    """The words or characters of a text.

    Raises:
        InputError: ``units`` is "given".
    """
    return [text[start:end] for start, end in word_ranges(text, units)]


def cut_further(rows: Sequence[Sequence[str]]) -> tuple[float, list[str]]:
    """Share (0-1) of the words of rows that a plain text would have in several parts, and the commonest of them."""
    counts = Counter(chain.from_iterable(rows))
    parted = Counter({word: count for word, count in counts.items() if len(word_ranges(word, "words")) > 1})
    return parted.total() / max(1, counts.total()), [word for word, _ in parted.most_common(3)]


def _characters(text: str) -> list[str]:
    return cut_text(text, "characters")


def _without_spaces(word: str) -> bool:
    return any(script_of(letter) in WITHOUT_SPACES for letter in word)


def _is_mark(word: Any) -> bool:
    """Whether a word is nothing but marks, which belong to the character before them."""
    return isinstance(word, str) and bool(word) and not word.isascii() and len(_characters(f"x{word}")) == 1


def _marks_joined(raw: Raw) -> Raw:
    """Rows in which no mark stands apart from its letter; rows of Thai are often cut by code points."""
    words = {word for text in raw.texts if isinstance(text, list | tuple) for word in text}
    marks = {word for word in words if _is_mark(word)}
    if not marks:
        return raw
    texts: list[Any] = []
    labels: list[Any] = []
    joined = 0
    for text, tags in zip(raw.texts, raw.labels or [None] * len(raw.texts), strict=True):
        kept = [place for place, word in enumerate(text or ()) if place == 0 or word not in marks]
        joined += len(text or ()) - len(kept)
        ends = [*kept[1:], len(text or ())]
        texts.append(text and ["".join(text[start:end]) for start, end in zip(kept, ends, strict=True)])
        whole = isinstance(tags, list | tuple) and len(tags) == len(text)
        labels.append([tags[place] for place in kept] if whole else tags)
    note = f"{joined:,} marks that stood by themselves joined to the character before them"
    return dataclasses.replace(
        raw, texts=texts, labels=None if raw.labels is None else labels, notes=[*raw.notes, note]
    )


def _units_of_texts(raw: Raw) -> str:
    """What texts with spans, or with a tag for each word or character, are to be cut into.

    Where tags fit both, as with Chinese alone, and for spans: characters, if the script has no spaces between words.
    """
    likely = "characters" if without_spaces("".join(raw.texts)) else "words"
    if _have_spans(raw):
        return likely
    some = list(zip(raw.texts, raw.labels or [], strict=False))[:_LOOKED_AT]
    for units in (likely, "characters" if likely == "words" else "words"):
        if all(isinstance(tags, list | tuple) and len(tags) in _counts(text, units) for text, tags in some):
            return units
    return likely


def _counts(text: str, units: str) -> tuple[int, ...]:
    """How many tags a text may have; of characters also one a code point, white space included."""
    parts = len(word_ranges(text, units))
    return (parts, len(text)) if units == "characters" else (parts,)


def _cut(raw: Raw, units: str) -> Raw:
    """The texts cut, each with the tags of its parts."""
    spans = _have_spans(raw)
    texts: list[Any] = []
    labels: list[Any] = []
    for row, text in enumerate(raw.texts):
        places = word_ranges(text, units)
        texts.append([text[start:end] for start, end in places])
        if raw.labels is None:
            continue
        given = raw.labels[row]
        if spans and isinstance(given, list | tuple):
            labels.append(_tags_of(given, text, places, raw, row))
        elif isinstance(given, list | tuple) and len(given) == len(text) != len(places) and units == "characters":
            labels.append([given[start] for start, _ in places])
        else:
            labels.append(given)
    note = f"texts cut into {units}, as the model will cut them"
    return dataclasses.replace(raw, texts=texts, labels=raw.labels and labels, notes=[*raw.notes, note])


def _have_spans(raw: Raw) -> bool:
    """Whether the labels are spans: ``{"start": 0, "end": 3, "label": "PER"}``, or ``[0, 3, "PER"]``."""
    return any(
        isinstance(label, Mapping | list | tuple)
        for labels in raw.labels or []
        if isinstance(labels, list | tuple)
        for label in labels
    )


def _tags_of(spans: Sequence[Any], text: str, places: Sequence[tuple[int, int]], raw: Raw, row: int) -> list[str]:
    """BIO tags of the parts of a text.

    Raises:
        DataError: see `with_units`.
    """
    tags = ["O"] * len(places)
    for span in spans:
        start, end, label = _span(span, text, raw, row)
        inside = [place for place, (begin, behind) in enumerate(places) if begin < end and behind > start]
        shown = f"{text[start:end]!r} ({start} to {end})"
        if not inside or places[inside[0]][0] < start or places[inside[-1]][1] > end:
            raise DataError(
                "D063", f"the span {shown} begins or ends inside a word, or holds none", raw.at(row),
                'correct it; or set data.units = "characters", which has no words',
            )  # fmt: skip
        if any(tags[place] != "O" for place in inside):
            raise DataError("D063", f"the span {shown} overlaps another", raw.at(row), "give each character one label")
        tags[inside[0]] = f"B-{label}"
        for place in inside[1:]:
            tags[place] = f"I-{label}"
    return tags


def _span(span: Any, text: str, raw: Raw, row: int) -> tuple[int, int, str]:
    parts: list[Any] = [span.get(key) for key in ("start", "end", "label")] if isinstance(span, Mapping) else list(span)
    if len(parts) == 3:
        start, end, label = parts
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (start, end))
        if whole and isinstance(label, str) and label.strip() and 0 <= start < end <= len(text):
            return start, end, label.strip()
    raise DataError(
        "D062", f"{str(span)[:80]} is no span of the text", raw.at(row),
        'give {"start": 0, "end": 3, "label": "PER"}, or [0, 3, "PER"]: first character, the one behind the last',
    )  # fmt: skip


def _not_characters(raw: Raw) -> DataError:
    row, word = next(
        (row, word)
        for row, text in enumerate(raw.texts)
        for word in text or ()
        if isinstance(word, str) and len(_characters(word)) > 1
    )
    return DataError(
        "D064", f"the rows hold words, such as {word!r}, not characters", raw.at(row),
        'give one character a word, each with its tag; or leave data.units = "characters" out',
    )  # fmt: skip


def no_rule(where: str) -> DataError:
    """The error for texts where lists of words are needed."""
    return DataError(
        "D065", "texts are to be cut into words that no rule finds", where,
        'give lists of words; or set data.units = "characters"',
    )  # fmt: skip
