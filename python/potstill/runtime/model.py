"""The public face of the runtime: load a model, classify, tag, embed."""

from __future__ import annotations

import math
import os

from potstill.errors import InputError
from potstill.runtime.backends import open_backend, sigmoid, word_ranges

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO

    from potstill.runtime.backends import Backend, Source

    # One text, or two.
    Text = str | tuple[str, str]


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


class Token(tuple):  # type: ignore[type-arg]
    """The answer for one word, as the tuple (word, label, score, start, end).

    Written out, because the module `collections` would take memory on the board.

    Attributes:
        word: as it stands in the text.
        label: the class with the largest logit (the first one of equals).
        score: its probability in [0, 1], the softmax over all classes.
        start: where the word begins in its text, in characters: `text[start:end]` is the word; None for a word that was
            given as such.
        end: where it ends, exclusive; None likewise.
    """

    __slots__ = ()

    def __new__(cls, word: str, label: str, score: float, start: int | None = None, end: int | None = None) -> Token:
        return tuple.__new__(cls, (word, label, score, start, end))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return "Token(" + ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items()) + ")"

    def as_dict(self) -> dict[str, Any]:
        """The attributes by name."""
        return dict(zip(("word", "label", "score", "start", "end"), self, strict=True))

    @property
    def word(self) -> str:
        """See the class."""
        return str(self[0])

    @property
    def label(self) -> str:
        """See the class."""
        return str(self[1])

    @property
    def score(self) -> float:
        """See the class."""
        return float(self[2])

    @property
    def start(self) -> int | None:
        """See the class."""
        return self[3]

    @property
    def end(self) -> int | None:
        """See the class."""
        return self[4]


