"""The student's vocabulary: the teacher's, or the part of it that the texts use.

Most of a small student is its token table: 7.8 of 9.5 M parameters at 2 layers of 256. A task's texts use a third of
BERT's pieces or less, and 12,000 of XLM-R's 250,000. The special tokens are kept, every single character or byte (so
that any word can be spelt) and the pieces seen often enough, with those that a BPE makes them of; words whose pieces
went are cut anew over what is left (`prune.tokenizer`).

Teacher and student then read a text as different ids, and sometimes as different numbers of tokens. The teacher keeps
its own for its outputs. What compares the two token by token runs the teacher on the student's cut, which
`aligned_ids` gives exactly: every kept piece is a piece of the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.distil.vocabulary.prune.tokenizer import Prunable
from potstill.errors import TrainError
from potstill.models.token_counts import KnownPieces
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.recipe.schema import Student

VOCABULARIES = ("full", "seen")


@dataclass(frozen=True)
class Vocabulary:
    """What the student reads.

    Attributes:
        tokenizer: the student's tokenizer.
        teacher: the teacher's tokenizer.
        kept: the row in the teacher's token table of each student id, ``[pieces]`` int32; None when the ids are the
            same. Of a tokenizer that is the teacher's cut down they are the teacher's ids, ascending.
        size: pieces of the student.
        teacher_size: pieces of the teacher.
        added: None, or of a tokenizer that is not the teacher's (`spelling`): rows that the teacher's table gets at its
            end, each the mean of the teacher's ids in it, ``[n]`` int64; of all, where there are none.
    """

    tokenizer: Any
    teacher: Any
    kept: np.ndarray | None
    size: int
    teacher_size: int
    added: Sequence[np.ndarray] | None = None

    @property
    def pad_id(self) -> int:
        """The student's padding id."""
        return int(self.tokenizer.pad_token_id)


def choose_vocabulary(
    settings: Student, tokenizer: Any, train: Sequence[Any], unlabelled: Sequence[Any] = ()
) -> Vocabulary:
    """The student's vocabulary by the recipe.

    Args:
        settings: ``vocabulary, vocabulary_min_count, vocabulary_size, vocabulary_unlabelled_weight,
            vocabulary_characters``.
        tokenizer: the teacher's.
        train: the teacher's token ids of the training rows.
        unlabelled: the same of the unlabelled rows.

    Raises:
        TrainError: the tokenizer cannot be pruned (`Prunable`); vocabulary_size is under what must be kept.
    """
    size = len(tokenizer)
    if settings.vocabulary == "full":
        return Vocabulary(tokenizer, tokenizer, None, size, size)
    source = Prunable(tokenizer)
    kept = pieces_by_settings(settings, source, train, unlabelled)
    return Vocabulary(source.pruned(kept), tokenizer, kept, len(kept), size)


def pieces_by_settings(
    settings: Student, source: Prunable, train: Sequence[Any], unlabelled: Sequence[Any] = ()
) -> np.ndarray:
    """Ids that a recipe's settings keep of the teacher's, ascending int32 (else as `choose_vocabulary`)."""
    counts = piece_counts(train, unlabelled, source.size, settings.vocabulary_unlabelled_weight)
    # All texts decide whether a character occurs, whatever weight an occurrence has.
    occur = piece_counts(train, unlabelled, source.size) if settings.vocabulary_characters == "seen" else None
    always = source.fallback_ids(occur)
    _check_size(settings, len(always))
    return kept_pieces(counts, always, settings.vocabulary_min_count, settings.vocabulary_size, source.with_ancestors)


def piece_counts(
    train: Sequence[Any], unlabelled: Sequence[Any], size: int, unlabelled_weight: float = 1.0
) -> np.ndarray:
    """Occurrences of each id, ``[size]`` f64; one in unlabelled text counts ``unlabelled_weight``."""
    counts = np.zeros(size, dtype=np.float64)
    for rows, weight in ((train, 1.0), (unlabelled, unlabelled_weight)):
        if len(rows):
            counts += weight * np.bincount(np.concatenate(rows), minlength=size)[:size]
    return counts


