"""Training arguments shared by teacher and student, and a Trainer that groups lengths and keeps quiet."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from potstill.errors import TrainError
from potstill.models.precision import use_bf16
from potstill.models.tokens import Collator, LengthGroupedSampler
from potstill.work.processes import current

# Names people write for the optimizer, and what the Trainer calls it.
OPTIMIZERS = {"adamw": "adamw_torch_fused", "adam": "adamw_torch_fused", "adamw_hf": "adamw_torch_fused"}


def argument_names() -> frozenset[str]:
    """Every field of TrainingArguments."""
    return frozenset(field.name for field in dataclasses.fields(TrainingArguments))


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a model is trained.

    Attributes:
        epochs: passes over the data; a part of one ends inside it.
        learning_rate: peak of a linear rise and fall.
        batch_size: rows of a step, over all processes.
        precision: auto, fp32 or bf16.
        warmup: share of the steps that rise (0-1).
        save_steps: steps between two checkpoints inside an epoch.
        patience: epochs without a better value before stopping; None never stops.
        section: of the recipe, for errors.
    """

    epochs: float
    learning_rate: float
    batch_size: int
    precision: str
    warmup: float
    save_steps: int
    patience: int | None = None
    section: str = "distil"


def pipeline_arguments(work: Path, schedule: Schedule, seed: int) -> TrainingArguments:
    """Arguments of a run of the pipeline: silent, checkpoints decided by `KeepBest`, the last two kept.

    Args:
        work: folder of the checkpoints.
        schedule: how long and how fast.
        seed: seed of weights, dropout and order.

    Raises:
        RecipeError: the processes do not divide the batch.
    """
    everyone = current().start()
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=schedule.epochs,
        learning_rate=schedule.learning_rate,
        per_device_train_batch_size=everyone.share(schedule.batch_size, f"{schedule.section}.batch_size"),
        warmup_steps=schedule.warmup,
        weight_decay=0.01,
        optim="adamw_torch_fused",
        seed=seed,
        data_seed=seed,
        bf16=use_bf16(schedule.precision),
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if everyone.count > 1 and not torch.cuda.is_available() else None,
        logging_steps=20,
        # A loss that is no number is what `diagnosis` has to see.
        logging_nan_inf_filter=False,
        save_strategy="no",
        save_total_limit=2,
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        log_level="error",
        log_level_replica="error",
    )


def split_keywords(
    args: TrainingArguments | None, keywords: dict[str, Any]
) -> tuple[TrainingArguments, dict[str, Any]]:
    """Tell TrainingArguments' fields from the Trainer's own keywords, and make the arguments.

    Raises:
        TrainError: both args and fields given; unknown keyword.
    """
    fields = argument_names()
    own = frozenset(inspect.signature(Trainer.__init__).parameters) - {"self", "model", "args"} | {"group_lengths"}
    given = {name: keywords.pop(name) for name in list(keywords) if name in fields}
    for name in keywords:
        if name not in own:
            near = difflib.get_close_matches(name, sorted(fields | own), 1)
            raise TrainError(
                "T023",
                f"unknown argument {name!r}",
                "DistillationTrainer",
                f"did you mean {near[0]}?" if near else "see transformers.TrainingArguments",
            )
    if args is not None:
        if given:
            raise TrainError(
                "T022",
                f"both args and {', '.join(sorted(given))} given",
                "DistillationTrainer",
                "set these in args, or leave args out",
            )
        return args, keywords
    given.setdefault("output_dir", "potstill-distil")
    given.setdefault("report_to", "none")
    if isinstance(given.get("optim"), str):
        given["optim"] = OPTIMIZERS.get(given["optim"].lower(), given["optim"])
    given.setdefault("dataloader_pin_memory", torch.cuda.is_available())  # without a GPU it does nothing but warn
    return TrainingArguments(**given), keywords


class _FollowEpoch(TrainerCallback):
    """Tells the sampler the epoch. Accelerate does so too, but not through a resumed, sharded loader."""

    def __init__(self, trainer: GroupedTrainer) -> None:
        self.trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.trainer.sampler is not None:
            # The epoch is k exactly after k epochs, k + a part inside one.
            self.trainer.sampler.set_epoch(int((state.epoch or 0) + 1e-6))


class GroupedTrainer(Trainer):
    """A Trainer that batches rows of like length (`LengthGroupedSampler`) and prints nothing of its own."""

    def __init__(self, *args: Any, group_lengths: bool = True, **kwargs: Any) -> None:
        self.group_lengths = group_lengths
        self.sampler: LengthGroupedSampler | None = None
        kwargs.setdefault("data_collator", Collator())
        super().__init__(*args, **kwargs)
        self.add_callback(_FollowEpoch(self))
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        strategy = getattr(self.args, "train_sampling_strategy", "random")
        if not self.group_lengths or strategy != "random" or not hasattr(dataset, "__len__"):
            return super()._get_train_sampler(train_dataset)
        lengths = getattr(dataset, "lengths", None)
        if lengths is None:
            lengths = [len(row["input_ids"]) for row in dataset]
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        # Accelerate deals consecutive batches of a process to the processes in turn: together they are one of a step.
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        self.sampler = LengthGroupedSampler(lengths, batch, seed)
        return self.sampler
