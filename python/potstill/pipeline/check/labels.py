"""The teacher's own labels against the recipe's task and the data's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from potstill.pipeline.check.findings import Findings
from potstill.pipeline.check.teacher import Teacher

if TYPE_CHECKING:
    from potstill.recipe.schema import Recipe


def check_labels(findings: Findings, recipe: Recipe, teacher: Teacher, labels: list[str] | None) -> None:
    """Whether the teacher is taken as it is, or fine-tuned, or refused.

    Args:
        labels: the data's; None where the data was not read.
    """
    from potstill.distil.teacher.label_order import answers, head_order, no_head
    from potstill.models.heads import task_of

    task, wanted = task_of(recipe), recipe.teacher.finetune
    if not task.labelled:
        return
    given = labels if labels is not None else recipe.data.labels
    fits = answers(teacher.config, task) and (given is None or head_order(teacher.config, given, task) is not None)
    if wanted == "never" and not fits:
        findings.refused("labels", no_head(recipe, given or []))
    elif wanted == "always" or not fits:
        findings.ok("labels", "the teacher is fine-tuned on them")
    elif given is None:
        findings.unknown("labels", "the teacher has a head; the data will show whether it is for these labels")
    else:
        findings.ok("labels", "the teacher has a head for them; training rows will show whether it is right")
