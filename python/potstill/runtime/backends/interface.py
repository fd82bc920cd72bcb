"""What a backend offers, as a protocol for type checkers and tests; a board that runs a model never imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from potstill.card import Card
from potstill.runtime.backends import Output
from potstill.runtime.rows import TokenRows


@runtime_checkable
class Backend(Protocol):
    """A loaded model. Safe to call from several threads at once."""

    @property
    def card(self) -> Card:
        """What the model is."""

    @property
    def info(self) -> Mapping[str, Any]:
        """The card's facts, bytes, threads and what else the backend knows."""

    def encode(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> TokenRows:
        """Token rows of texts, [CLS] text [SEP], or of pairs, [CLS] first [SEP] second [SEP], with their types.

        Raises:
            InputError: a text without any token; longer than `max_tokens` and not `truncate`, which cuts a
                pair's longer text first; pairs, but the model reads single texts.
        """

    def offsets(
        self, first: Sequence[str], second: Sequence[str] | None, truncate: bool
    ) -> list[list[tuple[int, int]]]:
        """For each id of `encode` its place, characters [begin, end) of its text; (0, 0) of special tokens.

        Raises as `encode`.
        """

    def encode_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> TokenRows:
        """Token rows of texts given as words, with the place of each word's first piece.

        A word without any piece is read as the unknown token. Words that `truncate` cut off have no place.

        Raises:
            InputError: a text without words; longer than `max_tokens` and not `truncate`.
        """

    def run(self, rows: TokenRows) -> Output:
        """Run one ragged batch.

        Raises:
            InputError: an empty sequence; longer than `max_tokens`; an id outside the vocabulary;
                not one token type an id; a token type that the model lacks; padding at an end of a
                sequence; an id that the model cannot take.
            FormatError: a result is NaN or infinite.
        """

    def answer(self, first: Sequence[str], second: Sequence[str] | None, truncate: bool) -> Output:
        """`run` of `encode`; raises as both."""

    def answer_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[Any, list[int]]:
        """Logits f32 ``[words, labels]`` at the first pieces of all words, and how many words of each text have them.

        Raises as `encode_words` and `run`.
        """
