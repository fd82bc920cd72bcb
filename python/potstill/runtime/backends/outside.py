"""What the backends over other engines share: facts, checks of ids, tokenization, threads.

An ONNX or TFLite file carries no tokenizer. It is taken from a folder `tokenizer/` beside the file (or a
`tokenizer.json` there) through the package `tokenizers`, else from a `.still` file beside it through our own core.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.errors import FormatError, InputError, missing_package
from potstill.runtime.backends import Output
from potstill.runtime.inputs import MAX_THREADS

# Rows a call of an engine gets at most: past 32 rows a row costs no less, and the working memory stays small.
BATCH_ROWS = 32


@dataclass(frozen=True)
class Facts:
    """What an exported file says about itself.

    Attributes:
        labels: class names in logit order, empty when unknown.
        max_tokens: longest sequence, specials included; 512 when a foreign file does not say.
        pad_id: id that fills a batch.
        vocabulary: number of token ids, 0 when unknown.
        producer: program that wrote the file, empty when unknown.
        multi_label: labels do not exclude each other.
        pairs: it reads pairs of texts.
        per_token: it labels words: logits are of every token.
        score: "raw" or "sigmoid" for a model with one output, which is a score; empty for a model of classes.
        pad_known: `pad_id` is the file's own word, not the default.
        normalized: its vectors have the length 1.
    """

    labels: tuple[str, ...] = ()
    max_tokens: int = 512
    pad_id: int = 0
    vocabulary: int = 0
    producer: str = ""
    multi_label: bool = False
    pairs: bool = False
    per_token: bool = False
    score: str = ""
    pad_known: bool = False
    normalized: bool = False


def facts_from(values: Mapping[str, Any]) -> Facts:
    """Read the facts that `potstill.export` stores; anything absent keeps its default."""
    return Facts(
        labels=tuple(str(label) for label in values.get("labels", ())),
        max_tokens=int(values.get("max_tokens", 512)),
        pad_id=int(values.get("pad_id", 0)),
        vocabulary=int(values.get("vocabulary", 0)),
        producer=str(values.get("producer", "")),
        multi_label=bool(values.get("multi_label", False)),
        pairs=bool(values.get("pairs", False)),
        per_token=bool(values.get("per_token", False)),
        score=str(values.get("score", "")),
        pad_known="pad_id" in values,
        normalized=bool(values.get("normalized", False)),
    )


def score_of(facts: Facts, outputs: int | None) -> str:
    """How a model with so many logits gives its score: what the file says, else raw; empty for a model of classes."""
    return "" if outputs != 1 or facts.per_token or facts.multi_label else facts.score or "raw"


def check_finite(output: Output, where: str) -> Output:
    """The output, if all of it is numbers.

    Raises:
        FormatError: it holds NaN or infinity.
    """
    import numpy as np

    for name in ("logits", "embedding"):
        values = getattr(output, name)
        if values is not None and not np.isfinite(values).all():
            raise FormatError("F062", f"the model gives NaN or infinity as {name}", where, "train or export it again")
    return output


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


def check_ids(ids: Sequence[Sequence[int]], facts: Facts) -> None:
    """Check a ragged batch before it reaches an engine.

    Raises:
        InputError: an empty sequence; one over the limit; an id outside the vocabulary; padding at
            its end.
    """
    for index, row in enumerate(ids):
        where = f"sequence {index}"
        if len(row) == 0:
            raise InputError("I001", "the sequence is empty", where, "give at least one token")
        if len(row) > facts.max_tokens:
            raise InputError(
                "I002",
                f"{len(row)} tokens, the model takes {facts.max_tokens}",
                where,
                "shorten it or use truncate=True",
            )
        low, high = min(row), max(row)
        if low < 0 or (facts.vocabulary and high >= facts.vocabulary):
            raise InputError(
                "I003",
                f"token id {low if low < 0 else high} is outside the vocabulary",
                where,
                f"ids go from 0 to {facts.vocabulary - 1}" if facts.vocabulary else "ids start at 0",
            )
        if facts.pad_known and row[-1] == facts.pad_id:
            what = f"the sequence is padded: it ends in the id {facts.pad_id}"
            raise InputError("I103", what, where, "leave the padding out, or pass attention_mask")


def check_types(ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, facts: Facts) -> None:
    """Check token types before they reach an engine.

    Raises:
        InputError: not one an id; types for a model of single texts, or one that is not 0 or 1.
    """
    for index, (row, kinds) in enumerate(zip(ids, types or (), strict=False)):
        where = f"sequence {index}"
        if len(row) != len(kinds):
            raise InputError("I010", f"{len(kinds)} token types for {len(row)} ids", where, "give one an id")
        if any(kind < 0 or kind > int(facts.pairs) for kind in kinds):
            raise InputError(
                "I014",
                f"the model has no token type {max(kinds)}",
                where,
                "use types 0 and 1" if facts.pairs else "it reads one text, not a pair of texts",
            )
    if types is not None and len(types) != len(ids):
        raise InputError("I010", f"token types of {len(types)} of {len(ids)} sequences", "types", "give one an id")


def batches(ids: Sequence[Sequence[int]], rows: int = BATCH_ROWS) -> Iterator[list[int]]:
    """Indices of the sequences in groups of similar length, longest first: padding is small, memory peaks at once."""
    order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
    for start in range(0, len(order), rows):
        yield order[start : start + rows]


def fit_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Cut two texts to `room` tokens in all, the longer first, as the core and Hugging Face `tokenizers` do."""
    half = room // 2
    shorter = min(len(first), len(second))
    if shorter > half:
        longer, shorter = half + room % 2, half
    else:
        longer = room - shorter
    return (first[:longer], second[:shorter]) if len(first) > len(second) else (first[:shorter], second[:longer])