class Model:
    """A loaded model: immutable, and safe to call from several threads at once."""

    def __init__(self, backend: Backend) -> None:
        """Wrap a loaded backend; use `potstill.load` instead."""
        self._backend = backend

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order."""
        return self._backend.labels

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, [CLS] and [SEP] included."""
        return self._backend.max_tokens

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, or none."""
        return bool(self._backend.info.get("multi_label", False))

    @property
    def per_token(self) -> bool:
        """Whether the model labels words, by `tag`, and not whole texts."""
        return bool(self._backend.info.get("per_token", False))

    @property
    def info(self) -> dict[str, Any]:
        """Facts about the model and how it runs here.

        For the native backend: name, task, scheme, labels, multi_label, max_tokens, vocabulary, hidden, parameters,
        bytes (of the file), arena_bytes (working memory of one call at most), has_tokenizer, isa, threads, producer,
        license, provenance.
        """
        return dict(self._backend.info)

    @property
    def pairs(self) -> bool:
        """Whether the model was trained on pairs of texts."""
        return bool(self._backend.info.get("pairs", False))

    def tokenize(self, texts: Sequence[Text], truncate: bool = False) -> list[list[int]]:
        """Token ids of each text, with [CLS] and [SEP].

        Args:
            texts: the texts, or pairs of texts; a single str is an error, because it is a sequence of letters.
            truncate: cut a long text to `max_tokens`, keeping [SEP], of a pair the longer text first; otherwise it is
                an error.

        Raises:
            InputError: I001 a text without any token; I002 a text over `max_tokens`; I005 no tokenizer in the file;
                I007 `texts` is a single string or holds something else than str, or than pairs of str; I014 pairs, but
                the model reads single texts.
        """
        return self._encode(texts, truncate)[0]

    def logits(self, texts: Sequence[Text], truncate: bool = False) -> Any:
        """Logits of each text or pair: float32 [texts, labels], buffer protocol. Raises as `tokenize` and I008.

        A model that labels words gives [tokens, labels]: a row for each of `tokenize`'s ids, the texts in turn.
        """
        return self.logits_from_ids(*self._encode(texts, truncate))

    def logits_from_ids(
        self,
        ids: Sequence[Sequence[int]],
        types: Sequence[Sequence[int]] | None = None,
        attention_mask: Sequence[Sequence[int]] | None = None,
    ) -> Any:
        """Logits of token id sequences of any lengths, specials included: float32 [sequences, labels].

        Args:
            ids: the sequences.
            types: of pairs, the token types of each sequence: 0 up to the first [SEP], then 1.
            attention_mask: of padded sequences, as tokenizers give it: 1 for an id, 0 where it is padding, at the ends
                or at the beginnings only. Without it padding is an error, not text.

        Raises:
            InputError: I001 an empty sequence; I002 longer than `max_tokens`; I003 an id outside the vocabulary;
                I008 the model has no classification head; I010 not one type an id; I014 a type that the model has not;
                I103 padding and no mask; I104 an id that the model cannot take in a text; I106, I107 a mask that does
                not fit the ids.
            FormatError: F062 a result is NaN or infinite.
        """
        if attention_mask is not None:
            from potstill.runtime.padding import unpadded

            ids, types = unpadded(ids, types, attention_mask)
        logits = self._backend.run(ids, types).logits
        if logits is None:
            raise InputError(
                "I008", "the model has no classification head", "logits", "use embed(), or compile a classifier"
            )
        return logits

    def _encode(self, texts: Sequence[Text], truncate: bool) -> tuple[list[list[int]], list[list[int]] | None]:
        """Token ids, and for pairs token types."""
        if not isinstance(texts, (str, bytes)) and texts and all(_is_pair(text) for text in texts):
            first, second = ([text[place] for text in texts] for place in (0, 1))
            return self._backend.tokenize_pairs(first, second, truncate)
        return self._backend.tokenize(_texts(texts), truncate), None

    def embed(self, texts: Sequence[Text], truncate: bool = False) -> Any:
        """Pooled vectors: float32 [texts, hidden] with the buffer protocol. Raises as `tokenize` and I009."""
        embedding = self._backend.run(*self._encode(texts, truncate)).embedding
        if embedding is None:
            raise InputError(
                "I009", "the model gives no pooled vector", "embed", "use logits(), or compile with an embedding"
            )
        return embedding

    def classify(self, texts: Sequence[Text], truncate: bool = False, threshold: float = 0.5) -> list[Prediction]:
        """The label and probabilities of each text, or of each pair: `classify([("a", "b")])`.

        Args:
            texts: as for `tokenize`.
            truncate: as for `tokenize`.
            threshold: a label is given from this probability on, where a text may have several labels; of no effect
                elsewhere.

        Raises:
            InputError: as `logits`; I013 the threshold is not in [0, 1]; I017 the model labels words; I108 it gives a
                score.
        """
        if self.per_token:
            raise InputError("I017", "the model labels words, not whole texts", "classify", "use tag()")
        if self.score_kind:
            raise InputError("I108", "the model gives a score, not classes", "classify", "use score()")
        if not 0.0 <= threshold <= 1.0:
            raise InputError("I013", f"{threshold} is no probability", "threshold", "give a number from 0 to 1")
        view: Any = memoryview(self.logits(texts, truncate))
        rows: list[list[float]] = view.tolist()
        labels = self.labels or tuple(str(i) for i in range(len(rows[0]) if rows else 0))
        if self.multi_label:
            return [_predict_each(labels, row, threshold) for row in rows]
        return [_predict(labels, row) for row in rows]

    @property
    def score_kind(self) -> str:
        """ "raw" or "sigmoid" for a model with one output, whose answer is a score; empty for a model of classes."""
        return str(self._backend.info.get("score", ""))

    def score(self, texts: Sequence[Text], truncate: bool = False) -> list[float]:
        """The score of each text, or of each pair, of a model with one output: a regression model or a reranker.

        It is the logit (`score_kind` "raw"), or its sigmoid ("sigmoid"), which the core computes in binary64 for all
        backends and languages. `sorted(zip(model.score(pairs), pairs), reverse=True)` ranks.

        Args:
            texts: as for `tokenize`.
            truncate: as for `tokenize`.

        Raises:
            InputError: as `logits`; I105 the model has classes.
        """
        if not self.score_kind:
            step = "use tag()" if self.per_token else "use classify(), or logits()"
            raise InputError("I105", "the model has classes, not one score", "score", step)
        view: Any = memoryview(self.logits(texts, truncate))
        scores: list[float] = [row[0] for row in view.tolist()]
        return [sigmoid(logit) for logit in scores] if self.score_kind == "sigmoid" else scores

    def tag(self, texts: Sequence[str | Sequence[str]], truncate: bool = False) -> list[list[Token]]:
        """The label of each word of each text, for a model trained with task = "token-classification".

        Args:
            texts: a str is cut into words at white space, punctuation being words of their own, as in BERT's
                pre-tokenization (`text.split()` keeps punctuation at its word); a list of str is taken as the words,
                and gets exactly one label for each.
            truncate: answer the words that fit into `max_tokens` alone; otherwise a longer text is an error.

        Raises:
            InputError: I001 a text without any word; I002 a text over `max_tokens`; I005 no tokenizer in the file; I007
                `texts` is a single string, or holds something else than str and lists of str; I018 the model labels
                whole texts.
        """
        if not self.per_token:
            raise InputError("I018", "the model labels whole texts, not words", "tag", "use classify()")
        words, places = _words(texts)
        ids, firsts = self._backend.tokenize_words(words, truncate)
        view: Any = memoryview(self.logits_from_ids(ids))
        rows: list[list[float]] = view.tolist()
        labels = self.labels or tuple(str(i) for i in range(len(rows[0]) if rows else 0))
        found, start = [], 0
        for row, first, given, at in zip(ids, firsts, words, places, strict=True):
            answers = [_predict(labels, rows[start + place]) for place in first]
            found.append([
                Token(word, answer.label, answer.score, *where)
                for answer, word, where in zip(answers, given, at, strict=False)
            ])  # fmt: skip
            start += len(row)
        return found


def load(path: Source | BinaryIO, threads: int | None = None, backend: str = "native", mapped: bool = False) -> Model:
    """Load a model.

    Args:
        path: the `.still` file (native), `.onnx` (onnxruntime) or `.tflite` (litert). A `.still` file may also be given
            as bytes, bytearray or memoryview, or as a file opened for reading bytes, which is read once from where it
            stands.
        threads: worker threads; None means POTSTILL_NUM_THREADS, else the CPUs this process may use.
        backend: "native", "onnxruntime" or "litert".
        mapped: use the `.still` file where it is instead of reading it into memory of this process. It takes less
            memory, and processes share it; but a file that is cut short then ends the process, and one that is
            overwritten changes answers. Only for files that nobody changes in place; replacing by rename is fine.

    Raises:
        FormatError: F... the file is missing, damaged, too new or not valid.
        InputError: I004 a bad thread count; I006 no such backend; I100 bytes for another backend; I101 `mapped` without
            a `.still` file's path; I102 the file object gives no bytes.
        CpuError: K001, K002 POTSTILL_ISA asks for a kernel set that is unknown or that the CPU lacks.
        SystemFailure: S010 the backend's package is not installed; S030-S036 the wheel does not fit this machine,
            Python or system, or a library it needs is absent (list: core_failure.py).
    """
    if threads is not None and threads < 1:
        raise InputError("I004", f"{threads} is no thread count", f"threads={threads}", "give 1 or more, or None")
    return Model(open_backend(backend, _source(path), threads, mapped))


def _source(given: Source | BinaryIO) -> Source:
    """A path, or the bytes of a file, in one piece."""
    if hasattr(given, "read"):
        data = given.read()
        if not isinstance(data, (bytes, bytearray, memoryview)):
            what = f"reading it gives {type(data).__name__}, not bytes"
            raise InputError("I102", what, "the file object given to load", "open it with mode 'rb'")
        given = data
    if isinstance(given, memoryview) and not given.c_contiguous:
        return given.tobytes()
    return given if isinstance(given, (bytes, bytearray, memoryview)) else os.fspath(given)


def _is_pair(text: Text) -> bool:
    return isinstance(text, (tuple, list)) and len(text) == 2 and all(isinstance(part, str) for part in text)


def _texts(texts: Sequence[Any]) -> Sequence[str]:
    if isinstance(texts, (str, bytes)):
        raise InputError("I007", "a single string was given", "texts", 'give a list: ["..."]')
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                "I007",
                f"a {type(text).__name__} where a str is needed",
                f"text {index}",
                "give a list of str, or of pairs of str",
            )
    return texts


def _words(texts: Sequence[Any]) -> tuple[list[Sequence[str]], list[Sequence[tuple[int | None, int | None]]]]:
    """The words of each text, and where they stand in it."""
    if isinstance(texts, (str, bytes)):
        raise InputError("I007", "a single string was given", "texts", 'give a list: ["..."]')
    words: list[Sequence[str]] = []
    places: list[Sequence[tuple[int | None, int | None]]] = []
    for index, text in enumerate(texts):
        if isinstance(text, str):
            ranges = word_ranges(text)
            words.append([text[start:end] for start, end in ranges])
            places.append(ranges)
        elif isinstance(text, (list, tuple)) and all(isinstance(word, str) for word in text):
            words.append(text)
            places.append([(None, None)] * len(text))
        else:
            raise InputError(
                "I007",
                f"a {type(text).__name__} where a str or a list of str is needed",
                f"text {index}",
                "give texts, or lists of their words",
            )
    return words, places


def _predict(labels: Sequence[str], logits: Sequence[float]) -> Prediction:
    """Softmax in Python floats (binary64), shifted by the largest logit so that exp never overflows."""
    top = max(range(len(logits)), key=logits.__getitem__)
    weights = [math.exp(value - logits[top]) for value in logits]
    total = math.fsum(weights)
    scores = {label: weight / total for label, weight in zip(labels, weights, strict=True)}
    return Prediction(labels[top], weights[top] / total, scores)


def _predict_each(labels: Sequence[str], logits: Sequence[float], threshold: float) -> Prediction:
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
