"""The splits a build trains and tests on, and how rows are dealt to them.

A row's split depends only on the seed, its class and its text, not on the order of the rows: inside a class the rows
are ranked by a keyed hash of their text, the first tenth goes to the test split, and so on. Equal texts (same
lower-case words) are one row, so nothing of the test split is trained on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from potstill.data.examine import examine_given, examine_splits
from potstill.errors import DataError


class _Parted(dict[int, int]):
    """By code point, the letters, digits and marks as they are and everything else as a space."""

    def __missing__(self, point: int) -> int:
        letter = chr(point)
        kept = letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"
        self[point] = point if kept else ord(" ")
        return self[point]


_PARTED = _Parted()
# Rows from which a tenth of them is a row.
_ENOUGH = 10


@dataclass
class Rows:
    """Texts with their labels; the plain form in which rows are checked and dealt.

    Attributes:
        texts: a text a row, or a list of words.
        labels: a class id a row, or a list of label ids a row; for words one id a word.
        pairs: second texts, or None.
    """

    texts: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    pairs: list[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def pick(self, indices: Iterable[int]) -> Rows:
        """The rows at `indices`, in that order."""
        chosen = list(indices)
        pairs = None if self.pairs is None else [self.pairs[i] for i in chosen]
        return Rows([self.texts[i] for i in chosen], [self.labels[i] for i in chosen], pairs)

    def whole(self, index: int) -> str:
        """The text of a row, or both of its texts, or its words, with a line break between."""
        text: str = self.texts[index] if isinstance(self.texts[index], str) else "\n".join(self.texts[index])
        return text if self.pairs is None else f"{text}\n{self.pairs[index]}"


@dataclass
class Splits:
    """What `load_data` gives.

    Attributes:
        train, validation, test: `datasets.Dataset` with columns `text` (str, or a list of words) and `label` (int,
            index into `labels`; for texts of any number of labels a list of them, for words one a word), for pairs also
            `text_pair` (str).
        unlabelled: `datasets.Dataset` with the column `text`, or None.
        labels: names of the classes.
        fingerprint: SHA-256 (hex) of labels and all rows; equal contents give equal fingerprints on any machine.
        labelled_fingerprint: the same without the unlabelled texts.
        warnings: what `potstill.data.examine` found, a sentence each.
        units: of words, what they are (`potstill.card.UNITS`); else empty.
    """

    train: Any
    validation: Any
    test: Any
    unlabelled: Any | None
    labels: list[str]
    fingerprint: str
    labelled_fingerprint: str
    warnings: list[str] = field(default_factory=list)
    units: str = ""

    def labelled(self) -> Splits:
        """The same without the unlabelled texts."""
        return dataclasses.replace(self, unlabelled=None, fingerprint=self.labelled_fingerprint)

    def save(self, folder: Path) -> None:
        """Write all splits below `folder`; `Splits.load` reads them back."""
        with quiet_datasets():
            for name in ("train", "validation", "test", "unlabelled"):
                data = getattr(self, name)
                if data is not None:
                    data.to_parquet(folder / f"{name}.parquet")
        facts = {
            "labels": self.labels,
            "fingerprint": self.fingerprint,
            "labelled_fingerprint": self.labelled_fingerprint,
            "warnings": self.warnings,
            "units": self.units,
        }
        (folder / "splits.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Splits:
        """Read what `save` wrote; nothing but the files of `folder` is needed or written."""
        import datasets
        import pyarrow.parquet as parquet

        facts = json.loads((folder / "splits.json").read_text(encoding="utf-8"))

        def read(name: str) -> Any:
            return datasets.Dataset(parquet.read_table(folder / f"{name}.parquet"))

        unlabelled = read("unlabelled") if (folder / "unlabelled.parquet").exists() else None
        return cls(read("train"), read("validation"), read("test"), unlabelled, **facts)


@contextlib.contextmanager
def quiet_datasets() -> Iterator[None]:
    """Without the bars of `datasets`: they would tear the build's own progress display."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def text_key(text: str) -> str:
    """What makes two texts the same: their lower-case words with their marks, which are vowels in Thai or Hindi; for a
    text without words, the text itself.
    """
    return " ".join(text.lower().translate(_PARTED).split()) or text.strip()


def row_key(rows: Rows, index: int) -> str:
    """What makes two rows the same: `text_key` of the text, or of both."""
    text = rows.texts[index] if isinstance(rows.texts[index], str) else " ".join(rows.texts[index])
    return text_key(text) if rows.pairs is None else f"{text_key(text)}\n{text_key(rows.pairs[index])}"


