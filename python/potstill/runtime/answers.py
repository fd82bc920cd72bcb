"""The answers for one text and for one word, made of logits."""

from __future__ import annotations

import math
from _operator import itemgetter  # C, as `operator` takes memory

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any
else:
    # What typing.get_type_hints needs; both lines cost no memory, for Python itself has loaded the module.
    from _collections_abc import Mapping, Sequence

    Any = object


class Prediction:
    """The answer for one text; read-only, equal when all parts are.

    Written out, because the module `dataclasses` would take 1 MB of memory on the board.

    Attributes:
        label: the class with the largest logit (the first one of equals).
        score: its probability in [0, 1]: softmax over all classes, or its sigmoid where a text may have several labels.
        scores: the probability of every class, in label order.
        labels: what the text is given: `label`; where it may have several, those over the threshold, in label order.
    """

    __slots__ = ("label", "labels", "score", "scores")
    __match_args__ = ("label", "score", "scores")
    label: str
    score: float
    scores: Mapping[str, float]
    labels: tuple[str, ...]

    def __init__(
        self, label: str, score: float, scores: Mapping[str, float], labels: tuple[str, ...] | None = None
    ) -> None:
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "labels", (label,) if labels is None else labels)

    def as_dict(self) -> dict[str, Any]:
        """The attributes by name, of types that JSON has."""
        return {"label": self.label, "score": self.score, "scores": dict(self.scores), "labels": list(self.labels)}

    def keys(self) -> tuple[str, ...]:
        """Names of the attributes: with them `dict(prediction)` is `as_dict()`, which web frameworks try."""
        return ("label", "score", "scores", "labels")

    def __getitem__(self, name: str) -> Any:
        return self.as_dict()[name]

    __iter__ = None  # it is no sequence, and unpacking the names would mislead

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name}: a Prediction is read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name}: a Prediction is read-only")

    def __reduce__(self) -> tuple[type[Prediction], tuple[str, float, Mapping[str, float], tuple[str, ...]]]:
        return Prediction, (self.label, self.score, self.scores, self.labels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prediction):
            return NotImplemented
        mine = (self.label, self.score, self.scores, self.labels)
        return mine == (other.label, other.score, other.scores, other.labels)

    __hash__ = None  # type: ignore[assignment]  # `scores` is a dict

    def __repr__(self) -> str:
        several = "" if self.labels == (self.label,) else f", labels={self.labels!r}"
        return f"Prediction(label={self.label!r}, score={self.score!r}, scores={self.scores!r}{several})"


def at(index: int) -> Any:
    """A property that reads one place of a tuple."""
    return property(itemgetter(index), doc="See the class.")


class Named(tuple):  # type: ignore[type-arg]
    """A tuple with a name for each place: the second is a label, then come its score, start and end.

    Written out, because the module `collections` would take memory on the board.
    """

    __slots__ = ()
    names: tuple[str, ...]

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return (
            type(self).__name__ + "(" + ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items()) + ")"
        )

    def as_dict(self) -> dict[str, Any]:
        """The attributes by name."""
        return dict(zip(self.names, self, strict=True))

    label: str = at(1)
    score: float = at(2)


class Token(Named):
    """The answer for one word, as the tuple (word, label, score, start, end).

    Attributes:
        word: as it stands in the text.
        label: the class with the largest logit (the first one of equals).
        score: its probability in [0, 1], the softmax over all classes.
        start: where the word begins in its text, in characters: `text[start:end]` is the word; None for a word that was
            given as such.
        end: where it ends, exclusive; None likewise.
    """

    __slots__ = ()
    names = ("word", "label", "score", "start", "end")

    def __new__(cls, word: str, label: str, score: float, start: int | None = None, end: int | None = None) -> Token:
        return tuple.__new__(cls, (word, label, score, start, end))

    word: str = at(0)
    start: int | None = at(3)
    end: int | None = at(4)


def predict(labels: Sequence[str], logits: Sequence[float]) -> Prediction:
    """Softmax in Python floats (binary64), shifted by the largest logit so that exp never overflows."""
    top = max(range(len(logits)), key=logits.__getitem__)
    weights = [math.exp(value - logits[top]) for value in logits]
    total = math.fsum(weights)
    scores = {label: weight / total for label, weight in zip(labels, weights, strict=True)}
    return Prediction(labels[top], weights[top] / total, scores)


def predict_each(labels: Sequence[str], logits: Sequence[float], threshold: float) -> Prediction:
    """Sigmoid of each logit in Python floats (binary64), by the form whose exp cannot overflow."""
    top = max(range(len(logits)), key=logits.__getitem__)
    scores = {label: _sigmoid(value) for label, value in zip(labels, logits, strict=True)}
    given = tuple(label for label, score in scores.items() if score >= threshold)
    return Prediction(labels[top], scores[labels[top]], scores, given)


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    small = math.exp(value)
    return small / (1.0 + small)
