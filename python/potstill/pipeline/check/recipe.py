"""All checks of a recipe, in order. To add one: a function that is given `Findings`, and a line here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from potstill.errors import PotstillError
from potstill.pipeline.check.findings import Findings

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.pipeline.check.teacher import Teacher
    from potstill.recipe.schema import Recipe


def check_recipe(recipe: Recipe, *, cache: Path, fetch: bool, data: bool = False) -> Findings:
    """What can be known of a build before its first stage; nothing is trained, no weight is read.

    Args:
        recipe: a checked recipe (`potstill.models.recipes.load_recipe`).
        cache: shared downloads.
        fetch: get the small files of a teacher on the hub; else, and where the hub cannot be reached, what depends on
            them is not checked.
        data: read the data too.

    Raises:
        SystemFailure: a package that checks need is not installed.
    """
    from potstill.pipeline.check.data import check_data

    findings = Findings()
    splits = check_data(findings, recipe, cache) if data else None
    labels = splits.labels if splits is not None else recipe.data.labels
    check_teacher(findings, recipe, cache=cache, fetch=fetch, labels=labels, splits=splits)
    return findings


def check_teacher(
    findings: Findings,
    recipe: Recipe,
    *,
    cache: Path,
    fetch: bool,
    labels: list[str] | None,
    splits: Splits | None = None,
) -> Teacher | None:
    """What depends on the teacher's files: its kind, tokenizer, labels, and the student that it is to teach.

    Args:
        splits: the data, where it was read: its texts are looked at as the tokenizer cuts them.

    Returns:
        The teacher; None where its files are not on this machine or describe none.
    """
    from potstill.distil.teacher.sentence import lowercased, sentence_model, teacher_vectors
    from potstill.models.heads import task_of
    from potstill.pipeline.check.labels import check_labels
    from potstill.pipeline.check.student import check_student
    from potstill.pipeline.check.teacher import note_teacher, read_teacher, teacher_folder
    from potstill.pipeline.check.texts import check_tokens
    from potstill.pipeline.check.tokenizer import check_tokenizer

    try:
        folder = teacher_folder(recipe, cache=cache, fetch=fetch)
    except PotstillError as error:
        if error.code != "T003":
            findings.refused("teacher", error)
        else:
            findings.unknown("teacher", f"{recipe.teacher.model} is not on this machine: {error.what}")
        return None
    if folder is None and not str(recipe.teacher.model).startswith("demo:"):
        findings.unknown("teacher", f"{recipe.teacher.model} is not on this machine")
        return None
    task = task_of(recipe)
    # Their number changes nothing that is checked; without data two stand for them.
    named = [] if not task.labelled else (labels or ["0", "1"])
    try:
        said = None if folder is None else sentence_model(folder)
        vectors = teacher_vectors(
            folder or "", said, recipe.teacher.pooling, labelled=task.labelled, max_tokens=recipe.data.max_tokens
        )
        folder = None if folder is None else Path(vectors.source)
        teacher = read_teacher(recipe, folder, named, task.words, vectors)
    except PotstillError as error:
        findings.refused("teacher", error)
        return None
    note_teacher(findings, teacher)
    for note in vectors.notes:
        findings.warning("teacher", note)
    tokenizer = check_tokenizer(findings, recipe, teacher, splits)
    if said is not None and said.lowercase and tokenizer is not None:
        with findings.refusals("tokenizer"):
            lowercased(tokenizer, vectors.source)
    if splits is not None and tokenizer is not None:
        check_tokens(findings, recipe, teacher, tokenizer, splits)
    check_labels(findings, recipe, teacher, labels)
    check_student(findings, recipe, teacher, named, tokenizer)
    return teacher