def row_keys(rows: Rows) -> list[str]:
    """`row_key` of every row."""
    return [row_key(rows, index) for index in range(len(rows))]


def drop_duplicates(rows: Rows, seen: set[str], keys: Sequence[str] | None = None) -> Rows:
    """The rows whose text is not in `seen` yet, first come first kept; `seen` grows by their `keys` (`row_keys`)."""
    kept = []
    for index, key in enumerate(row_keys(rows) if keys is None else keys):
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return rows.pick(kept)


def deal(rows: Rows, shares: Sequence[float], seed: int, *, by_class: bool = True) -> list[Rows]:
    """Deal rows to `len(shares)` splits, each class in the same proportion.

    Args:
        rows: without duplicates.
        shares: parts of the whole, summing to 1; the last one takes what rounding leaves.
        seed: another seed gives another dealing.
        by_class: False: as if all rows were of one class.
    Returns: one `Rows` for each share, in the original order of the rows.
    """
    classes: dict[int, list[int]] = {}
    for index, label in enumerate(_strata(rows.labels) if by_class else [0] * len(rows)):
        classes.setdefault(label, []).append(index)
    dealt: list[list[int]] = [[] for _ in shares]
    salt = seed.to_bytes(8, "little", signed=True)
    for members in classes.values():
        members.sort(key=lambda index: hashlib.blake2b(rows.whole(index).encode(), key=salt, digest_size=16).digest())
        start, reached = 0, 0.0
        for position, share in enumerate(shares):
            reached += share
            end = len(members) if position == len(shares) - 1 else round(reached * len(members))
            dealt[position].extend(members[start:end])
            start = end
    return [rows.pick(sorted(indices)) for indices in dealt]


def _strata(labels: Sequence[Any]) -> list[int]:
    """What each row counts as when rows are dealt: its class; of several labels the rarest, -1 for none.

    Rare labels are the ones that a split might miss (Sechidis, Tsoumakas, Vlahavas: On the Stratification of
    Multi-Label Data, 2011, deal them first too).
    """
    counts = Counter(label for row in labels if isinstance(row, list) for label in row)
    return [
        min(row, key=lambda label: (counts[label], label), default=-1) if isinstance(row, list) else row
        for row in labels
    ]


def make_splits(
    given: dict[str, Rows],
    unlabelled: list[Any] | None,
    labels: Sequence[str],
    *,
    split: Sequence[float],
    seed: int,
    limit: int | None,
    where: str,
    note: Callable[[str], None],
    classes: bool = True,
    units: str = "",
) -> Splits:
    """Splits from the rows that were given; the ones not given are dealt out of `train`.

    Args:
        given: `train` and perhaps `validation`, `test`. Rows of a given split stay in it, except that a text also in
            `test` leaves the other two, and one also in `validation` leaves `train`.
        unlabelled: texts without labels; those in any split are dropped.
        split: shares of train, validation and test.
        limit: at most so many training rows (each class in proportion).
        where: names the data in errors.
        note: told in a line what was dropped or dealt.
        classes: at least two classes are needed.
        units: of words, what they are.
    Raises:
        DataError: a split without a row; fewer than two classes in `train`.
    """
    parts = dict(given)
    keys = {name: row_keys(rows) for name, rows in given.items()}
    warnings = examine_given(given, keys, labels if classes else [])
    seen: set[str] = set()
    before = sum(len(rows) for rows in parts.values())
    for name in ("test", "validation", "train"):
        if name in parts:
            parts[name] = drop_duplicates(parts[name], seen, keys[name])
    for name, rows in given.items():
        if len(rows) and not len(parts[name]):
            others = " and ".join(other for other in ("test", "validation") if other in given and other != name)
            raise DataError(
                "D006",
                f"the {name} split has no row: all its {len(rows):,} texts are among the {others} rows too",
                where,
                f"give rows to {name} that are in no other split",
            )
    dropped = before - sum(len(rows) for rows in parts.values())
    if dropped:
        note(f"data: {dropped:,} rows dropped, their text is in the data already")
    missing = [name for name in ("test", "validation") if name not in parts]
    if missing:
        shares = [split[2] if name == "test" else split[1] for name in missing]
        total = sum(shares) + split[0]
        shares = [share / total for share in shares]
        dealt = deal(parts["train"], [*shares, 1.0 - sum(shares)], seed)
        if not all(map(len, dealt)) and all(shares) and len(parts["train"]) >= _ENOUGH:
            note("data: the classes are too small to be dealt one by one: rows are dealt regardless of their class")
            dealt = deal(parts["train"], [*shares, 1.0 - sum(shares)], seed, by_class=False)
        parts["train"] = dealt[-1]
        parts.update(zip(missing, dealt[:-1], strict=True))
    if limit is not None and limit < len(parts["train"]):
        share = limit / len(parts["train"])
        parts["train"] = deal(parts["train"], [share, 1.0 - share], seed)[0]
    _check(parts, labels, where, classes, dropped)
    texts = None if unlabelled is None else drop_duplicates(Rows(unlabelled, [0] * len(unlabelled)), seen).texts
    counts = ", ".join(f"{len(parts[name]):,} {name}" for name in ("train", "validation", "test"))
    kinds = f"; {len(labels)} classes" if classes else ""
    note(f"data: {counts}{f', {len(texts):,} unlabelled' if texts else ''}{kinds}")
    warnings += examine_splits(parts, labels) if classes else []
    return dataclasses.replace(_build(parts, texts or None, list(labels), units), warnings=warnings, units=units)


