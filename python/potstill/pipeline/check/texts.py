"""What the texts are written in, and how teacher and student will cut them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from potstill.pipeline.check.findings import Findings

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.pipeline.check.teacher import Teacher
    from potstill.recipe.schema import Recipe

# Rows from which the student's pieces are chosen here too; with more, a check would take minutes.
_MOST_ROWS = 50_000


def check_script(findings: Findings, splits: Splits) -> None:
    """Scripts and languages of the training texts."""
    from potstill.data.languages import in_words, languages, plain, scripts
    from potstill.models.text_facts import sample

    texts = [plain(text) for text in sample(splits.train["text"])]
    for name, seen in in_words(scripts(texts), languages(texts)).items():
        findings.ok(name, seen)


def check_tokens(findings: Findings, recipe: Recipe, teacher: Teacher, tokenizer: Any, splits: Splits) -> None:
    """How the teacher's tokenizer cuts texts, and the student's, as far as that is known before it is made.

    Of validation texts, since a tokenizer that is made of the training texts knows these.

    Args:
        tokenizer: the teacher's.
    """
    from potstill.distil.teacher.text_check import examine_texts

    texts = splits.validation["text"]
    findings.ok("tokens", f"teacher: {_cut(tokenizer, texts)}")
    with findings.refusals("tokenizer"):
        student = _student_tokenizer(recipe, teacher, tokenizer, splits)
        findings.ok("tokens", f"student: {student if isinstance(student, str) else _cut(student, texts)}")
    for sentence in examine_texts(tokenizer, splits, recipe.data.max_tokens):
        findings.warning("texts", sentence)


def _cut(tokenizer: Any, column: Sequence[Any]) -> str:
    """As "1.31 tokens a word, unknown 0.00 %, bytes 0.00 %"."""
    from potstill.models.text_facts import sample, tokens_told
    from potstill.models.token_counts import by_characters, count_tokens, summary

    rows = sample(column)
    figures = tokens_told(summary(count_tokens(tokenizer, rows), characters=by_characters(rows)))
    (what, each), *shares = figures.items()
    return ", ".join([f"{each} {what}", *(f"{name} {share}" for name, share in shares)])


def _student_tokenizer(recipe: Recipe, teacher: Teacher, tokenizer: Any, splits: Splits) -> Any:
    """The student's tokenizer; a text that says why it is not known yet.

    Raises:
        TrainError: it cannot be made.
    """
    from potstill.distil.teacher.reading import reading_units
    from potstill.distil.vocabulary.choice import choose_vocabulary
    from potstill.distil.vocabulary.other import folder_tokenizer
    from potstill.models.classifier import has_head
    from potstill.models.rows import encode_dataset

    settings, limit = recipe.student, recipe.data.max_tokens
    if settings.tokenizer == "own":
        return "a tokenizer of its own, made of the texts: the report tells"
    if settings.tokenizer != "teacher":
        return folder_tokenizer(settings)
    if settings.vocabulary == "full":
        return tokenizer
    parts = [splits.train, *([] if splits.unlabelled is None else [splits.unlabelled])]
    if sum(map(len, parts)) > _MOST_ROWS:
        return f"pieces that more than {_MOST_ROWS:,} texts have: the report tells"
    if not has_head(teacher.config):
        tokenizer = reading_units(tokenizer, splits.units)
    ids = [encode_dataset(tokenizer, part, limit).ids for part in parts]
    return choose_vocabulary(settings, tokenizer, *ids).tokenizer
