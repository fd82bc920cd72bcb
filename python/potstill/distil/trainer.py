"""`DistillationTrainer`: a transformers Trainer whose loss listens to a teacher.

Everything of the Trainer holds: checkpoints and resuming, Accelerate and torchrun, TensorBoard, callbacks.
"""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import TrainingArguments

from potstill.distil.arguments import OPTIMIZERS, GroupedTrainer, argument_names
from potstill.distil.losses import POOLED, Outputs, total
from potstill.distil.modeling import head_name, load_classifier
from potstill.distil.students.basis import principal_basis
from potstill.distil.tokens import Collator
from potstill.errors import TrainError

TEACHER_COLUMNS = ("teacher_logits", "teacher_pooled")
# Rows whose pooled vectors decide the projection between widths.
_PROJECTION_ROWS = 2048


class DistillationTrainer(GroupedTrainer):
    """Train a student on labels and on a teacher's outputs.

    ``loss = alpha * CE(student, label) + (1 - alpha) * T^2 * KL(teacher || student)
    + pooled_cosine * (1 - cos(student pooled, teacher pooled))``, with the teacher's and the student's softmax at
    temperature T. A row whose label is -100 (or that has none) counts in the teacher's terms only.

    Args:
        student_model: a classifier: `EncoderClassifier` or any `*ForSequenceClassification`.
        teacher_model: the same, or a folder or hub id to load; may be absent when every row of ``train_dataset`` has
            the columns ``teacher_logits`` (and ``teacher_pooled`` for the cosine). It runs in eval mode, without
            gradients, and is never saved.
        temperature: T, above 0; 1 to 4 is usual.
        alpha: weight of the label's loss, 0 to 1.
        pooled_cosine: weight of the cosine loss between pooled vectors.
        loss_weights: names of `potstill.distil.losses.LOSSES` with weights, instead of ``alpha`` and ``pooled_cosine``.
        pooled_projection: ``[teacher hidden, student hidden]`` f32, maps the teacher's pooled vector to the student's
            width. Default: the identity at equal width, else the principal axes of the teacher's pooled vectors.
        args: TrainingArguments; else give its fields as keywords: ``learning_rate=5e-5, num_train_epochs=3, ...``.
            ``optim="adamw"`` is understood, ``output_dir`` may be left out (``potstill-distil``).
        tokenizer: sets the padding id; the same as the Trainer's ``processing_class``.
        group_lengths: batch rows of like length.
        **keywords: other arguments of Trainer (datasets, callbacks, ...) and fields of TrainingArguments.

    Raises:
        TrainError: T022 both args and fields given, T023 unknown keyword, T024 temperature, T025 alpha or
            pooled_cosine out of range, T026 teacher and student differ in their labels, T027 in their vocabulary,
            T028 no student.
    """

    def __init__(
        self,
        student_model: nn.Module | None = None,
        teacher_model: nn.Module | str | Path | None = None,
        temperature: float = 2.0,
        alpha: float = 0.5,
        *,
        pooled_cosine: float = 0.0,
        loss_weights: Mapping[str, float] | None = None,
        pooled_projection: np.ndarray | torch.Tensor | None = None,
        args: TrainingArguments | None = None,
        tokenizer: Any = None,
        group_lengths: bool = True,
        **keywords: Any,
    ) -> None:
        student = keywords.pop("model", None) if student_model is None else student_model
        if student is None:
            raise TrainError("T028", "no student given", "DistillationTrainer", "give student_model=")
        _check_ranges(temperature, alpha, pooled_cosine)
        self.temperature = float(temperature)
        self.weights = {"hard": float(alpha), "soft": 1.0 - float(alpha), "pooled_cosine": float(pooled_cosine)}
        if loss_weights is not None:
            self.weights = dict(loss_weights)
        self._parts: dict[str, torch.Tensor] = {}
        self._parts_steps = 0
        self._projection = None if pooled_projection is None else torch.as_tensor(pooled_projection).float()
        args, keywords = _split_keywords(args, keywords)
        if tokenizer is not None:
            keywords.setdefault("processing_class", tokenizer)
        pad_id = getattr(keywords.get("processing_class"), "pad_token_id", None)
        keywords.setdefault("data_collator", Collator(_pad_id(student) if pad_id is None else pad_id))
        super().__init__(model=student, args=args, group_lengths=group_lengths, **keywords)
        # Our loss is a mean over the batch: the Trainer has to divide it by the accumulation steps.
        self.model_accepts_loss_kwargs = False
        self.teacher_model = self._take_teacher(teacher_model, student)

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
        if None not in sizes and sizes[0] != sizes[1]:
            raise TrainError(
                "T027",
                f"the teacher has {sizes[0]} tokens, the student {sizes[1]}",
                "DistillationTrainer",
                "give both the same tokenizer and vocab_size, or train from cached teacher_logits",
            )
        return teacher.to(self.args.device).eval().requires_grad_(False)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns += [name for name in TEACHER_COLUMNS if name not in self._signature_columns]

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The distillation loss of one batch (a scalar), and the student's outputs on request."""
        inputs = dict(inputs)
        teacher_logits = inputs.pop("teacher_logits", None)
        teacher_pooled = inputs.pop("teacher_pooled", None)
        labels = inputs.pop("labels", None)
        weights = dict(self.weights)
        wants_pooled = any(weights.get(name, 0.0) > 0 for name in POOLED)
        if (teacher_logits is None and weights.get("soft", 0.0) > 0) or (teacher_pooled is None and wants_pooled):
            if self.teacher_model is not None:
                teacher_logits, teacher_pooled = self._run_teacher(inputs, wants_pooled)
            elif not model.training:
                # A validation set without teacher columns is still worth its label loss.
                weights = {"hard": 1.0}
                wants_pooled = False
        with _pooled_of(self.accelerator.unwrap_model(model), wants_pooled) as pooled:
            outputs = model(**inputs)
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
        student_pooled = None
        if wants_pooled:
            student_pooled = pooled[0] if pooled else outputs["pooled"]
            if teacher_pooled is not None:
                teacher_pooled = self._to_student_width(teacher_pooled.float(), student_pooled.shape[-1])
        value, parts = total(
            Outputs(
                student_logits=logits.float(),
                teacher_logits=None if teacher_logits is None else teacher_logits.float(),
                student_pooled=None if student_pooled is None else student_pooled.float(),
                teacher_pooled=teacher_pooled,
                labels=labels,
                temperature=self.temperature,
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

    def _run_teacher(self, inputs: Mapping[str, Any], wants_pooled: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        teacher = self.teacher_model
        assert teacher is not None
        keys = ("input_ids", "attention_mask", "token_type_ids")
        given = {key: inputs[key] for key in keys if inputs.get(key) is not None}
        context = torch.autocast(self.args.device.type, torch.bfloat16) if self.args.bf16 else contextlib.nullcontext()
        with torch.no_grad(), context, _pooled_of(teacher, wants_pooled) as pooled:
            result = teacher(**given)
        if not wants_pooled:
            return result["logits"], None
        return result["logits"], pooled[0] if pooled else result["pooled"]

    def _to_student_width(self, teacher_pooled: torch.Tensor, width: int) -> torch.Tensor:
        if self._projection is None:
            if teacher_pooled.shape[-1] == width:
                return teacher_pooled
            self._projection = torch.from_numpy(principal_basis(self._sample_pooled(), width))
        self._projection = self._projection.to(teacher_pooled.device)
        return teacher_pooled @ self._projection

    def _sample_pooled(self) -> np.ndarray:
        """Teacher's pooled vectors of the first training rows: a resumed run gets the same ones."""
        rows = [self.train_dataset[row] for row in range(min(len(self.train_dataset), _PROJECTION_ROWS))]
        if "teacher_pooled" in rows[0]:
            return np.stack([np.asarray(row["teacher_pooled"], dtype=np.float32) for row in rows])
        collate = Collator(_pad_id(self.accelerator.unwrap_model(self.model)))
        found = []
        for start in range(0, len(rows), 32):
            batch = {key: value.to(self.args.device) for key, value in collate(rows[start : start + 32]).items()}
            found.append(self._run_teacher(batch, True)[1])
        return torch.cat([vectors for vectors in found if vectors is not None]).float().cpu().numpy()


@contextlib.contextmanager
def _pooled_of(model: nn.Module, wanted: bool) -> Iterator[list[torch.Tensor]]:
    """Collect what the head reads while a model without a ``pooled`` output runs; empty for models that have one."""
    found: list[torch.Tensor] = []
    if not wanted or hasattr(model, "gives_pooled"):
        yield found
        return
    head = model.get_submodule(head_name(model))
    handle = head.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    try:
        yield found
    finally:
        handle.remove()


def _check_ranges(temperature: float, alpha: float, pooled_cosine: float) -> None:
    if not temperature > 0:
        raise TrainError("T024", f"temperature is {temperature}", "distil.temperature", "use a number above 0, e.g. 2")
    if not 0 <= alpha <= 1 or pooled_cosine < 0:
        raise TrainError(
            "T025",
            f"alpha is {alpha}, pooled_cosine is {pooled_cosine}",
            "distil.alpha, distil.pooled_cosine",
            "use 0 to 1 for alpha and 0 or more for pooled_cosine",
        )
    if not 1 <= temperature <= 4:
        warnings.warn(f"temperature {temperature} is outside the usual 1 to 4", UserWarning, stacklevel=3)


def _split_keywords(
    args: TrainingArguments | None, keywords: dict[str, Any]
) -> tuple[TrainingArguments, dict[str, Any]]:
    """Tell TrainingArguments' fields from the Trainer's own keywords, and make the arguments."""
    import inspect

    from transformers import Trainer

    fields = argument_names()
    own = frozenset(inspect.signature(Trainer.__init__).parameters) - {"self", "model", "args"}
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
    return TrainingArguments(**given), keywords


def _pad_id(model: nn.Module) -> int:
    config = model.config
    backbone = getattr(config, "backbone", None)
    value = backbone.get("pad_token_id") if isinstance(backbone, Mapping) else getattr(config, "pad_token_id", None)
    return 0 if value is None else int(value)


def _vocabulary(config: Any) -> int | None:
    backbone = getattr(config, "backbone", None)
    return backbone.get("vocab_size") if isinstance(backbone, Mapping) else getattr(config, "vocab_size", None)
