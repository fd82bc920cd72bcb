"""What a backend offers, as a protocol for type checkers and tests; a board that runs a model never imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from potstill.runtime.backends import Output


@runtime_checkable
class Backend(Protocol):
    """A loaded model. Safe to call from several threads at once."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order; empty when the file has none."""

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, [CLS] and [SEP] included."""

    @property
    def info(self) -> Mapping[str, Any]:
        """Facts for people: name, scheme, bytes, threads and what else the backend knows."""

    def tokenize(self, texts: Sequence[str], truncate: bool) -> list[list[int]]:
        """Token ids with [CLS] and [SEP].

        Raises:
            InputError: I001 a text without any token; I002 longer than `max_tokens` and not `truncate`.
        """

    def run(self, ids: Sequence[Sequence[int]]) -> Output:
        """Run one ragged batch of token ids, specials included.

        Raises:
            InputError: I001 an empty sequence; I002 longer than `max_tokens`; I003 an id outside the vocabulary.
        """