class Texts:
    """Tokenizes with what lies beside the model file; opened at the first use.

    Args:
        model: path of the model file.
        facts: of that file.
    """

    def __init__(self, model: Path, facts: Facts) -> None:
        self._model = model
        self._facts = facts
        self._encode: Callable[[Sequence[str]], list[list[int]]] | None = None

    @property
    def where(self) -> str:
        """The model's path, for messages."""
        return str(self._model)

    def tokenize(self, texts: Sequence[str], truncate: bool) -> list[list[int]]:
        """Token ids with specials.

        Raises:
            InputError: a text without any token; longer than `max_tokens` and not `truncate`; no
                tokenizer beside the model.
            SystemFailure: the package tokenizers is missing.
        """
        if self._encode is None:
            self._encode = self._open()
        limit = self._facts.max_tokens
        found = self._encode(texts)
        for index, row in enumerate(found):
            # Two ids are [CLS] and [SEP] alone.
            if len(row) <= 2:
                raise InputError("I001", "the text holds no token", f"text {index}", "give a text with words")
            if len(row) > limit:
                if not truncate:
                    raise InputError(
                        "I002", f"{len(row)} tokens, the model takes {limit}", f"text {index}", "use truncate=True"
                    )
                found[index] = [*row[: limit - 1], row[-1]]
        return found

    def tokenize_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of texts given as words, and the place of each word's first piece; see `Backend.tokenize_words`.

        Raises:
            InputError: a text without words; longer than `max_tokens` and not `truncate`; no tokenizer
                beside the model.
            SystemFailure: the package tokenizers is missing.
        """
        if self._encode is None:
            self._encode = self._open()
        limit = self._facts.max_tokens
        ids, firsts = [], []
        for index, words in enumerate(texts):
            if not words:
                raise InputError("I001", "there is no word in the text", f"text {index}", "leave empty texts out")
            # What stands before and behind every word: [CLS] and [SEP].
            pieces = self._encode(words)
            row, places = [pieces[0][0]], []
            for piece in pieces:
                places.append(len(row))
                row += piece[1:-1] or self._encode(["[UNK]"])[0][1:-1]
            row.append(pieces[0][-1])
            if len(row) > limit:
                if not truncate:
                    found = f"{len(row)} tokens, the model takes {limit}"
                    raise InputError("I002", found, f"text {index}", "use truncate=True")
                row, places = [*row[: limit - 1], row[-1]], [place for place in places if place < limit - 1]
            ids.append(row)
            firsts.append(places)
        return ids, firsts

    def tokenize_pairs(
        self, first: Sequence[str], second: Sequence[str], truncate: bool
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids and token types of pairs; the tokenizer beside the model encodes the texts, the rest is done here.

        Raises:
            InputError: a text without any token; longer than `max_tokens` and not `truncate`; the model
                does not read pairs; no tokenizer beside the model.
            SystemFailure: the package tokenizers is missing.
        """
        if not self._facts.pairs:
            raise InputError(
                "I014", "the model reads one text, not a pair of texts", str(self._model), "give single texts"
            )
        if self._encode is None:
            self._encode = self._open()
        limit = self._facts.max_tokens
        ids, types = [], []
        for index, (one, two) in enumerate(zip(self._encode(first), self._encode(second), strict=True)):
            left, right = one[1:-1], two[1:-1]
            if not left or not right:
                raise InputError("I001", "one of the texts holds no token", f"pair {index}", "give texts with words")
            if len(left) + len(right) + 3 > limit:
                if not truncate or limit < 5:  # [CLS] a [SEP] b [SEP]
                    found = f"{len(left) + len(right) + 3} tokens, the model takes {limit}"
                    raise InputError("I002", found, f"pair {index}", "shorten it or use truncate=True")
                left, right = fit_pair(left, right, limit - 3)
            ids.append([one[0], *left, one[-1], *right, two[-1]])
            types.append([0] * (len(left) + 2) + [1] * (len(right) + 1))
        return ids, types

    def _open(self) -> Callable[[Sequence[str]], list[list[int]]]:
        folder = self._model.parent
        for place in (folder / "tokenizer" / "tokenizer.json", folder / "tokenizer.json"):
            if place.is_file():
                return _hugging_face(place)
        stem = self._model.name.partition(".")[0]
        still = folder / f"{stem}.still"
        if still.is_file():
            return _native(still)
        raise InputError(
            "I050",
            "an ONNX or TFLite file carries no tokenizer and there is none beside it",
            str(self._model),
            f"put the folder tokenizer/ or {still.name} beside it, or use logits_from_ids",
        )


def _hugging_face(path: Path) -> Callable[[Sequence[str]], list[list[int]]]:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing_package("tokenizers", "build", f"reading {path}") from error
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [list(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]


def _native(path: Path) -> Callable[[Sequence[str]], list[list[int]]]:
    from potstill.runtime.backends.native import NativeBackend

    backend = NativeBackend(path, 1)

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return backend.tokenize(texts, False)

    return encode
