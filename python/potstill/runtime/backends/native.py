"""The Potstill core as a backend: `.still` files, no Python dependency."""

from __future__ import annotations

import os

from potstill.card import Card
from potstill.runtime.backends import Output
from potstill.runtime.rows import TokenRows

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
    """A `.still` file in the C++ core; the GIL is released while it works.

    Attributes:
        card: what the model is.
        info: see `potstill.Model.info`.
    """

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
        self.info: Mapping[str, Any] = self._model.info()
        self.card = Card.from_info(self.info)

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

    def encode(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> TokenRows:
        """See `Backend.encode`. InputError: the file holds no tokenizer."""
        return TokenRows(*self._model.encode(first, second, truncate))

    def offsets(
        self, first: Sequence[str], second: Sequence[str] | None, truncate: bool
    ) -> list[list[tuple[int, int]]]:
        """See `Backend.offsets`."""
        found: list[list[tuple[int, int]]] = self._model.offsets(first, second, truncate)
        return found

    def encode_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> TokenRows:
        """See `Backend.encode_words`. InputError: the file holds no tokenizer."""
        ids, words = self._model.encode_words(texts, truncate)
        return TokenRows(ids, words=words)

    def run(self, rows: TokenRows) -> Output:
        """See `Backend.run`."""
        return Output(*self._model.run(rows.ids, rows.types))

    def answer(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> Output:
        """See `Backend.answer`: one call of the core."""
        return Output(*self._model.answer(first, second, truncate))

    def answer_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[Any, list[int]]:
        """See `Backend.answer_words`: one call of the core."""
        return self._model.answer_words(texts, truncate)


def word_ends(text: str, units: str) -> list[int]:
    """First character of each word of a text and the one behind it, in turn; see `backends.word_ranges`."""
    ends: list[int] = _core.word_ranges(text, units)
    return ends


def sigmoid(logit: float) -> float:
    """The core's sigmoid, in binary64: the same bits from every interface."""
    return float(_core.sigmoid(logit))


def open_backend(source: Source, threads: int | None, mapped: bool = False) -> NativeBackend:
    """Load a `.still` file; see `NativeBackend`."""
    return NativeBackend(source, threads, mapped)
