"""What in the rows will make a poor model, or figures that mean little: sentences said before anything is trained."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from potstill.data import tagging

if TYPE_CHECKING:
    from potstill.data.splits import Rows

# A class of fewer training rows is learnt by heart, if at all.
FEW_ROWS = 10
# Times the rows of the smallest class that the largest has, from which accuracy hides the small ones.
UNEVEN = 5
_FRACTION = re.compile(r"-?\d*[.,]?\d+")
# What may stand between the labels of a row.
_MARKS = ",;|/+"
_PARTS = ("train", "validation", "test")


def examine_given(given: Mapping[str, Rows], keys: Mapping[str, Sequence[str]], labels: Sequence[str]) -> list[str]:
    """Sentences on texts that stand more than once in the rows as given.

    Args:
        given: rows of the splits, before duplicates are dropped.
        keys: of each row of each split, what makes two rows the same.
        labels: label names; empty for a task without.
    """
    notes = []
    seen: dict[str, tuple[object, Rows, int]] = {}
    differing: set[str] = set()
    example = ""
    for part, rows in given.items():
        for index, (name, label) in enumerate(zip(keys[part], rows.labels, strict=True)):
            first, there, place = seen.setdefault(name, (label, rows, index))
            if labels and first != label and name not in differing:
                differing.add(name)
                both = " and ".join(_shown(value, labels) for value in (first, label))
                example = example or f"{' '.join(there.whole(place)[:60].split())!r} as {both}"
    if differing:
        notes.append(
            f"{_stand(len(differing), 'text')} there with different labels, for example {example}: one row of each is "
            "kept; correct the labels"
        )
    if {"train", "test"} <= given.keys():
        train, test = set(keys["train"]), set(keys["test"])
        if shared := len(train & test):
            notes.append(
                f"{_stand(shared, 'test text')} (of {len(test):,}) also among the training rows: taken out of "
                "training, since a text seen in training says nothing of new ones"
            )
    return notes


def examine_splits(parts: Mapping[str, Rows], labels: Sequence[str]) -> list[str]:
    """Sentences on classes: few rows, none to measure by, uneven ones, names that differ by case.

    Args:
        parts: the rows of `train`, `validation` and `test` as they are trained and tested on.
        labels: label names.
    """
    words = bool(len(parts["train"])) and not isinstance(parts["train"].texts[0], str)
    unit = "words" if words else "rows"
    counts = {name: Counter(_each(parts[name].labels)) for name in _PARTS}
    notes = _spellings(labels) + _scale(labels) + _joined(labels)
    few = [index for index in range(len(labels)) if counts["train"][index] < FEW_ROWS]
    if few:
        shown = [f"{labels[index]!r} ({counts['train'][index]})" for index in few]
        notes.append(
            f"fewer than {FEW_ROWS} training {unit} of {_list(shown)}: add some, or join {_it(few)} with another label"
        )
    for name, what in (("test", "its figures say nothing of"), ("validation", "the best epoch is chosen without")):
        lacking = [index for index in range(len(labels)) if not counts[name][index]]
        if lacking:
            shown = [repr(labels[index]) for index in lacking]
            notes.append(
                f"no {name} {unit.rstrip('s')} is of {_list(shown)}: {what} {_it(lacking)}; add {unit} of "
                f"{_it(lacking)}, or give the {name} rows a larger share in data.split"
            )
    if words:
        return notes + _schemes(parts["train"].labels, labels)
    single = all(isinstance(label, int) for label in parts["train"].labels)
    sizes = {index: counts["train"][index] for index in range(len(labels)) if counts["train"][index]}
    if single and sizes and max(sizes.values()) >= UNEVEN * min(sizes.values()):
        large, small = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
        notes.append(
            f"the classes are uneven: {labels[large]!r} has {sizes[large]:,} training rows, {labels[small]!r} "
            f"{sizes[small]:,}: accuracy says little of the small ones, look at macro F1; "
            'distil.class_weights = "balanced" lets them count alike'
        )
    return notes


def _each(column: Sequence[object]) -> Iterable[object]:
    return chain.from_iterable(row if isinstance(row, list) else [row] for row in column)


def _shown(label: object, labels: Sequence[str]) -> str:
    if isinstance(label, list):
        return "[" + ", ".join(labels[index] for index in label[:8]) + "]"
    assert isinstance(label, int)
    return repr(labels[label])


def _spellings(labels: Sequence[str]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for name in labels:
        alike.setdefault(" ".join(unicodedata.normalize("NFKC", name).split()).casefold(), []).append(name)
    return [
        f"the labels {_list([repr(name) for name in names])} differ by case or spaces only, or look alike: give them "
        "one spelling if they mean the same"
        for names in alike.values()
        if len(names) > 1
    ]


def _scale(labels: Sequence[str]) -> list[str]:
    """A few numbers with fractions may be classes; they may be a score too."""
    if (
        len(labels) < 5
        or not all(_FRACTION.fullmatch(name) for name in labels)
        or all(name.lstrip("-").isdigit() for name in labels)
    ):
        return []
    return [
        f"the labels are {len(labels)} numbers, some with fractions ({_list(labels, 4)}): each becomes a class of its "
        "own, none nearer to one than to another; a score is not supported as a task"
    ]


def _joined(labels: Sequence[str]) -> list[str]:
    """Labels made of others: ``a,b`` beside ``a`` and ``b``."""
    known = set(labels)
    for mark in _MARKS:
        made = [name for name in labels if mark in name and {part.strip() for part in name.split(mark)} <= known]
        if made:
            return [
                f"the label {made[0]!r} is made of other labels: if a row may have several, set "
                f'task = "multi-label" and data.label_separator = "{mark}"'
            ]
    return []


def _schemes(column: Sequence[Sequence[int]], labels: Sequence[str]) -> list[str]:
    tags = [[labels[tag] for tag in row] for row in column]
    scheme = tagging.scheme(tags)
    if scheme is None and (strange := tagging.nearly(labels)):
        return [
            f"the tags look like entities, but for {_list([repr(name) for name in strange], 4)}: only O and tags like "
            "B-LOC and I-LOC are read as entities, so words are counted here instead; write the tags like that"
        ]
    wrong = tagging.broken(tags, scheme) if scheme is not None else 0
    if not wrong:
        return []
    return [
        f"the tags read as {scheme}, and {wrong:,} times the training rows break that (an inside without a "
        "beginning, or a beginning without an end): entities there are counted from the first word that has the type"
    ]


def _list(names: Sequence[str], most: int = 6) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _it(names: Sequence[object]) -> str:
    return "it" if len(names) == 1 else "them"


def _stand(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'} {'stands' if number == 1 else 'stand'}"