def _check(parts: dict[str, Rows], labels: Sequence[str], where: str, classes: bool, dropped: int) -> None:
    for name in ("train", "validation", "test"):
        if not len(parts[name]):
            raise DataError(
                "D006",
                f"the {name} split has no row"
                + (f" ({dropped:,} rows were dropped, their text is in the data already)" if dropped else ""),
                where,
                "give more data, or other shares in data.split, or a file or split name for it",
            )
    rows = parts["train"]
    words = not isinstance(rows.texts[0], str)
    each = chain.from_iterable(rows.labels) if words else rows.labels
    used = {tuple(row) if isinstance(row, list) else (row,) for row in each} if classes else set()
    if classes and len(used) < 2:
        only = ", ".join(repr(labels[label]) for label in next(iter(used)))
        raise DataError(
            "D007",
            f"all training {'words' if words else 'rows'} have the one label {only or 'none'}",
            where,
            "a classifier needs rows of at least two classes; check the label column"
            + (" (of a CoNLL file, data.label may be its number)" if words else ""),
        )


def _build(parts: dict[str, Rows], unlabelled: list[Any] | None, labels: list[str], units: str) -> Splits:
    import datasets

    digest = hashlib.sha256(json.dumps([*labels, units] if units else labels, ensure_ascii=False).encode())
    made: dict[str, Any] = {}
    several = any(isinstance(row, list) for row in parts["train"].labels)
    label_kind = datasets.Sequence(datasets.Value("int64")) if several else datasets.Value("int64")
    words = not isinstance(parts["train"].texts[0], str)
    text_kind = datasets.Sequence(datasets.Value("string")) if words else datasets.Value("string")
    kinds = datasets.Features({"text": text_kind, "label": label_kind})
    for name in ("train", "validation", "test"):
        rows = parts[name]
        columns = {"text": rows.texts, "label": rows.labels}
        if rows.pairs is not None:
            columns["text_pair"], kinds["text_pair"] = rows.pairs, datasets.Value("string")
        made[name] = datasets.Dataset.from_dict(columns, features=kinds)
        _digest(digest, name, [rows.whole(index) for index in range(len(rows))], rows.labels)
    labelled = digest.hexdigest()
    if unlabelled is not None:
        kinds = datasets.Features({"text": text_kind})
        made["unlabelled"] = datasets.Dataset.from_dict({"text": unlabelled}, features=kinds)
        plain = Rows(unlabelled)
        _digest(digest, "unlabelled", [plain.whole(index) for index in range(len(unlabelled))], [])
    parts_made = (made["train"], made["validation"], made["test"], made.get("unlabelled"))
    return Splits(*parts_made, labels, digest.hexdigest(), labelled)


def _digest(digest: Any, name: str, texts: Sequence[str], labels: Sequence[Any]) -> None:
    digest.update(f"\0{name} {len(texts)}\0".encode())
    for text in texts:
        coded = text.encode()
        digest.update(len(coded).to_bytes(8, "little") + coded)
    for label in chain.from_iterable([len(row), *row] if isinstance(row, list) else [row] for row in labels):
        digest.update(label.to_bytes(4, "little", signed=label < 0))
