"""What a model is: the one description of which every other form is made, or into which it is read.

`potstill.card.notes` has the form that exported files carry, `Card.from_info` reads what the core tells of a `.still`
file, the compiler writes its header. Plain classes, for `dataclasses` and `typing` would take 3 MB on a board.
"""

from __future__ import annotations

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


# What taggers label of a text, see `Head.units`.
UNITS = ("words", "characters", "given")


class Head:
    """What one output of a model means.

    Attributes:
        kind: what its numbers mean: "classes" (one label a text), "multi-label" (any number), "tags" (one label
            a token), "vector" or "score" (a number a text); a table of the schema and a row of cpp/src/heads/kinds.def.
        labels: names of its columns; empty where there are none.
        activation: of a score, "raw" or "sigmoid": how the one logit is given; else empty.
        normalized: of a vector, whether its length is 1.
        units: of tags, what is labelled of a text that is not given in words: "words" (what white space parts, with
            punctuation and characters of scripts without spaces by themselves), "characters" (all by themselves), or
            "given" (words that no rule finds); else empty.
        temperature: of calibration: logits are divided by it.
        threshold: a label is given from this probability on.
    """

    __slots__ = ("activation", "kind", "labels", "normalized", "temperature", "threshold", "units")

    def __init__(
        self, kind: str, labels: Sequence[str] = (), *, activation: str = "", normalized: bool = False,
        units: str = "", temperature: float = 1.0, threshold: float = 0.0,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.labels = tuple(labels)
        self.activation = activation
        self.normalized = normalized
        self.units = units
        self.temperature = temperature
        self.threshold = threshold

    @property
    def output(self) -> str:
        """The name of its output in exported graphs."""
        return "embedding" if self.kind == "vector" else "logits"


def heads_of(
    labels: Sequence[str] = (), *, logits: bool = True, per_token: bool = False, multi_label: bool = False,
    units: str = "", score: str = "", embedding: bool = True, normalized: bool = False,
) -> tuple[Head, ...]:  # fmt: skip
    """The heads of a model that gives logits of one kind, a pooled vector, or both; a tagger gives no vector.

    A tagger labels words where `units` says nothing.
    """
    kind = "multi-label" if multi_label else "tags" if per_token else "score" if score else "classes"
    threshold, activation = 0.5 if multi_label else 0.0, score if kind == "score" else ""
    units = (units or "words") if kind == "tags" else ""
    numbers = (Head(kind, labels, activation=activation, threshold=threshold, units=units),) if logits else ()
    vector = (Head("vector", normalized=normalized),) if embedding and not per_token else ()
    return (*numbers, *vector)


class Card:
    """What a model is.

    Attributes:
        name: of the model.
        heads: what it gives; at most one has logits, at most one vectors.
        max_tokens: longest sequence, specials included.
        scheme: of its weights in a `.still` file, e.g. "int8".
        vocabulary: token ids are below it; 0: unknown.
        pad_id: the id that fills a batch; None: unknown.
        pairs: whether it tells the second text of a pair from the first, by token types.
        forbidden_ids: ids that stand for no text: never in a sequence.
        producer: the program that made the file.
        license: SPDX expression or text.
        provenance: digests of what it was made from.
    """

    __slots__ = (
        "forbidden_ids", "heads", "license", "max_tokens", "name", "pad_id", "pairs", "producer", "provenance",
        "scheme", "vocabulary",
    )  # fmt: skip

    def __init__(
        self, name: str, heads: Sequence[Head], max_tokens: int, *, scheme: str = "", vocabulary: int = 0,
        pad_id: int | None = None, pairs: bool = False, forbidden_ids: Sequence[int] = (), producer: str = "",
        license: str = "", provenance: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.heads = tuple(heads)
        self.max_tokens = max_tokens
        self.scheme = scheme
        self.vocabulary = vocabulary
        self.pad_id = pad_id
        self.pairs = pairs
        self.forbidden_ids = tuple(forbidden_ids)
        self.producer = producer
        self.license = license
        self.provenance = dict(provenance or {})

    @classmethod
    def from_info(cls, info: Mapping[str, Any]) -> Card:
        """Read what the core tells of a `.still` file (`_core.Model.info`)."""
        heads = heads_of(
            info["labels"], logits=info["logits"] > 0, embedding=info["hidden"] > 0,
            **{key: info[key] for key in ("per_token", "multi_label", "units", "score", "normalized")},
        )  # fmt: skip
        kept = ("scheme", "vocabulary", "pairs", "forbidden_ids", "producer", "license", "provenance")
        return cls(info["name"], heads, info["max_tokens"], **{key: info[key] for key in kept})

    def info(self) -> dict[str, Any]:
        """The facts as they stand in `potstill.Model.info` and in reports."""
        return {
            "name": self.name,
            "task": self.task,
            "scheme": self.scheme,
            "labels": list(self.labels),
            "multi_label": self.multi_label,
            "pairs": self.pairs,
            "per_token": self.per_token,
            "units": self.units,
            "normalized": self.normalized,
            "score": self.score,
            "forbidden_ids": list(self.forbidden_ids),
            "max_tokens": self.max_tokens,
            "vocabulary": self.vocabulary,
            "producer": self.producer,
            "license": self.license,
            "provenance": self.provenance,
        }

    def _head(self, output: str) -> Head | None:
        return next((head for head in self.heads if head.output == output), None)

    @property
    def kind(self) -> str:
        """The kind of what it answers: of its logits if it has any, else "vector"."""
        head = self._head("logits")
        return "vector" if head is None else head.kind

    @property
    def task(self) -> str:
        """What it is for, by the hub's names."""
        return {"tags": "token-classification", "vector": "feature-extraction"}.get(self.kind, "text-classification")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the logits in their order; empty when there are none."""
        head = self._head("logits")
        return () if head is None else head.labels

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.kind == "multi-label"

    @property
    def per_token(self) -> bool:
        """Whether it labels words: logits are of every token."""
        return self.kind == "tags"

    @property
    def units(self) -> str:
        """ "words", "characters" or "given": what a tagger labels of a text (`Head.units`); empty for others."""
        head = self._head("logits")
        return "" if head is None else head.units

    @property
    def normalized(self) -> bool:
        """Whether its vectors have the length 1."""
        head = self._head("embedding")
        return head is not None and head.normalized

    @property
    def score(self) -> str:
        """ "raw" or "sigmoid" for a model with one output, which is a score; empty for one of classes."""
        head = self._head("logits")
        return "" if head is None else head.activation

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of an exported graph's inputs, in order."""
        return ("input_ids", "attention_mask", *(("token_type_ids",) if self.pairs else ()))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of an exported graph's outputs, in order."""
        return tuple(head.output for head in self.heads)
