"""The public face of the runtime: load a model, classify, tag, embed."""

from __future__ import annotations

import os

from potstill.errors import InputError
from potstill.runtime.answers import Prediction, Token, predict, predict_each
from potstill.runtime.backends import open_backend, sigmoid
from potstill.runtime.inputs import (
    items,
    read_flag,
    read_numbers,
    read_probability,
    read_source,
    read_texts,
    read_threads,
    read_words,
)
from potstill.runtime.rows import TokenRows

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, BinaryIO

    from potstill._core import Matrix
    from potstill.runtime.backends import Backend, Source
    from potstill.runtime.spans import Span
else:
    # What typing.get_type_hints needs; both lines cost no memory, for Python itself has loaded the module.
    from _collections_abc import Iterable, Sequence

    Any = Backend = BinaryIO = Matrix = Source = Span = object

# One text, or two.
Text = str | tuple[str, str]


class Model:
    """A loaded model: immutable, and safe to call from several threads at once.

    It can be pickled: the copy opens the same file, or has its content if it was loaded from memory. In a ``with`` it
    is closed at the end.
    """

    def __init__(self, backend: Backend) -> None:
        """Wrap a loaded backend; use `potstill.load` instead."""
        if not hasattr(backend, "run"):
            raise InputError("I122", f"a {type(backend).__name__} is no backend", "Model", "use potstill.load(path)")
        self._backend = backend
        # Path of the file and whether it is mapped; None: the model came from memory.
        self._file: tuple[str, bool] | None = None

    def __repr__(self) -> str:
        if isinstance(self._backend, _Closed):
            return "<potstill.Model, closed>"
        info = self.info
        labels = ", ".join(self.labels[:6]) + (f", ... ({len(self.labels)})" if len(self.labels) > 6 else "")
        facts = [
            *(str(info[key]) for key in ("scheme", "engine") if info.get(key)),
            *([f"labels={labels}"] if labels else []),
            f"max_tokens={self.max_tokens}",
            f"threads={info.get('threads')}",
        ]
        task = f" {info['task']}" if info.get("task") else ""
        return f"<potstill.Model {info.get('name')!r}{task}, {', '.join(facts)}>"

    def close(self) -> None:
        """Give back the model's memory, after calls that still run; every later call is an `InputError`."""
        self._backend = _Closed()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __copy__(self) -> Model:
        copied = Model(self._backend)
        copied._file = self._file
        return copied

    def __deepcopy__(self, _: object) -> Model:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        identity, threads = _identity(self), self.info["threads"]
        if self._file is not None:
            return _reopen, (self._file[0], identity, threads, self._file[1])
        content: Any = getattr(self._backend, "content", None)
        if content is None:
            raise InputError("I125", "the model comes from no file", "pickle", "get it by potstill.load")
        return _reopen, (content(), identity, threads, False)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order."""
        return self._backend.card.labels

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, [CLS] and [SEP] included."""
        return self._backend.card.max_tokens

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self._backend.card.multi_label

    @property
    def per_token(self) -> bool:
        """Whether the model labels words, by `tag`, and not whole texts."""
        return self._backend.card.per_token

    @property
    def units(self) -> str:
        """What a tagger labels of a text: "words", "characters" or "given"; empty for other models.

        "words" are what white space parts, with punctuation and characters of scripts without spaces (Chinese,
        Japanese, Thai, Lao, Khmer, Burmese) by themselves; "characters" are all by themselves, with their marks;
        "given" are words of such a script, which no rule finds in a text: give lists of them.
        """
        return self._backend.card.units

    @property
    def normalized(self) -> bool:
        """Whether the vectors of `embed` have the length 1, so that their dot product is their cosine."""
        return self._backend.card.normalized

    @property
    def info(self) -> dict[str, Any]:
        """Facts about the model and how it runs here.

        For the native backend: name, task, scheme, labels, multi_label, normalized, units, max_tokens, vocabulary,
        hidden, parameters, bytes (of the file), arena_bytes (working memory of one call at most), has_tokenizer, isa,
        threads, producer, license, provenance.
        """
        return dict(self._backend.info)

    @property
    def pairs(self) -> bool:
        """Whether the model was trained on pairs of texts."""
        return self._backend.card.pairs

    def tokenize(self, texts: Iterable[Text], truncate: bool = False) -> list[list[int]]:
        """Token ids of each text, with the special tokens of the tokenizer, [CLS] and [SEP] of BERT's.

        Args:
            texts: the texts, or pairs of texts; a single str is an error, because it is a sequence of letters.
            truncate: cut a long text to `max_tokens`, keeping special tokens, of a pair the longer text first; else it
                is an error.

        Any iterable with an order is taken, and read once: generators, views of dicts, arrays, columns of tables.

        Raises:
            InputError: a text without any token; a text over `max_tokens`; no tokenizer in the file;
                `texts` is a single string, has no order, or holds something else than str, or than pairs of str;
                pairs, but the model reads single texts; `truncate` is no truth value.
        """
        return [list(row) for row in self._backend.encode(*_given(texts, truncate)).ids]

    def offsets(self, texts: Iterable[Text], truncate: bool = False) -> list[list[tuple[int, int]]]:
        """For each id of `tokenize` where it stands: characters [begin, end) of its text, (0, 0) of special tokens.

        Args and errors as `tokenize`. ``text[begin:end]`` is what the token was made of.
        """
        return self._backend.offsets(*_given(texts, truncate))

    def logits(self, texts: Iterable[Text], truncate: bool = False) -> Matrix:
        """Logits of each text or pair: float32 [texts, labels], buffer protocol. Raises as `tokenize`, or has none.

        A model that labels words gives [tokens, labels]: a row for each of `tokenize`'s ids, the texts in turn.
        """
        return _logits(self._backend.answer(*_given(texts, truncate)).logits)

    def logits_from_ids(
        self,
        ids: Iterable[Iterable[int]],
        types: Iterable[Iterable[int]] | None = None,
        attention_mask: Iterable[Iterable[int]] | None = None,
    ) -> Matrix:
        """Logits of token id sequences of any lengths, specials included: float32 [sequences, labels].

        Args:
            ids: the sequences; arrays and tensors of whole numbers are taken.
            types: of pairs, the token types of each sequence: 0 up to the first [SEP], then 1.
            attention_mask: of padded sequences, as tokenizers give it: 1 for an id, 0 where it is padding, at the ends
                or at the beginnings only. Without it padding is an error, not text.

        Raises:
            InputError: an empty sequence; longer than `max_tokens`; an id outside the vocabulary;
                something else than sequences of whole numbers; the model has no classification head; not one
                type an id; a type that the model lacks; padding and no mask; an id that the model
                cannot take in a text; a mask that does not fit the ids.
            FormatError: a result is NaN or infinite.
        """
        rows, kinds = read_numbers(ids), None if types is None else read_numbers(types, "token types")
        if attention_mask is not None:
            from potstill.runtime.padding import unpadded

            rows, kinds = unpadded(rows, kinds, attention_mask)
        return _logits(self._backend.run(TokenRows(rows, kinds)).logits)

    def embed(self, texts: Iterable[Text], truncate: bool = False) -> Matrix:
        """Pooled vectors: float32 [texts, hidden] with the buffer protocol. Raises as `tokenize`, or has none.

        They have the length 1 where `normalized` says so.
        """
        embedding: Matrix | None = self._backend.answer(*_given(texts, truncate)).embedding
        if embedding is None:
            raise InputError(
                "I009", "the model gives no pooled vector", "embed", "use logits(), or compile with an embedding"
            )
        return embedding

    def classify(self, texts: Iterable[Text], truncate: bool = False, threshold: float = 0.5) -> list[Prediction]:
        """The label and probabilities of each text, or of each pair: `classify([("a", "b")])`.

        Args:
            texts: as for `tokenize`.
            truncate: as for `tokenize`.
            threshold: a label is given from this probability on, where a text may have several labels; of no effect
                elsewhere.

        Raises:
            InputError: as `logits`; the threshold is not in [0, 1]; the model labels words; it gives a
                score.
        """
        if self.per_token:
            raise InputError("I017", "the model labels words, not whole texts", "classify", "use tag()")
        if self.score_kind:
            raise InputError("I108", "the model gives a score, not classes", "classify", "use score()")
        least = read_probability(threshold, "threshold")
        view: Any = memoryview(self.logits(texts, truncate))
        rows: list[list[float]] = view.tolist()
        labels = self.labels or tuple(str(i) for i in range(len(rows[0]) if rows else 0))
        if self.multi_label:
            return [predict_each(labels, row, least) for row in rows]
        return [predict(labels, row) for row in rows]

    @property
    def score_kind(self) -> str:
        """ "raw" or "sigmoid" for a model with one output, whose answer is a score; empty for a model of classes."""
        return self._backend.card.score

    def score(self, texts: Iterable[Text], truncate: bool = False) -> list[float]:
        """The score of each text, or of each pair, of a model with one output: a regression model or a reranker.

        It is the logit (`score_kind` "raw"), or its sigmoid ("sigmoid"), which the core computes in binary64 for all
        backends and languages. `sorted(zip(model.score(pairs), pairs), reverse=True)` ranks.

        Args:
            texts: as for `tokenize`.
            truncate: as for `tokenize`.

        Raises:
            InputError: as `logits`; the model has classes.
        """
        if not self.score_kind:
            step = "use tag()" if self.per_token else "use classify(), or logits()"
            raise InputError("I105", "the model has classes, not one score", "score", step)
        view: Any = memoryview(self.logits(texts, truncate))
        scores: list[float] = [row[0] for row in view.tolist()]
        return [sigmoid(logit) for logit in scores] if self.score_kind == "sigmoid" else scores

    def tag(self, texts: Iterable[str | Sequence[str]], truncate: bool = False) -> list[list[Token]]:
        """The label of each word of each text, for a model trained with task = "token-classification".

        Args:
            texts: a str is cut into words or characters, as `units` says (`text.split()` would keep punctuation at its
                word); a list of str is taken as the words, and gets exactly one label for each.
            truncate: answer the words that fit into `max_tokens` alone; otherwise a longer text is an error.

        Raises:
            InputError: a text without any word; a text over `max_tokens`; no tokenizer in the file;
                `texts` is a single string, has no order, or holds something else than str and lists of str; a str,
                and `units` is "given"; the model labels whole texts; `truncate` is no truth value.
        """
        return self._tag(list(items(texts)), truncate)

    def spans(self, texts: Iterable[str | Sequence[str]], truncate: bool = False) -> list[list[Span]]:
        """The entities of each text, for a tagger whose labels spell them (O, B-LOC, I-LOC and the like).

        Args:
            texts: as for `tag`. A span's text is the part of the given text itself, whatever stands between its words.
            truncate: as for `tag`.

        Raises:
            InputError: as `tag`; the labels spell no entities.
        """
        from potstill.runtime.spans import check_spelling, spans_of

        given = list(items(texts))
        tagged = self._tag(given, truncate)
        check_spelling(self.labels)
        return [spans_of(text, tokens) for text, tokens in zip(given, tagged, strict=True)]

    def _tag(self, texts: list[Any], truncate: bool) -> list[list[Token]]:
        if not self.per_token:
            raise InputError("I018", "the model labels whole texts, not words", "tag", "use classify()")
        cut = read_flag(truncate, "truncate")
        words, places = read_words(texts, self.units)
        logits, counts = self._backend.answer_words(words, cut)
        view: Any = memoryview(_logits(logits))
        rows: list[list[float]] = view.tolist()
        labels = self.labels or tuple(str(i) for i in range(len(rows[0]) if rows else 0))
        answers = (predict(labels, row) for row in rows)
        found = []
        for given, at, count in zip(words, places, counts, strict=True):
            answered = zip(given[:count], at, answers, strict=False)
            found.append([Token(word, answer.label, answer.score, *where) for word, where, answer in answered])
        return found


