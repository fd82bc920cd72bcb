"""`DistillationTrainer`: a transformers Trainer whose loss listens to a teacher.

Everything of the Trainer holds: checkpoints and resuming, Accelerate and torchrun, TensorBoard, callbacks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import TrainingArguments

from potstill.distil.losses import LOSSES, POOLED_LOSSES, LossInputs, total
from potstill.distil.students.basis import principal_basis
from potstill.distil.teacher.live import Taught, mask_of, pooled_of, run_teacher
from potstill.distil.train.arguments import GroupedTrainer, split_keywords
from potstill.distil.train.loss_settings import LossSettings
from potstill.distil.train.token_losses import (
    ALIGNMENT_COLUMN,
    STATE_COLUMN,
    TokenLosses,
    check_batch,
    over_students,
)
from potstill.errors import TrainError
from potstill.models.classifier import labels_words, load_classifier
from potstill.models.token_maps import StepMaps, add_to_optimizer, load_maps, save_maps
from potstill.models.token_states import tap
from potstill.models.tokens import Collator
from potstill.models.words import answered

TEACHER_COLUMNS = (
    "teacher_logits", "teacher_pooled", "teacher_input_ids", "teacher_token_type_ids", ALIGNMENT_COLUMN,
)  # fmt: skip
# Losses against the label, and those that read the teacher's logits.
_HARD, _SOFT = (tuple(name for name, loss in LOSSES.items() if loss.reads == kind) for kind in ("labels", "logits"))
# Rows whose pooled vectors decide the projection between widths.
_PROJECTION_ROWS = 2048


class DistillationTrainer(GroupedTrainer):
    """Train a student on labels and on a teacher's outputs.

    ``loss = alpha * CE(student, label) + (1 - alpha) * T^2 * KL(teacher || student)
    + pooled_cosine * (1 - cos(student pooled, teacher pooled))``, with the teacher's and the student's softmax at
    temperature T. A row whose label is -100 (or that has none) counts in the teacher's terms only. Losses of every
    token and layer are added with the weights ``embedding``, ``hidden``, ``attention`` (TinyBERT) and ``relations``
    (MiniLMv2): see `potstill.distil.losses`. Of models that label words the words of the batch are the rows of these
    losses: see `potstill.models.words.answered`.

    Rows may carry the teacher's outputs: ``teacher_logits``, ``teacher_pooled``, and states of tokens in
    ``teacher_state_<place>`` (`token_states` counts places); what is there is not computed again. A row with
    ``teacher_input_ids`` (and ``teacher_token_type_ids``, for pairs of texts) shows these to the teacher: a student
    with a vocabulary of its own. With ``teacher_alignment`` too, the student's tokens are compared with means of the
    teacher's (``embedding`` and ``hidden`` only).

    Args:
        student_model: a classifier: `EncoderClassifier` or any `*ForSequenceClassification`.
        teacher_model: the same, or a folder or hub id to load; may be absent when every row of ``train_dataset`` has
            the columns ``teacher_logits`` (and ``teacher_pooled`` for the cosine). It runs in eval mode, without
            gradients, and is never saved.
        temperature: T, above 0; 1 to 4 is usual.
        alpha: weight of the label's loss, 0 to 1.
        losses: the losses in full, instead of ``temperature``, ``alpha`` and the keywords below.
        pooled_projection: ``[teacher hidden, student hidden]`` f32, maps the teacher's pooled vector to the student's
            width. Default: the identity at equal width, else the principal axes of the teacher's pooled vectors.
        args: TrainingArguments; else give its fields as keywords: ``learning_rate=5e-5, num_train_epochs=3, ...``.
            ``optim="adamw"`` is understood, ``output_dir`` may be left out (``potstill-distil``).
        **keywords: weights of losses (``pooled_cosine``, ``embedding``, ``hidden``, ``attention``, ``relations``) and
            other fields of `LossSettings`; ``tokenizer``, which sets the padding id (the Trainer's
            ``processing_class``); ``group_lengths`` (True: batch rows of like length); other arguments of Trainer
            (datasets, callbacks, ...) and fields of TrainingArguments.

    Raises:
        TrainError: both args and fields given; unknown keyword; temperature or a weight out of range; teacher and
            student differ in their labels or in their vocabulary; no student; token-level losses that cannot be had,
            that lack a teacher model, or that would run on several GPUs in one process.
    """

    def __init__(
        self,
        student_model: nn.Module | None = None,
        teacher_model: nn.Module | str | Path | None = None,
        temperature: float = 2.0,
        alpha: float = 0.5,
        *,
        losses: LossSettings | None = None,
        pooled_projection: np.ndarray | torch.Tensor | None = None,
        args: TrainingArguments | None = None,
        **keywords: Any,
    ) -> None:
        student = keywords.pop("model", None) if student_model is None else student_model
        if student is None:
            raise TrainError("T028", "no student given", "DistillationTrainer", "give student_model=")
        self.losses = LossSettings.of_keywords(temperature, alpha, keywords) if losses is None else losses
        given = self.losses.class_weights
        self._class_weights = None if given is None else torch.as_tensor(given).float()
        self._parts: dict[str, torch.Tensor] = {}
        self._parts_steps = 0
        self._projection = None if pooled_projection is None else torch.as_tensor(pooled_projection).float()
        if (tokenizer := keywords.pop("tokenizer", None)) is not None:
            keywords.setdefault("processing_class", tokenizer)
        args, keywords = split_keywords(args, keywords)
        pad_id = getattr(keywords.get("processing_class"), "pad_token_id", None)
        per_token = labels_words(student.config)
        keywords.setdefault("data_collator", Collator(_pad_id(student) if pad_id is None else pad_id, per_token))
        super().__init__(model=student, args=args, **keywords)
        # Our loss is a mean over the batch: the Trainer has to divide it by the accumulation steps.
        self.model_accepts_loss_kwargs = False
        self.teacher_model = self._take_teacher(teacher_model, student)
        self.tokens: TokenLosses | None = None
        if self.losses.by_token:
            self._compare_tokens(student)

    def _compare_tokens(self, student: nn.Module) -> None:
        if self.teacher_model is None:
            raise TrainError(
                "T094",
                "losses of tokens need the teacher's layers, even where its states are cached",
                "DistillationTrainer",
                "give teacher_model=, or set embedding, hidden, attention and relations to 0",
            )
        if self.args.n_gpu > 1:
            raise TrainError(
                "T096",
                f"one process drives {self.args.n_gpu} GPUs, whose copies of the student hide their tokens",
                "DistillationTrainer",
                f"start one process a GPU: torchrun --nproc-per-node {self.args.n_gpu} ...",
            )
        made = TokenLosses(self.losses, student, self.teacher_model, self._projection, self.args.seed)
        self.tokens = made.to(self.args.device)
        self.add_callback(StepMaps(made.maps))

    def _take_teacher(self, given: nn.Module | str | Path | None, student: nn.Module) -> nn.Module | None:
        if given is None:
            return None
        teacher: Any = load_classifier(given) if isinstance(given, (str, Path)) else given
        theirs, ours = teacher.config, student.config
        if theirs.num_labels != ours.num_labels:
            raise TrainError(
                "T026",
                f"the teacher has {theirs.num_labels} labels, the student {ours.num_labels}",
                "DistillationTrainer",
                "build the student with the teacher's num_labels",
            )
        sizes = [_vocabulary(config) for config in (theirs, ours)]
        if _first_row(self.train_dataset).get("teacher_input_ids") is not None:
            sizes = []
        if len(sizes) == 2 and None not in sizes and sizes[0] != sizes[1]:
            raise TrainError(
                "T027",
                f"the teacher has {sizes[0]} tokens, the student {sizes[1]}",
                "DistillationTrainer",
                "give both the same tokenizer and vocab_size, or train from cached teacher_logits",
            )
        return teacher.to(self.args.device).eval().requires_grad_(False)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        columns = list(TEACHER_COLUMNS)
        if self.tokens is not None:
            columns += [f"{STATE_COLUMN}{place}" for place in self.tokens.plan.places(1)]
        self._signature_columns += [name for name in columns if name not in self._signature_columns]

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's, with the learned maps of the token-level losses added."""
        fresh = self.optimizer is None
        super().create_optimizer(*args, **kwargs)
        if fresh and self.tokens is not None:
            add_to_optimizer(self.optimizer, self.tokens.maps)
        return self.optimizer

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.tokens is not None and self.args.should_save:
            save_maps(self.tokens.maps, Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if self.tokens is not None and checkpoint is not None:
            load_maps(self.tokens.maps, Path(checkpoint))

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The distillation loss of one batch (a scalar), and the student's outputs on request."""
        inputs = dict(inputs)
        cached = {name: inputs.pop(name) for name in list(inputs) if name.startswith("teacher_")}
        labels = inputs.pop("labels", None)
        weights, tokens = dict(self.losses.weights), self.tokens
        taught = self._taught(inputs, cached)
        if taught is None and not model.training:
            # A validation set without teacher columns is still worth its label loss.
            weights, tokens = {name: 1.0 for name in weights if name in _HARD}, None
        taught = taught or Taught()
        wants_pooled = any(weights.get(name, 0.0) > 0 for name in POOLED_LOSSES)
        seen: Any = tap(tokens.student, tokens.plan.places(0)) if tokens is not None else contextlib.nullcontext({})
        with pooled_of(self.accelerator.unwrap_model(model), wants_pooled) as pooled, seen as states:
            outputs = model(**inputs)
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
        taught_logits = taught.logits
        if logits.ndim == 3:
            logits, labels, taught_logits = answered(logits, labels, taught_logits, mask_of(inputs))
        student_pooled = teacher_pooled = None
        if wants_pooled:
            student_pooled = pooled[0] if pooled else outputs["pooled"]
            if taught.pooled is not None:
                teacher_pooled = self._to_student_width(taught.pooled.float(), student_pooled.shape[-1])
        pairs = None
        if tokens is not None:
            theirs, mask = over_students(taught.states, mask_of(inputs), cached.get(ALIGNMENT_COLUMN))
            pairs = tokens(states, theirs, mask)
        value, parts = total(
            LossInputs(
                student_logits=logits.float(),
                teacher_logits=None if taught_logits is None else taught_logits.float(),
                student_pooled=None if student_pooled is None else student_pooled.float(),
                teacher_pooled=teacher_pooled,
                labels=labels,
                temperature=self.losses.temperature,
                tokens=pairs,
                class_weights=None if self._class_weights is None else self._class_weights.to(logits.device),
            ),
            weights,
        )
        if model.training:
            for name, part in parts.items():
                self._parts[name] = self._parts.get(name, torch.zeros_like(part)) + part
            self._parts_steps += 1
        return (value, outputs) if return_outputs else value

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add each loss's own mean since the last log: ``loss_hard``, ``loss_soft``, ``loss_pooled_cosine``."""
        if "loss" in logs and self._parts_steps:
            for name, part in self._parts.items():
                logs[f"loss_{name}"] = round(float(part) / self._parts_steps, 4)
            self._parts, self._parts_steps = {}, 0
        super().log(logs, *args, **kwargs)

    def _taught(self, inputs: Mapping[str, Any], cached: Mapping[str, Any]) -> Taught | None:
        """What the losses need of the teacher: from the batch where it is there, else from a run of the teacher.

        None when something is lacking and there is no teacher to run.
        """
        places = self.tokens.plan.places(1) if self.tokens is not None else []
        wants_pooled = self.losses.wants(*POOLED_LOSSES)
        states = {place: cached[f"{STATE_COLUMN}{place}"] for place in places if f"{STATE_COLUMN}{place}" in cached}
        found = Taught(cached.get("teacher_logits"), cached.get("teacher_pooled"), states)
        if places and "teacher_attention_mask" in cached and ALIGNMENT_COLUMN not in cached:
            check_batch(mask_of(inputs), cached["teacher_attention_mask"])
        lacks_logits = found.logits is None and self.losses.wants(*_SOFT)
        lacks_pooled = found.pooled is None and wants_pooled
        if not lacks_logits and not lacks_pooled and len(states) == len(places):
            return found
        if self.teacher_model is None:
            return None
        if "teacher_input_ids" in cached:
            inputs = _teacher_inputs(cached)
        live = self._run_teacher(inputs, lacks_pooled, [place for place in places if place not in states])
        return Taught(
            live.logits if found.logits is None else found.logits,
            live.pooled if found.pooled is None else found.pooled,
            {**live.states, **states},
        )

    def _run_teacher(self, inputs: Mapping[str, Any], wants_pooled: bool, places: Sequence[int] = ()) -> Taught:
        assert self.teacher_model is not None
        view = self.tokens.teacher if self.tokens is not None else None
        return run_teacher(
            self.teacher_model, inputs, wants_pooled, view, places, bf16=self.args.bf16, device=self.args.device.type
        )

    def _to_student_width(self, teacher_pooled: torch.Tensor, width: int) -> torch.Tensor:
        if self._projection is None:
            if teacher_pooled.shape[-1] == width:
                return teacher_pooled
            self._projection = torch.from_numpy(principal_basis(self._sample_pooled(), width))
        self._projection = self._projection.to(teacher_pooled.device)
        return teacher_pooled @ self._projection

    def _sample_pooled(self) -> np.ndarray:
        """Teacher's pooled vectors of the first training rows: a resumed run gets the same ones."""
        rows = [dict(self.train_dataset[row]) for row in range(min(len(self.train_dataset), _PROJECTION_ROWS))]
        if "teacher_pooled" in rows[0]:
            return np.stack([np.asarray(row["teacher_pooled"], dtype=np.float32) for row in rows])
        collate = Collator(_pad_id(self.accelerator.unwrap_model(self.model)))
        found = []
        for start in range(0, len(rows), 32):
            batch = {key: value.to(self.args.device) for key, value in collate(rows[start : start + 32]).items()}
            if "teacher_input_ids" in batch:
                batch = _teacher_inputs(batch)
            found.append(self._run_teacher(batch, True).pooled)
        return torch.cat([vectors for vectors in found if vectors is not None]).float().cpu().numpy()


def _teacher_inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What a batch with ``teacher_input_ids`` shows to the teacher."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: batch[f"teacher_{name}"] for name in names if f"teacher_{name}" in batch}


def _pad_id(model: nn.Module) -> int:
    config = model.config
    backbone = getattr(config, "backbone", None)
    value = backbone.get("pad_token_id") if isinstance(backbone, Mapping) else getattr(config, "pad_token_id", None)
    return 0 if value is None else int(value)


def _vocabulary(config: Any) -> int | None:
    backbone = getattr(config, "backbone", None)
    return backbone.get("vocab_size") if isinstance(backbone, Mapping) else getattr(config, "vocab_size", None)


def _first_row(dataset: Any) -> Mapping[str, Any]:
    return dataset[0] if hasattr(dataset, "__getitem__") and len(dataset) else {}