def kept_pieces(
    counts: np.ndarray,
    fallback: np.ndarray,
    min_count: int = 1,
    size: int | None = None,
    with_ancestors: Callable[[Iterable[int]], set[int]] = set,
) -> np.ndarray:
    """Ids to keep, ascending int32.

    Args:
        counts: `piece_counts`.
        fallback: ids kept in any case, with their ancestors; no more than size.
        min_count: occurrences that keep another piece.
        size: at most so many ids in all, the most frequent; of equally frequent ones those of lower id. One that needs
            more ancestors than there is room for is left out.
        with_ancestors: ids and those that they need, which are kept with them.
    """
    kept = set(map(int, fallback))
    limit = len(counts) if size is None else size
    # Counts of weighted text are sums of rounded numbers: 10 x 0.1 must count as 1.
    often = np.flatnonzero((counts > 0) & (counts >= min_count - 1e-9))
    for index in often[np.lexsort((often, -counts[often]))].tolist():
        more = set() if index in kept else with_ancestors([index]) - kept
        if len(kept) + len(more) <= limit:
            kept |= more
    return np.array(sorted(kept), dtype=np.int32)


def _check_size(settings: Student, least: int) -> None:
    size = settings.vocabulary_size
    if size is None or size >= least:
        return
    fewer = ', or keep fewer: student.vocabulary_characters = "seen"' if settings.vocabulary_characters == "all" else ""
    raise TrainError(
        "T061",
        f"a vocabulary of {size} pieces cannot hold the {least} special tokens and single characters",
        "student.vocabulary_size",
        f"give {least} or more, or leave it out{fewer}",
    )


def aligned_ids(rows: Sequence[Any], kept: np.ndarray | None) -> list[np.ndarray]:
    """Rows of student ids as the teacher's ids of the same pieces: equal lengths, token by token.

    Args:
        rows: int arrays of student ids.
        kept: `Vocabulary.kept`; None leaves the ids as they are.
    """
    if kept is None:
        return list(rows)
    return [np.asarray(kept[row], dtype=np.int32) for row in rows]


def aligned(rows: TokenRows, kept: np.ndarray | None) -> TokenRows:
    """`aligned_ids` of rows with what belongs to them, the padding id included."""
    if kept is None:
        return rows
    return TokenRows(aligned_ids(rows.ids, kept), rows.types, rows.words, int(kept[rows.pad_id]))


def vocabulary_facts(
    vocabulary: Vocabulary, teacher_rows: Sequence[Any], student_rows: Sequence[Any]
) -> dict[str, Any]:
    """What the vocabulary does to texts (the test set), for the report.

    Returns:
        ``size`` and ``teacher_size`` in pieces, ``kept`` (their quotient), ``test_recut`` (share of the teacher's
        tokens whose piece the student lacks), ``test_unknown`` and ``test_unknown_teacher`` (share of tokens that are
        unknown or bytes of a character without a piece, `KnownPieces.unspelt_ids`) and ``test_length`` (the student's
        tokens over the teacher's).
    """
    theirs = np.concatenate([*teacher_rows, np.zeros(0, np.int32)])
    ours = np.concatenate([*student_rows, np.zeros(0, np.int32)])
    recut = 0.0 if vocabulary.kept is None else _share(~np.isin(theirs, vocabulary.kept))
    unknown, teacher_unknown = (KnownPieces(one).unspelt_ids() for one in (vocabulary.tokenizer, vocabulary.teacher))
    return {
        "size": vocabulary.size,
        "teacher_size": vocabulary.teacher_size,
        "kept": vocabulary.size / max(1, vocabulary.teacher_size),
        "test_recut": recut,
        "test_unknown": _share(np.isin(ours, unknown)),
        "test_unknown_teacher": _share(np.isin(theirs, teacher_unknown)),
        "test_length": len(ours) / max(1, len(theirs)),
    }


def _share(found: np.ndarray) -> float:
    return float(found.mean()) if len(found) else 0.0
