"""What the backends over other engines share: all but loading a file and calling its engine.

An ONNX or TFLite file carries no tokenizer. It is taken from a folder `tokenizer/` beside the file (or a
`tokenizer.json` there) through the package `tokenizers`, else from a `.still` file beside it through our own core.
"""

from __future__ import annotations

import contextlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.card import Card
from potstill.errors import FormatError, InputError, missing_package
from potstill.runtime.backends import Output
from potstill.runtime.inputs import MAX_THREADS
from potstill.runtime.rows import TokenRows, kept_places

if TYPE_CHECKING:
    from potstill.runtime.backends.native import NativeBackend

# Rows a call of an engine gets at most: past 32 rows a row costs no less, and the working memory stays small.
BATCH_ROWS = 32


class OutsideBackend(ABC):
    """A model in another engine, which a subclass loads and calls.

    Attributes:
        card: what the model is.
        info: the card's facts, engine and version, bytes, threads.
        backend: its name for `potstill.load`.
        batch_rows: rows that a call of the engine gets at most.
        one_call: held by a call of an engine that takes one at a time.
    """

    card: Card
    info: dict[str, Any]
    backend: str
    batch_rows = BATCH_ROWS
    one_call: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()

    def __init__(self, path: Path, threads: int | None) -> None:
        """Look for the file and settle the threads.

        Raises:
            InputError: a bad thread count, no such file.
        """
        self.path = existing(path)
        self.threads = thread_count(threads)
        self._texts: Texts | NativeBackend | None = None

    def _describe(self, engine: str, card: Card, inputs: Iterable[str], widths: Mapping[str, int]) -> None:
        """Set what the file turned out to be: its graph's inputs, and its outputs with their columns."""
        self.card, self._inputs, self._widths = card, tuple(inputs), dict(widths)
        size = self.path.stat().st_size
        facts = {"backend": self.backend, "engine": engine, "bytes": size, "threads": self.threads}
        self.info = {**card.info(), **facts}

    @abstractmethod
    def _call(self, rows: TokenRows) -> Mapping[str, Any]:
        """The outputs for a few rows, f32 ``[rows, columns]``, of a tagger ``[rows, length, columns]``."""

    def _feed(self, rows: TokenRows, length: int | None, dtype: str) -> dict[str, Any]:
        """The graph's inputs for a few rows, ``[rows, length]``."""
        import numpy as np

        arrays = rows.padded(length, dtype)
        return {name: arrays[name] if name in arrays else np.zeros_like(arrays["input_ids"]) for name in self._inputs}

    def encode(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> TokenRows:
        """See `Backend.encode`; also no tokenizer beside the model, the package tokenizers is missing."""
        if second is not None and not self.card.pairs:
            what = "the model reads one text, not a pair of texts"
            raise InputError("I014", what, str(self.path), "give single texts")
        return self._tokenizer().encode(first, second, truncate)

    def offsets(
        self, first: Sequence[str], second: Sequence[str] | None, truncate: bool
    ) -> list[list[tuple[int, int]]]:
        """See `Backend.offsets`; also and as `encode`."""
        return self._tokenizer().offsets(first, second, truncate)

    def encode_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> TokenRows:
        """See `Backend.encode_words`; also and as `encode`."""
        return self._tokenizer().encode_words(texts, truncate)

    def run(self, rows: TokenRows) -> Output:
        """See `Backend.run`."""
        import numpy as np

        rows = checked(rows, self.card)
        found: dict[str, list[Any]] = {name: [None] * len(rows) for name in self._widths}
        with self.one_call:
            for group in rows.by_length(self.batch_rows):
                batch = rows.take(group)
                for name, values in self._call(batch).items():
                    for row, value, length in zip(group, values, batch.lengths, strict=True):
                        found[name][row] = value[:length] if self.card.per_token else value[None]
        arrays = {}
        for name, parts in found.items():
            values = arrays[name] = np.concatenate(parts or [np.empty((0, self._widths[name]), np.float32)])
            if not np.isfinite(values).all():
                what = f"the model gives NaN or infinity as {name}"
                raise FormatError("F062", what, str(self.path), "train or export it again")
        return Output(arrays.get("logits"), arrays.get("embedding"))

    def answer(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> Output:
        """See `Backend.answer`."""
        return self.run(self.encode(first, second, truncate))

    def answer_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[Any, list[int]]:
        """See `Backend.answer_words`."""
        import numpy as np

        rows = self.encode_words(texts, truncate)
        places: Sequence[Any] = rows.words or []
        starts = np.cumsum([0, *rows.lengths])
        kept = [start + place for start, row in zip(starts, places, strict=False) for place in row]
        return self.run(rows).logits[np.array(kept, int)], [len(row) for row in places]

    def _tokenizer(self) -> Texts | NativeBackend:
        if self._texts is None:
            self._texts = _beside(self.path, self.card.max_tokens)
        return self._texts


def _beside(model: Path, limit: int) -> Texts | NativeBackend:
    """The tokenizer that lies beside a model file.

    Raises:
        InputError: there is none.
        SystemFailure: the package tokenizers is missing.
    """
    folder = model.parent
    for place in (folder / "tokenizer" / "tokenizer.json", folder / "tokenizer.json"):
        if place.is_file():
            return Texts(place, limit)
    still = folder / f"{model.name.partition('.')[0]}.still"
    if still.is_file():
        from potstill.runtime.backends.native import NativeBackend

        return NativeBackend(still, 1)
    raise InputError(
        "I050",
        "an ONNX or TFLite file carries no tokenizer and there is none beside it",
        str(model),
        f"put the folder tokenizer/ or {still.name} beside it, or use logits_from_ids",
    )


class Texts:
    """The tokenizer of a `tokenizer.json`, by the package tokenizers.

    Args:
        path: of the file.
        limit: longest sequence, specials included.

    Raises:
        SystemFailure: the package tokenizers is missing.
    """

    def __init__(self, path: Path, limit: int) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_package("tokenizers", "build", f"reading {path}") from error
        self._limit, self._path = limit, path
        self._whole, self._cut = (Tokenizer.from_file(str(path)) for _ in range(2))
        self._whole.no_truncation()
        self._cut.enable_truncation(limit, strategy="longest_first", direction=_truncation_side(path.parent))
        for tokenizer in (self._whole, self._cut):
            tokenizer.no_padding()

    def encode(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> TokenRows:
        """See `Backend.encode`."""
        found = self._encoded(first, second, truncate)
        return TokenRows([row.ids for row in found], None if second is None else [row.type_ids for row in found])

    def offsets(
        self, first: Sequence[str], second: Sequence[str] | None, truncate: bool
    ) -> list[list[tuple[int, int]]]:
        """See `Backend.offsets`."""
        return [list(row.offsets) for row in self._encoded(first, second, truncate)]

    def _encoded(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> list[Any]:
        kind, given = ("text", list(first)) if second is None else ("pair", list(zip(first, second, strict=True)))
        shortest = self._whole.num_special_tokens_to_add(second is not None) + (1 if second is None else 2)
        tokenizer = self._cut if truncate and self._limit >= shortest else self._whole
        found: list[Any] = tokenizer.encode_batch(given)
        for index, row in enumerate(found):
            if len(set(row.sequence_ids) - {None}) < (1 if second is None else 2):
                what = f"there is nothing to read in {'the text' if second is None else 'one of the texts'}"
                raise InputError("I001", what, f"{kind} {index}", "give texts with words")
            if len(row.ids) > self._limit:
                raise self._too_long(row, f"{kind} {index}")
        return found

    def encode_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> TokenRows:
        """See `Backend.encode_words`."""
        ids, places = [], []
        for index, words in enumerate(texts):
            if not words:
                raise InputError("I001", "there is no word in the text", f"text {index}", "leave empty texts out")
            row = self._whole.encode(list(words), is_pretokenized=True)
            if len(read := set(row.word_ids) - {None}) < len(words):
                words = [word if number in read else self._unknown(index) for number, word in enumerate(words)]
                row = self._whole.encode(words, is_pretokenized=True)
            first = {word: place for place, word in reversed(list(enumerate(row.word_ids)))}
            kept = list(range(len(row.ids)))
            if len(kept) > self._limit:
                if not truncate or self._limit <= row.word_ids.count(None):
                    raise self._too_long(row, f"text {index}")
                kept = kept_places(row.word_ids, self._limit)
            ids.append([row.ids[place] for place in kept])
            stays = set(kept)
            places.append([first[word] for word in range(len(words)) if first[word] in stays])
        return TokenRows(ids, words=places)

    def _unknown(self, index: int) -> str:
        """What stands for a word without a token, of the text of this number."""
        model = json.loads(self._path.read_text("utf-8"))["model"]
        if model.get("unk_id") is not None:  # Unigram's
            return str(model["vocab"][model["unk_id"]][0])
        if model.get("unk_token") is None:
            what = "the tokenizer has no token for a word, and none for unknown words"
            raise InputError("I001", what, f"text {index}", "leave the word out")
        return str(model["unk_token"])

    def _too_long(self, row: Any, where: str) -> InputError:
        what = f"{len(row.ids)} tokens, the model takes {self._limit}"
        return InputError("I002", what, where, "shorten it, or use truncate=True")


def _truncation_side(folder: Path) -> str:
    """Where a text that is too long is cut, as the configuration beside a tokenizer says."""
    try:
        said = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return "right"
    return "left" if isinstance(said, dict) and said.get("truncation_side") == "left" else "right"


def check_ends(inputs: Iterable[str], outputs: Iterable[str], where: str) -> None:
    """Whether a graph is one of ours, or like it.

    Raises:
        InputError: it has other inputs, or neither of the outputs ``logits`` and ``embedding``.
    """
    given, found = set(inputs), set(outputs)
    required = {"input_ids", "attention_mask"}
    if not required <= given <= {*required, "token_type_ids"} or not found & {"logits", "embedding"}:
        what = f"the model's inputs are {', '.join(sorted(given))}, its outputs {', '.join(sorted(found))}"
        step = "give a model with input_ids, attention_mask and the output logits or embedding"
        raise InputError("I053", what, where, step)


def thread_count(threads: int | None) -> int:
    """The threads to use: as given, else POTSTILL_NUM_THREADS, else the CPUs this process may use.

    Raises:
        InputError: POTSTILL_NUM_THREADS is not a whole number of at least 1.
    """
    if threads is not None:
        return threads
    wanted = os.environ.get("POTSTILL_NUM_THREADS", "").strip()
    if wanted:
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and 1 <= int(wanted) <= MAX_THREADS):
            raise InputError(
                "I004", f"{ascii(wanted)[:40]} is no thread count", "POTSTILL_NUM_THREADS",
                f"set it to a number from 1 to {MAX_THREADS}, or unset it",
            )  # fmt: skip
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def existing(path: Path) -> Path:
    """The path, if a file is there.

    Raises:
        InputError: there is none.
    """
    try:
        found = path.is_file()
    except OSError as error:  # of a folder that may not be entered
        what = f"the model file cannot be reached ({error.strerror})"
        raise InputError("I051", what, str(path), "check the path and its permissions") from error
    if not found:
        raise InputError("I051", "there is no model file", str(path), "check the path")
    return path


def unreadable(path: Path, error: BaseException) -> InputError:
    """The error for a file that the engine refuses."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError("I052", f"the engine cannot load the model ({reason})", str(path), "export it again")


def checked(rows: TokenRows, card: Card) -> TokenRows:
    """The rows, if the model takes them, to be padded by its own id.

    Raises:
        InputError: an empty sequence, one over the limit, an id outside the vocabulary, not one
            token type an id, a token type that the model lacks, padding at a sequence's end.
    """
    if rows.types is not None and len(rows.types) != len(rows):
        what = f"token types of {len(rows.types)} of {len(rows)} sequences"
        raise InputError("I010", what, "types", "give one an id")
    for index, row in enumerate(rows.ids):
        where = f"sequence {index}"
        if len(row) == 0:
            raise InputError("I001", "the sequence is empty", where, "give at least one token")
        if len(row) > card.max_tokens:
            what = f"{len(row)} tokens, the model takes {card.max_tokens}"
            raise InputError("I002", what, where, "shorten it or use truncate=True")
        low, high = min(row), max(row)
        if low < 0 or (card.vocabulary and high >= card.vocabulary):
            what = f"token id {low if low < 0 else high} is outside the vocabulary"
            step = f"ids go from 0 to {card.vocabulary - 1}" if card.vocabulary else "ids start at 0"
            raise InputError("I003", what, where, step)
        if row[-1] == card.pad_id:
            what = f"the sequence is padded: it ends in the id {card.pad_id}"
            raise InputError("I103", what, where, "leave the padding out, or pass attention_mask")
        if rows.types is None:
            continue
        kinds = rows.types[index]
        if len(row) != len(kinds):
            raise InputError("I010", f"{len(kinds)} token types for {len(row)} ids", where, "give one an id")
        if min(kinds) < 0 or max(kinds) > int(card.pairs):
            step = "use types 0 and 1" if card.pairs else "it reads one text, not a pair of texts"
            raise InputError("I014", f"the model has no token type {max(kinds)}", where, step)
    return TokenRows(rows.ids, rows.types, rows.words, card.pad_id or 0)
