"""The Potstill core as a backend: `.still` files, no Python dependency."""

from __future__ import annotations

import os

from potstill.runtime.backends import Output

try:
    from potstill import _core
except ImportError as error:
    from potstill.runtime.core_failure import core_failure

    raise core_failure(error) from error

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from potstill.runtime.backends import Source


class NativeBackend:
    """A `.still` file in the C++ core; the GIL is released while it works."""

    def __init__(self, source: Source, threads: int | None, mapped: bool = False) -> None:
        """Read and validate the file.

        Args:
            source: path of the `.still` file, or its bytes.
            threads: worker threads, or None for POTSTILL_NUM_THREADS, else the CPUs this process may use.
            mapped: use the file where it is, see `potstill.load`.

        Raises:
            FormatError: cannot be read; changed while it was read; no memory for it; not a valid `.still`
                file.
            InputError: a bad thread count.
            CpuError: POTSTILL_ISA names a kernel set that does not exist or that the CPU lacks.
        """
        count = 0 if threads is None else threads
        if isinstance(source, (bytes, bytearray, memoryview)):
            self._model = _core.Model.from_bytes(source, count)
        else:
            self._model = _core.Model(os.fsencode(source), count, mapped)
        self._info: dict[str, Any] = self._model.info()
        self._labels = tuple(self._info["labels"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order."""
        return self._labels

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, specials included."""
        return int(self._info["max_tokens"])

    @property
    def info(self) -> Mapping[str, Any]:
        """See `potstill.Model.info`."""
        return self._info

    def content(self) -> bytes:
        """The bytes of the file."""
        return self._model.content()

    def header(self) -> bytes:
        """The header of the file, a FlatBuffer of cpp/schema/still.fbs that the core has verified."""
        return self._model.header()

    def ops(self) -> list[tuple[str, str, bool, int, int, int, str, bool, bool, int]]:
        """Fields of `potstill.runtime.oplist.OpFacts` of each op, in the order they run."""
        return self._model.ops()

    def weights(self) -> list[tuple[str, str, tuple[int, ...], int]]:
        """Name, dtype, shape and bytes of each tensor, in the file's order."""
        return self._model.weights()

    def tokenize(self, texts: Sequence[str], truncate: bool) -> list[list[int]]:
        """Token ids with specials. InputError: the file holds none."""
        ids: list[list[int]] = self._model.tokenize(texts, truncate)
        return ids

    def tokenize_pairs(
        self, first: Sequence[str], second: Sequence[str], truncate: bool
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids and token types. InputError: no tokenizer in the file."""
        ids: list[list[int]]
        types: list[list[int]]
        ids, types = self._model.tokenize_pairs(first, second, truncate)
        return ids, types

    def tokenize_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids, and the place of each word's first piece. InputError: no tokenizer in the file."""
        ids: list[list[int]]
        firsts: list[list[int]]
        ids, firsts = self._model.tokenize_words(texts, truncate)
        return ids, firsts

    def run(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Output:
        """Run one ragged batch."""
        logits, embedding = self._model.run(ids, types)
        return Output(logits, embedding)


def word_ends(text: str) -> list[int]:
    """First character of each word of a text and the one behind it, in turn; see `backends.word_ranges`."""
    ends: list[int] = _core.word_ranges(text)
    return ends


def sigmoid(logit: float) -> float:
    """The core's sigmoid, in binary64: the same bits from every interface."""
    return float(_core.sigmoid(logit))


def open_backend(source: Source, threads: int | None, mapped: bool = False) -> NativeBackend:
    """Load a `.still` file; see `NativeBackend`."""
    return NativeBackend(source, threads, mapped)
