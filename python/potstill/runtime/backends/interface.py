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
            InputError: a text without any token; longer than `max_tokens` and not `truncate`.
        """

    def tokenize_pairs(
        self, first: Sequence[str], second: Sequence[str], truncate: bool
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of [CLS] first [SEP] second [SEP], and their token types: 0 up to the first [SEP], then 1.

        Raises:
            InputError: a text without any token; longer than `max_tokens` and not `truncate`, which cuts
                the longer text first; the model does not read pairs.
        """

    def tokenize_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of texts given as words, with [CLS] and [SEP], and for each word the place of its first piece.

        A word without any piece is read as the unknown token. Words that `truncate` cut off have no place.

        Raises:
            InputError: a text without words; longer than `max_tokens` and not `truncate`.
        """

    def run(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Output:
        """Run one ragged batch of token ids, specials included; `types` are the token types, None: all 0.

        Raises:
            InputError: an empty sequence; longer than `max_tokens`; an id outside the vocabulary;
                a token type that the model lacks; padding at an end of a sequence; an id that the
                model cannot take.
            FormatError: a result is NaN or infinite.
        """
