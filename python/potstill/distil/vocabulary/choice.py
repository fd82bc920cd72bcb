"""The student's vocabulary: the teacher's, or the part of it that the texts use.

Most of a small student is its token table: 7.8 of 9.5 M parameters at 2 layers of 256. A task's texts use a third of
BERT's pieces or less. The special tokens are kept, every single character (so that any word can be spelt) and
the pieces seen often enough; words whose pieces went are cut anew, greedily, over what is left (`pruned_tokenizer`).

Teacher and student then read a text as different ids, and sometimes as different numbers of tokens. The teacher keeps
its own for its outputs. What compares the two token by token runs the teacher on the student's cut, which
`aligned_ids` gives exactly: every kept piece is a piece of the teacher's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.distil.vocabulary.pruned_tokenizer import description, fallback_ids, prune_tokenizer
from potstill.errors import TrainError
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.recipe.schema import Student

VOCABULARIES = ("full", "seen")


@dataclass(frozen=True)
class Vocabulary:
    """What the student reads.

    Attributes:
        tokenizer: the student's tokenizer.
        kept: the teacher's id of each student id, ``[pieces]`` int32, ascending; None when the ids are the same.
        size: pieces of the student.
        teacher_size: pieces of the teacher.
    """

    tokenizer: Any
    kept: np.ndarray | None
    size: int
    teacher_size: int

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
        TrainError: the tokenizer is not WordPiece; vocabulary_size is under what must be kept.
    """
    size = len(tokenizer)
    if settings.vocabulary == "full":
        return Vocabulary(tokenizer, None, size, size)
    content = description(tokenizer, str(getattr(tokenizer, "name_or_path", "") or "the teacher's tokenizer"))
    kept = pieces_by_settings(settings, content, train, unlabelled, size)
    return Vocabulary(prune_tokenizer(tokenizer, kept), kept, len(kept), size)


def pieces_by_settings(
    settings: Student,
    content: Mapping[str, Any],
    train: Sequence[Any],
    unlabelled: Sequence[Any],
    size: int,
) -> np.ndarray:
    """Ids that a recipe's settings keep, ascending int32 (arguments and errors as `choose_vocabulary`).

    Args:
        content: the tokenizer's `description`.
        size: pieces of the teacher.
    """
    counts = piece_counts(train, unlabelled, size, settings.vocabulary_unlabelled_weight)
    # All texts decide whether a character occurs, whatever weight an occurrence has.
    occur = piece_counts(train, unlabelled, size) if settings.vocabulary_characters == "seen" else None
    always = fallback_ids(content, occur)
    return kept_pieces(counts, always, settings.vocabulary_min_count, settings.vocabulary_size)


def piece_counts(
    train: Sequence[Any], unlabelled: Sequence[Any], size: int, unlabelled_weight: float = 1.0
) -> np.ndarray:
    """Occurrences of each id, ``[size]`` f64; one in unlabelled text counts ``unlabelled_weight``."""
    counts = np.zeros(size, dtype=np.float64)
    for rows, weight in ((train, 1.0), (unlabelled, unlabelled_weight)):
        if len(rows):
            counts += weight * np.bincount(np.concatenate(rows), minlength=size)[:size]
    return counts


def kept_pieces(counts: np.ndarray, fallback: np.ndarray, min_count: int = 1, size: int | None = None) -> np.ndarray:
    """Ids to keep, ascending int32.

    Args:
        counts: `piece_counts`.
        fallback: ids kept in any case.
        min_count: occurrences that keep another piece.
        size: at most so many ids in all, the most frequent; of equally frequent ones those of lower id.

    Raises:
        TrainError: size is under the number of ids kept in any case.
    """
    if size is not None and size < len(fallback):
        raise TrainError(
            "T061",
            f"a vocabulary of {size} pieces cannot hold the {len(fallback)} special tokens and single characters",
            "student.vocabulary_size",
            f"give {len(fallback)} or more, or leave it out",
        )
    rest = np.setdiff1d(np.arange(len(counts)), fallback)
    # Counts of weighted text are sums of rounded numbers: 10 x 0.1 must count as 1.
    rest = rest[(counts[rest] > 0) & (counts[rest] >= min_count - 1e-9)]
    if size is not None:
        order = np.lexsort((rest, -counts[rest]))
        rest = rest[order[: size - len(fallback)]]
    return np.asarray(np.union1d(fallback, rest), dtype=np.int32)


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
    """What the pruning did to texts (the test set), for the report.

    Returns:
        ``size`` and ``teacher_size`` in pieces, ``kept`` (their quotient), ``test_recut`` (share of the teacher's
        tokens whose piece the student lacks), ``test_unknown`` and ``test_unknown_teacher`` (share of unknown tokens)
        and ``test_length`` (the student's tokens over the teacher's).
    """
    theirs = np.concatenate([*teacher_rows, np.zeros(0, np.int32)])
    ours = np.concatenate([*student_rows, np.zeros(0, np.int32)])
    recut = 0.0 if vocabulary.kept is None else _share(~np.isin(theirs, vocabulary.kept))
    unknown = int(vocabulary.tokenizer.unk_token_id) if vocabulary.tokenizer.unk_token_id is not None else -1
    teacher_unknown = unknown if vocabulary.kept is None else int(vocabulary.kept[unknown])
    return {
        "size": vocabulary.size,
        "teacher_size": vocabulary.teacher_size,
        "kept": vocabulary.size / max(1, vocabulary.teacher_size),
        "test_recut": recut,
        "test_unknown": _share(ours == unknown),
        "test_unknown_teacher": _share(theirs == teacher_unknown),
        "test_length": len(ours) / max(1, len(theirs)),
    }


def _share(found: np.ndarray) -> float:
    return float(found.mean()) if len(found) else 0.0
