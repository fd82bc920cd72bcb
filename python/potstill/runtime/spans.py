"""Tags of words that spell entities, and the entities they spell, in any of the usual schemes."""

from __future__ import annotations

from potstill.errors import InputError
from potstill.runtime.answers import Named, Token, at

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
else:
    # What typing.get_type_hints needs; it costs no memory, for Python itself has loaded the module.
    from _collections_abc import Iterable, Sequence

# Marks of each scheme beside O.
SCHEMES = {"BIO": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEWO": "BMEW"}
# What the marks of other schemes are called in BIOES.
SAME = {"M": "I", "L": "E", "U": "S", "W": "S"}


class Span(Named):
    """An entity of one text, as the tuple (text, label, score, start, end).

    Attributes:
        text: the part of the given text, `given[start:end]`; of a text that was given as words, the list of its words.
        label: the entity's type, e.g. "PER".
        score: the probability of its least sure word, in [0, 1].
        start: where it begins in the text, in characters; of a text that was given as words, in words.
        end: where it ends, exclusive, likewise.
    """

    __slots__ = ()
    names = ("text", "label", "score", "start", "end")

    def __new__(cls, text: str | list[str], label: str, score: float, start: int, end: int) -> Span:
        return tuple.__new__(cls, (text, label, score, start, end))

    text: str | list[str] = at(0)
    start: int = at(3)
    end: int = at(4)


def looks_like_tags(names: Iterable[str]) -> bool:
    """Whether names spell entities: ``O``, and marks of one scheme with a type behind a hyphen."""
    kinds = {name for name in names if name != "O"}
    if not kinds or not all(len(name) > 2 and name[1] == "-" for name in kinds):
        return False
    marks = {name[0] for name in kinds}
    return any(marks <= set(known) for known in SCHEMES.values())


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities (type, first word, last word + 1) of a sentence, whatever the scheme.

    As the evaluation of CoNLL-2003 counts them, which is seqeval's default: an entity begins at ``B-`` or ``S-``, and
    at an ``I-`` or ``E-`` that does not go on one of its type; it ends behind ``E-`` and ``S-``. IOB1 is read right by
    the same rule.
    """
    found = set()
    kind, start = "", 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, name = tag.partition("-")
        mark = SAME.get(mark, mark)
        if kind and (mark not in ("I", "E") or name != kind):
            found.add((kind, start, place))
            kind = ""
        if mark != "O" and not kind:
            kind, start = name, place
        if mark in ("E", "S") and kind:
            found.add((kind, start, place + 1))
            kind = ""
    return found


def spans_of(given: str | Sequence[str], tokens: Sequence[Token]) -> list[Span]:
    """The entities of a text, in their order.

    Args:
        given: the text, or its words.
        tokens: the answers to its words; all of them, or the first ones.
    """
    found = []
    for label, first, behind in sorted(entities([token.label for token in tokens]), key=lambda entity: entity[1:]):
        score = min(token.score for token in tokens[first:behind])
        if isinstance(given, str):
            start, end = tokens[first][3], tokens[behind - 1][4]
            found.append(Span(given[start:end], label, score, start, end))
        else:
            found.append(Span([token.word for token in tokens[first:behind]], label, score, first, behind))
    return found


def check_spelling(labels: Sequence[str]) -> None:
    """Nothing, if the labels of a model spell entities.

    Raises:
        InputError: they do not.
    """
    if not looks_like_tags(labels):
        shown = ", ".join(labels[:6])
        raise InputError("I131", f"the labels spell no entities ({shown})", "spans", "use tag()")
