"""A student whose tokenizer is not its teacher's: which one it is, and where its tokens start from.

Its ids and the teacher's have nothing to do with each other. Each token starts from the mean of the teacher's tokens
that spell it (`spelling`), as a row of the teacher's table: the initialisations then find a teacher that reads the
student's tokens, if not as well as its own. What the student learns from are the teacher's outputs for the same text,
read as the teacher reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import AutoTokenizer

from potstill.distil.vocabulary.choice import Vocabulary
from potstill.distil.vocabulary.own import own_tokenizer
from potstill.distil.vocabulary.spelling import spelt
from potstill.errors import TrainError
from potstill.models.hub import quiet_loading
from potstill.work.processes import current

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.recipe.schema import Student


def other_tokenizer(settings: Student, splits: Splits, teacher: Any) -> Any:
    """The student's tokenizer: made of the texts, or that of its folder.

    Args:
        settings: ``tokenizer``, which is not "teacher", and what it says of one to be made.
        splits: training and unlabelled texts.
        teacher: the teacher's tokenizer.

    Raises:
        TrainError: as `own_tokenizer` and `folder_tokenizer`.
    """
    if settings.tokenizer_folder is not None:
        return folder_tokenizer(settings)
    # Made once and told to all: it takes as long as some epochs of a small student.
    return current().broadcast(lambda: own_tokenizer(settings, splits, teacher))


def folder_tokenizer(settings: Student) -> Any:
    """The tokenizer of the folder that ``student.tokenizer`` names.

    Raises:
        TrainError: there is no such folder, or no tokenizer in it; it cannot pad; it is not one of the library
            `tokenizers`.
    """
    folder = settings.tokenizer_folder
    assert folder is not None
    if not folder.is_dir():
        raise _no_tokenizer("there is no such folder", settings.tokenizer)
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # `tokenizers` raises plain Exception, a missing sentencepiece ImportError
        reason = " ".join(str(error).split())[:200]
        raise _no_tokenizer(f"the tokenizer cannot be loaded ({type(error).__name__}: {reason})", folder) from error
    if not getattr(tokenizer, "is_fast", False):
        raise _no_tokenizer(f"{type(tokenizer).__name__} is not backed by the tokenizers library", folder)
    if tokenizer.pad_token_id is None:
        raise _no_tokenizer("the tokenizer has no padding token", folder)
    return tokenizer


def _no_tokenizer(what: str, where: Path | str) -> TrainError:
    return TrainError(
        "T130", what, f"student.tokenizer = {where}",
        'use "teacher", "own", or a folder with a tokenizer.json that save_pretrained wrote',
    )  # fmt: skip


def other_vocabulary(tokenizer: Any, teacher: Any, rows: int) -> Vocabulary:
    """The vocabulary of a student with a tokenizer of its own.

    A token that the teacher spells as one of its own starts from that one; any other from a row added to its table.

    Args:
        tokenizer: the student's.
        teacher: the teacher's tokenizer.
        rows: of the teacher's token table.
    """
    found = spelt(tokenizer, teacher)
    kept = np.zeros(len(found), np.int32)
    added: list[np.ndarray] = []
    for number, ids in enumerate(found):
        kept[number] = ids[0] if len(ids) == 1 else rows + len(added)
        if len(ids) != 1:
            added.append(np.asarray(ids, np.int64))
    return Vocabulary(tokenizer, teacher, kept, len(found), len(teacher), added)
