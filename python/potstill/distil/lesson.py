"""What teacher and student read: the same texts, each in its own token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from potstill.distil.students.widened import token_embeddings
from potstill.distil.teacher.teaching import Teacher, compares_tokens
from potstill.distil.train.augment import with_augmented
from potstill.distil.train.encoded import EncodedSplits, encode_splits
from potstill.distil.train.fit import Run
from potstill.distil.train.token_losses import ALIGNMENT_COLUMN
from potstill.distil.vocabulary.alignment import aligned_tokens
from potstill.distil.vocabulary.choice import Vocabulary, aligned, choose_vocabulary
from potstill.distil.vocabulary.other import other_tokenizer, other_vocabulary
from potstill.models.evaluation import outputs
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.data.splits import Splits


@dataclass(frozen=True)
class Lesson:
    """The data of a distillation.

    Attributes:
        read: the rows as the teacher reads them.
        rows: the rows as the student reads them; equal to ``read`` where the vocabulary is the teacher's.
        shown: the training rows of which the teacher's outputs are wanted. Its own, unless tokens are compared and the
            student's are some of the teacher's: then the student's, in the teacher's ids.
        vocabulary: the student's.
        fingerprint: of the data.
        units: of words, what they are (`Splits.units`).
    """

    read: EncodedSplits
    rows: EncodedSplits
    shown: TokenRows
    vocabulary: Vocabulary
    fingerprint: str
    units: str = ""


def read_lesson(run: Run, splits: Splits, teacher: Teacher) -> Lesson:
    """Make new texts where they are asked for, choose the student's vocabulary, tokenize for both.

    Raises:
        TrainError: longer texts than the teacher reads; else as `choose_vocabulary` and `other_tokenizer`.
    """
    recipe, given = run.recipe, splits
    splits = with_augmented(
        splits, teacher.tokenizer, teacher.model, copies=recipe.distil.augment, seed=recipe.seed, progress=run.progress
    )
    # The teacher reads its own ids whatever the student reads: its outputs are cached once for all students.
    rows = read = encode_splits(teacher.tokenizer, splits, recipe.data.max_tokens, run.task)
    vocabulary = _vocabulary(run, given, teacher, read)
    shown = read.train.rows
    if vocabulary.kept is not None:
        rows = encode_splits(vocabulary.tokenizer, splits, recipe.data.max_tokens, run.task)
    if vocabulary.kept is not None and compares_tokens(recipe.distil):
        if vocabulary.added is None:
            # Token by token the two must be cut alike, and every piece of the student's is one of the teacher's.
            shown = aligned(rows.train.rows, vocabulary.kept)
        else:
            texts = [splits.train, *([] if splits.unlabelled is None else [splits.unlabelled])]
            rows.train.extra[ALIGNMENT_COLUMN] = aligned_tokens(
                vocabulary.tokenizer, teacher.tokenizer, rows.train.rows, shown, texts, recipe.data.max_tokens
            )
        rows.train.extra["teacher_input_ids"] = shown.ids
        if shown.types is not None:
            rows.train.extra["teacher_token_type_ids"] = shown.types
    if not run.task.labelled:
        for name, part in (("validation", read.validation), ("test", read.test)):
            rows.teacher[name] = outputs(teacher.model, part.rows)
    return Lesson(read, rows, shown, vocabulary, splits.fingerprint, splits.units)


def _vocabulary(run: Run, splits: Splits, teacher: Teacher, read: EncodedSplits) -> Vocabulary:
    """The student's, of the texts that the recipe names."""
    settings, ids = run.recipe.student, read.train.rows.ids
    if settings.tokenizer == "teacher":
        return choose_vocabulary(settings, teacher.tokenizer, ids[: read.labelled], ids[read.labelled :])
    tokenizer = other_tokenizer(settings, splits, teacher.tokenizer)
    return other_vocabulary(tokenizer, teacher.tokenizer, len(token_embeddings(teacher.model).weight))
