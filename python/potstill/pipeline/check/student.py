"""The student against its teacher: activation, initialisation, positions, lengths, losses and budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from potstill.errors import RecipeError
from potstill.pipeline.check.findings import Findings
from potstill.pipeline.check.teacher import Teacher

if TYPE_CHECKING:
    from potstill.recipe.schema import Recipe, Student

# Special tokens around a pair where the tokenizer is not at hand: [CLS] a [SEP] b [SEP].
_USUAL_SPECIALS = 3


def check_student(
    findings: Findings, recipe: Recipe, teacher: Teacher, labels: list[str], tokenizer: Any | None
) -> None:
    """All that needs no text, of the recipe's student or, with a budget, of the most able one within it."""
    with findings.refusals("budget"):
        recipe = within_budget(recipe, teacher, len(labels))
        _check_activation(findings, recipe, teacher)
        _check_init(findings, recipe, teacher, labels)
        _check_lengths(findings, recipe, teacher, tokenizer)


def within_budget(recipe: Recipe, teacher: Teacher, labels: int) -> Recipe:
    """The recipe of the most able student within the budget, as far as that is known before the data is read.

    Raises:
        TrainError: there is none.
    """
    if not recipe.budget.stated:
        return recipe
    from potstill.pipeline.budget import ladder, meet
    from potstill.pipeline.budget.attempt import with_choice

    config = teacher.encoder.config
    vocabulary = int(config.vocab_size)
    known = ladder.Teacher(int(config.num_hidden_layers), int(config.hidden_size), vocabulary, vocabulary, labels)
    choices, limits = ladder.choices(recipe, known, recipe.budget.ms), meet.limits_of(recipe.budget)
    fitting = ladder.within(choices, limits)
    if not fitting:
        raise meet.nothing_fits(choices, limits, recipe)
    return with_choice(recipe, max(fitting, key=lambda choice: choice.expected))


def _check_activation(findings: Findings, recipe: Recipe, teacher: Teacher) -> None:
    from potstill.distil.students.inherited import activation_of, inherited_activation

    student = recipe.student
    if student.architecture == "static":
        findings.ok("operators", "the core runs every operator of a static student")
        return
    theirs, taken = activation_of(teacher.encoder.config), inherited_activation(teacher.encoder.config)
    name = student.activation or (taken if taken == theirs else f"{taken}; the core has no {theirs}, the teacher's")
    findings.ok("operators", f"the core runs every operator of a {student.architecture} student ({name})")


def _check_init(findings: Findings, recipe: Recipe, teacher: Teacher, labels: list[str]) -> None:
    from potstill.distil.students.job import Job
    from potstill.distil.students.job import check_student as check_sizes
    from potstill.distil.train.loss_settings import LossSettings
    from potstill.distil.train.token_losses import token_plan
    from potstill.models.token_states import token_view
    from potstill.runtime.rows import TokenRows

    settings = recipe.student
    with findings.refusals("init"):
        rows = TokenRows([], types=[] if recipe.data.text_pair is not None else None)
        student = check_sizes(Job(settings, teacher.classifier, labels, rows, longest=longest(recipe)))
        findings.ok("init", f"{settings.init}, from {_source(settings, teacher)}")
        losses = LossSettings.of(recipe.distil, {})
        if losses.by_token:
            with findings.refusals("losses"):
                token_plan(losses, token_view(student, "student"), token_view(teacher.classifier, "teacher"))
                findings.ok("losses", "teacher and student can be compared token by token")


def _source(settings: Student, teacher: Teacher) -> str:
    from potstill.distil.students.teacher_view import has_bert_layers

    kind = f"a teacher of type {teacher.encoder.config.model_type}"
    if settings.init == "random" or settings.architecture == "static" or has_bert_layers(teacher.classifier):
        return kind
    return f"the token table of {kind}; its layers are not BERT's, the student's start at random"


def longest(recipe: Recipe) -> int:
    """Tokens of the longest text that the student is made for."""
    return max(recipe.data.max_tokens, recipe.compile.max_tokens or 0)


def check_room(recipe: Recipe, tokenizer: Any | None) -> None:
    """RecipeError R032: data.max_tokens has no room for the special tokens and a token of each text."""
    pair = recipe.data.text_pair is not None
    specials = _USUAL_SPECIALS * pair if tokenizer is None else int(tokenizer.num_special_tokens_to_add(pair))
    least, what = (specials + 2, "pair") if pair else (specials + 1, "text")
    if recipe.data.max_tokens < least:
        raise RecipeError(
            "R032", f"data.max_tokens is {recipe.data.max_tokens}, the shortest {what} has {least} tokens",
            "data.max_tokens", f"set data.max_tokens = {least} or more",
        )  # fmt: skip


def _check_lengths(findings: Findings, recipe: Recipe, teacher: Teacher, tokenizer: Any | None) -> None:
    from potstill.models.positions import positions, usable_positions
    from potstill.models.tokens import check_limit

    stated = int(getattr(tokenizer, "model_max_length", 0) or 0)
    taken = [limit for limit in (usable_positions(teacher.encoder), stated) if limit]
    limit = min(taken, default=0)
    with findings.refusals("lengths"):
        check_limit(limit, recipe.data.max_tokens)
        ours = min([positions(teacher.encoder, longest(recipe)), *([stated] if stated else [])])
        wanted = recipe.compile.max_tokens
        if wanted is not None and wanted > ours:
            raise RecipeError(
                "R031", f"compile.max_tokens is {wanted}, the student has positions for {ours} tokens",
                "compile.max_tokens", f"set compile.max_tokens = {ours} or less (not under data.max_tokens)",
            )  # fmt: skip
        # Without a tokenizer of its own to look at, the student's has been looked at, or refused.
        if tokenizer is not None or recipe.student.tokenizer == "teacher":
            check_room(recipe, tokenizer)
        upto = f"the teacher takes {limit:,}" if limit else "the teacher has no limit"
        findings.ok("lengths", f"texts of {recipe.data.max_tokens} tokens, {upto}; the file takes {longest(recipe)}")
