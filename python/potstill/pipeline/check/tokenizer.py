"""The tokenizers of teacher and student, most often the same: what the last stage would refuse is refused here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.distil.vocabulary.own import DEFAULT_MODEL
from potstill.errors import CompileError, PotstillError, TrainError
from potstill.pipeline.check.findings import Findings
from potstill.pipeline.check.student import check_room
from potstill.pipeline.check.teacher import Teacher, has_tokenizer

if TYPE_CHECKING:
    from potstill.compile.tokenizers import Tables
    from potstill.data.splits import Splits
    from potstill.recipe.schema import Recipe, Student

_OWN = "give the student a tokenizer of its own: --set student.tokenizer=own"
_PAIRS = "use a teacher whose tokenizer joins pairs as BERT's does, or leave data.text_pair out"
_CASING = 'write "do_lower_case": true (or false) into the teacher\'s tokenizer_config.json'


def check_tokenizer(findings: Findings, recipe: Recipe, teacher: Teacher, splits: Splits | None = None) -> Any | None:
    """Load the teacher's tokenizer as training does; save it as training does, and read it as the compiler does, if it
    is the student's too.

    Args:
        splits: the data, where it was read: a tokenizer of the student's own has to have room for its characters.

    Returns:
        The teacher's tokenizer, if it can be used.
    """
    named = f"teacher.model = {recipe.teacher.model}"
    if recipe.student.tokenizer != "teacher":
        return _check_other(findings, recipe, teacher, splits)
    if teacher.folder is None:
        findings.ok("tokenizer", "the demo teacher's")
        return None
    try:
        tokenizer = _load(teacher.folder, named)
        tables = _tables(tokenizer, teacher.folder)
        _check_ids(tokenizer, teacher, named)
        _check_pairs(recipe, tables, named)
        if recipe.student.vocabulary == "seen":
            _check_pruned(tokenizer, recipe.student)
    except CompileError as error:
        step = {"C147": _CASING, "C145": _PAIRS}.get(error.code, _OWN)
        findings.refused("tokenizer", type(error)(error.code, error.what, named, step))
        return None
    except PotstillError as error:
        findings.refused("tokenizer", error)
        return None
    kind = tables.model.step.table.replace("Bpe", "BPE")
    findings.ok("tokenizer", f"{kind}, {len(tokenizer):,} tokens")
    for note in tables.notes:
        findings.warning("tokenizer", note)
    return tokenizer


def _check_other(findings: Findings, recipe: Recipe, teacher: Teacher, splits: Splits | None) -> Any | None:
    """As `check_tokenizer`, of a student that cuts texts otherwise than its teacher."""
    from potstill.distil.teacher.teaching import compares_tokens
    from potstill.distil.vocabulary.alignment import check_places
    from potstill.distil.vocabulary.other import folder_tokenizer

    settings, theirs, named = recipe.student, None, f"student.tokenizer = {recipe.student.tokenizer}"
    try:
        if teacher.folder is not None:
            theirs = _load(teacher.folder, f"teacher.model = {recipe.teacher.model}")
            _check_ids(theirs, teacher, f"teacher.model = {recipe.teacher.model}")
            if compares_tokens(recipe.distil) and recipe.task != "token-classification":
                check_places(theirs)
        ours = folder_tokenizer(settings) if settings.tokenizer != "own" else _own(settings, splits, theirs)
        tables = _tables(ours, settings.tokenizer_folder or Path())
        _check_pairs(recipe, tables, named)
        check_room(recipe, ours)
        limit = int(getattr(ours, "model_max_length", 0) or 0)
        wanted = max(recipe.data.max_tokens, recipe.compile.max_tokens or 0)
        if 0 < limit < wanted:
            raise TrainError(
                "T007", f"the student is made for {wanted} tokens, its tokenizer takes {limit}", named,
                f"set data.max_tokens and compile.max_tokens to {limit} or less",
            )  # fmt: skip
    except CompileError as error:
        step = error.next_step if error.code == "C145" else "use a tokenizer that the core has"
        findings.refused("tokenizer", type(error)(error.code, error.what, named, step))
        return None
    except PotstillError as error:
        findings.refused("tokenizer", error)
        return None
    made = f"the student's own, {settings.tokenizer_model or DEFAULT_MODEL}" if settings.tokenizer == "own" else named
    findings.ok("tokenizer", made)
    for note in tables.notes:
        findings.warning("tokenizer", note)
    return theirs


def _own(settings: Student, splits: Splits | None, teacher: Any) -> Any:
    """A tokenizer as the student's own, but of two words: all but its tokens is known before it is made."""
    from datasets import Dataset

    from potstill.data.splits import Splits
    from potstill.distil.vocabulary.own import check_size, own_tokenizer

    words = Dataset.from_dict({"text": ["two words"]})
    found = own_tokenizer(settings, Splits(words, words, words, None, [], "", ""), teacher)
    if splits is not None:
        check_size(settings, splits, teacher)
    return found


def _load(folder: Path, named: str) -> Any:
    from transformers import AutoTokenizer

    from potstill.models.hub import quiet_loading

    if not has_tokenizer(folder):
        raise TrainError(
            "T104", "the folder holds no tokenizer", named,
            "save it beside the model: AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)",
        )  # fmt: skip
    try:
        with quiet_loading():
            return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:  # `tokenizers` raises plain Exception, a missing sentencepiece ImportError
        reason = " ".join(str(error).split())[:200]
        raise TrainError(
            "T105",
            f"the teacher's tokenizer cannot be loaded ({type(error).__name__}: {reason})",
            named,
            "save it again with the library that made it, or use another teacher",
        ) from error


def _tables(tokenizer: Any, folder: Path) -> Tables:
    """The core's tables of the tokenizer as the student's folder will have it, and of the folder as it lies there."""
    from potstill.compile.tokenizers import read_tokenizer
    from potstill.models.hub import quiet_loading

    with tempfile.TemporaryDirectory() as saved, quiet_loading():
        tokenizer.save_pretrained(saved)
        tables = read_tokenizer(Path(saved))
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        # Saving it states what the folder may leave open: whether text is lower-cased.
        read_tokenizer(folder)
    return tables


def _check_ids(tokenizer: Any, teacher: Teacher, named: str) -> None:
    from potstill.models.tokens import give_padding

    give_padding(tokenizer, named)
    rows = int(teacher.encoder.config.vocab_size)
    highest = max(tokenizer.get_vocab().values())
    if highest >= rows:
        raise TrainError(
            "T106", f"the tokenizer gives ids up to {highest}, the teacher has a table of {rows}", named,
            "save the tokenizer that belongs to the model beside it, or resize the model's table",
        )  # fmt: skip


def _check_pairs(recipe: Recipe, tables: Tables, named: str) -> None:
    if recipe.data.text_pair is not None and tables.template.pairs_problem is not None:
        raise CompileError("C145", tables.template.pairs_problem, named, _PAIRS)


def _check_pruned(tokenizer: Any, settings: Student) -> None:
    """A vocabulary of tokens seen can be made, whatever tokens these are."""
    from potstill.distil.vocabulary.choice import pieces_by_settings
    from potstill.distil.vocabulary.prune.tokenizer import Prunable

    source = Prunable(tokenizer)
    source.pruned(pieces_by_settings(settings, source, []))
