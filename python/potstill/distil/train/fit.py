"""One training of the pipeline, teacher's or student's: resumable, the average of the weights, the best epoch kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from potstill.distil.train.arguments import GroupedTrainer, Schedule, pipeline_arguments
from potstill.distil.train.checkpoints import KeepBest, latest_checkpoint
from potstill.distil.train.encoded import EncodedSplits
from potstill.distil.train.forward import ForwardProgress
from potstill.models.classifier import EncoderClassifier
from potstill.models.evaluation import outputs
from potstill.models.heads import Task, task_of
from potstill.models.hub import quiet_loading
from potstill.models.precision import training_attention
from potstill.models.tokens import Collator
from potstill.work.processes import current
from potstill.work.progress import Progress

if TYPE_CHECKING:
    from potstill.recipe.schema import Recipe

# Training rows whose accuracy is measured at the end.
TRAIN_SAMPLE = 1000


@dataclass(frozen=True)
class Run:
    """What all steps of a training share.

    Attributes:
        recipe: what is asked for.
        labels: names of the labels.
        cache: folder of what other trainings can use: demo packages, teacher outputs.
        work: folder of checkpoints; survives kills.
        progress: reports steps, epochs and messages.
    """

    recipe: Recipe
    labels: list[str]
    cache: Path
    work: Path
    progress: Progress

    @cached_property
    def task(self) -> Task:
        """The recipe's task, for these labels."""
        return task_of(self.recipe).with_labels(self.labels)


def fit(
    run: Run,
    model: nn.Module,
    rows: EncodedSplits,
    schedule: Schedule,
    trainer: Callable[..., GroupedTrainer],
    *,
    what: str,
    start: bool = False,
) -> list[dict[str, Any]]:
    """Train a model and leave its best weights in it.

    Args:
        run: of which task, work folder, progress and seed are read.
        model: as initialised, in training mode.
        rows: what it is trained on, and the validation rows by which the best epoch is chosen.
        schedule: how long and how fast.
        trainer: makes the trainer from Trainer's keywords.
        what: name of the model in messages.
        start: the weights given count as epoch 0.

    Returns:
        The evaluations of `KeepBest`, one for each epoch.
    """
    task, truth = run.task, rows.truth("validation")

    def measure(candidate: nn.Module) -> float:
        return task.score(outputs(candidate, rows.validation.rows, precision=schedule.precision), truth)

    def announce(epoch: int, value: float, best: bool) -> None:
        shown = f"validation {task.metric} {100 * value:.1f} %"
        run.progress.message(f"  {what}, epoch {epoch}: {shown}{', best' if best else ''}")

    keep = KeepBest(measure, run.work, schedule, announce, start)
    arguments = pipeline_arguments(run.work, schedule, run.recipe.seed)
    checkpoint = current().broadcast(lambda: latest_checkpoint(run.work))
    keep.resume(checkpoint)
    with quiet_loading(), run.progress.task(what, unit="steps") as shown:
        trainer(
            args=arguments,
            train_dataset=rows.train,
            data_collator=Collator(rows.train.rows.pad_id, per_token=task.words),
            callbacks=[ForwardProgress(shown), keep],
        ).train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    keep.restore_best(model)
    return keep.history


def facts_of(history: list[dict[str, Any]], model: nn.Module) -> dict[str, Any]:
    """Figures of every training: ``epochs``, ``best_epoch`` (0 for the start), ``parameters``."""
    best = max(history, key=lambda entry: entry["accuracy"], default=None)
    count = sum(parameter.numel() for parameter in model.parameters())
    return {"epochs": history, "best_epoch": int(best["epoch"]) if best else 0, "parameters": count}


def load_student(folder: Path) -> EncoderClassifier:
    """The student in a folder, to be trained."""
    with quiet_loading():
        return EncoderClassifier.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation=training_attention()
        ).train()


def write_model(out: Path, model: Any, tokenizer: Any) -> None:
    """Write a model with its tokenizer."""
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        model.save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
