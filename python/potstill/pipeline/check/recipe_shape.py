"""A recipe before training: will the core run its student, and how large and fast will it be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from potstill.doctor.check import Findings
from potstill.errors import missing_module

if TYPE_CHECKING:
    from potstill.bench.predict import CostModel
    from potstill.pipeline.check.teacher import Teacher
    from potstill.recipe.schema import Recipe, Student

# BERT's vocabulary and the demo teacher's: what a student gets unless the teacher's files say otherwise.
BERT_VOCABULARY = 30522
_ARCHITECTURES = ("bert", "factorized", "static")


def shape_of_recipe(findings: Findings, subject: str) -> CostModel | None:
    """The student that a recipe asks for, with what the teacher's files say where they are on this machine.

    Raises:
        RecipeError: R... what is wrong in the recipe.
    """
    try:
        from potstill.models.recipes import load_recipe
    except ImportError as error:
        lacking = missing_module(error, "build", subject)
        findings.unknown("recipe", f"{lacking.what}: {lacking.next_step}")
        return None
    from potstill.bench.predict import student as model_of_student
    from potstill.bench.predict.model import linear_part
    from potstill.recipe.presets import FACTORIZED_SIZE

    recipe = load_recipe(subject)
    student = recipe.student
    if student.architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        findings.failure("student", f"{student.architecture!r} is not a student architecture", f"use one of {known}")
        return None
    longest = recipe.compile.max_tokens or recipe.data.max_tokens
    static = student.architecture == "static"
    embedding = 0
    if student.architecture == "factorized":
        embedding = student.embedding_size or min(FACTORIZED_SIZE, student.hidden)
    findings.ok("student", f"{_sizes(student, embedding)}, {recipe.compile.scheme}, {longest} tokens")
    vocabulary, made = _looked_at(findings, recipe)
    if made is None:
        return None
    recipe, student = made, made.student
    if student.vocabulary == "seen":
        vocabulary = _pruned(findings, student.vocabulary_size, vocabulary)
    layers, ffn, heads = (
        (0, student.head_hidden, 1) if static else (student.layers, student.intermediate, student.heads)
    )
    return model_of_student(
        layers, student.hidden, ffn, heads, vocabulary, longest, _labels(recipe),
        linear_part(recipe.compile.scheme), embedding=embedding if embedding != student.hidden else 0,
        table_scheme="" if recipe.compile.embedding == "auto" else recipe.compile.embedding,
    )  # fmt: skip


def _labels(recipe: Recipe) -> int:
    """Outputs of the head; 2 where only the data shows it."""
    from potstill.models.heads import task_of

    return len(recipe.data.labels or ()) or 2 if task_of(recipe).labelled else 0


def _looked_at(findings: Findings, recipe: Recipe) -> tuple[int, Recipe | None]:
    """Size of the teacher's vocabulary, and the recipe of the student that is made: of a budget the most able one.

    What the build's own check finds (`potstill.pipeline.check`) becomes findings; nothing is fetched.
    """
    from potstill.pipeline.check.findings import Findings as Found
    from potstill.pipeline.check.recipe import check_teacher
    from potstill.work.cache import cache_dir

    found, teacher = Found(findings.section), None
    try:
        teacher = check_teacher(found, recipe, cache=cache_dir(), fetch=False, labels=recipe.data.labels)
    except ImportError as error:
        lacking = missing_module(error, "build", str(recipe.teacher.model))
        findings.unknown("teacher", f"{lacking.what}: {lacking.next_step}")
    vocabulary = BERT_VOCABULARY
    if teacher is None:
        seen = f"{recipe.teacher.model} is not on this machine: counted with BERT's {BERT_VOCABULARY:,} tokens"
        findings.unknown("vocabulary", seen)
    else:
        vocabulary = int(teacher.encoder.config.vocab_size)
        findings.ok("vocabulary", f"{vocabulary:,} tokens, the teacher's")
    findings.checks += found.checks
    if not recipe.budget.stated:
        return vocabulary, recipe
    if teacher is None:
        return vocabulary, None
    return vocabulary, _chosen(findings, recipe, teacher)


def _chosen(findings: Findings, recipe: Recipe, teacher: Teacher) -> Recipe | None:
    """The recipe of the most able student within the budget; None where the check found that there is none."""
    from potstill.errors import PotstillError
    from potstill.pipeline.check.student import within_budget

    try:
        best = within_budget(recipe, teacher, _labels(recipe))
    except PotstillError:
        return None
    student = best.student
    seen = f"the most able student within it has {_sizes(student, 0)}, {best.compile.scheme}"
    findings.ok("budget", f"{seen}; only training shows whether one keeps the accuracy")
    return best


def _sizes(student: Student, embedding: int) -> str:
    if student.architecture == "static":
        head = f", a head of {student.head_hidden}" if student.head_hidden else ""
        return f"static: no attention, vectors of {student.hidden}{head}"
    table = f", a token table of {embedding}" if embedding else ""
    return f"{student.layers} layers, hidden {student.hidden}, {student.heads} heads, FFN {student.intermediate}{table}"


def _pruned(findings: Findings, most: int | None, full: int) -> int:
    """An upper bound: what the texts use is known once they are read."""
    bound = full if most is None else min(most, full)
    seen = (
        f"at most {bound:,} of them are kept: which occur is known once the data is read; sizes below are upper bounds"
    )
    findings.unknown("vocabulary kept", seen)
    return bound