def _given(texts: Iterable[Text], truncate: bool) -> tuple[list[str], list[str] | None, bool]:
    """The texts, of pairs the second ones, and whether to cut."""
    cut = read_flag(truncate, "truncate")
    return (*read_texts(texts), cut)


def _logits(found: Matrix | None) -> Matrix:
    if found is None:
        what, step = "the model has no classification head", "use embed(), or compile a classifier"
        raise InputError("I008", what, "logits", step)
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
        InputError: a bad thread count; no such backend; bytes for another backend; `mapped` without
            a `.still` file's path; the file object gives no bytes.
        CpuError: POTSTILL_ISA asks for a kernel set that is unknown or that the CPU lacks.
        SystemFailure: the backend's package is not installed; the wheel does not fit this machine,
            Python or system, or a library it needs is absent (list: core_failure.py).
    """
    source = read_source(path)
    use_pages = read_flag(mapped, "mapped")
    model = Model(open_backend(backend, source, read_threads(threads), use_pages))
    if isinstance(source, str):
        model._file = (os.path.abspath(source), use_pages)  # noqa: PTH100  # pathlib is not for the board
    return model


class _Closed:
    """In place of a closed model's backend."""

    def __getattr__(self, name: str) -> Any:
        raise InputError("I123", "the model is closed", "close()", "load it again: potstill.load(path)")


# What a file says of itself, and how its model ran: of the same file the first does not change.
_RUNNING = ("isa", "threads", "arena_bytes", "engine")


def _identity(model: Model) -> dict[str, Any]:
    return {key: value for key, value in model.info.items() if key not in _RUNNING}


def _reopen(source: str | bytes, identity: dict[str, Any], threads: int, mapped: bool) -> Model:
    """A pickled model, opened again.

    Raises:
        InputError: the file is another one by now. And as `load`.
    """
    model = load(source, threads, str(identity.get("backend", "native")), mapped)
    if _identity(model) != identity:
        where = source if isinstance(source, str) else "memory"
        raise InputError("I124", "the file changed since its model was pickled", where, "pickle the model again")
    return model
