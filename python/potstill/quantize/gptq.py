"""A student's int4 layers rounded on calibration texts, one after another as they run (`quantize.gptq`).

No training, no labels: a minute where training for int4 takes many. The student that is written has the weights of its
int4 layers on their grid, so the compiler finds these very numbers again (`RoundedStudent.snap`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from potstill.distil.train.rows import encode_rows
from potstill.models.classifier import EncoderClassifier, load_classifier
from potstill.models.evaluation import outputs
from potstill.models.heads import task_named
from potstill.models.hub import quiet_loading
from potstill.models.tokens import load_tokenizer
from potstill.quantize.fused_layers import FusedLinear, student_layout
from potstill.quantize.gptq_solver import Statistics, round_layer
from potstill.quantize.rounded_student import RoundedStudent
from potstill.still.int4 import quantize_rows_int4
from potstill.still.schemes import Scheme
from potstill.work.progress import Progress, QuietProgress

Array = NDArray[Any]

_BATCH = 64


def round_student(
    student_dir: Path,
    splits: Any,
    out: Path,
    work: Path,
    *,
    scheme: Scheme,
    task_name: str,
    rows: int,
    data_tokens: int,
    max_tokens: int,
    opset: int,
    progress: Progress,
) -> dict[str, Any]:
    """Round the int4 layers of the student in ``student_dir`` and write it, with its tokenizer, to ``out``.

    Args:
        student_dir: folder of the fp32 student.
        splits: ``train`` is calibrated on; ``validation`` and ``test`` are measured where the task has labels.
        out: folder to write.
        work: folder for a temporary ONNX.
        scheme: dtypes of the layers.
        task_name: the recipe's task.
        rows: calibration texts at most, spread evenly over the training rows.
        data_tokens: texts are cut to so many tokens.
        max_tokens, opset: of the export, which decide the operators' names.
        progress: told about layers.

    Returns:
        ``scheme``, ``layers`` (how many were rounded this way), ``rows``; with labels ``validation_accuracy`` and
        ``test_accuracy`` of the whole student rounded by the scheme, and under ``nearest`` the same two with every
        weight rounded to the nearest value.

    Raises:
        TrainError: a layer of the compiled graph that the student lacks; errors of loading and exporting.
    """
    task, tokenizer = task_named(task_name).with_labels(splits.labels), load_tokenizer(student_dir)
    with quiet_loading():
        student = EncoderClassifier.from_pretrained(str(student_dir), dtype=torch.float32).eval()
    plain = load_classifier(student_dir)
    rounded = RoundedStudent(student, student_layout(student, student_dir, work, opset=opset, max_tokens=max_tokens))
    count = max(1, min(rows, len(splits.train)))
    chosen = splits.train.select([index * len(splits.train) // count for index in range(count)])
    some = SimpleNamespace(
        train=chosen, validation=splits.validation, test=splits.test, unlabelled=None, labels=splits.labels
    )
    tokens = encode_rows(tokenizer, some, data_tokens, task)

    def measure() -> dict[str, float]:
        if not task.labelled:
            return {}
        found = {}
        for name, part in (("validation", tokens.validation), ("test", tokens.test)):
            answers = outputs(student, part.ids, pad_id=tokens.pad_id, types=part.types, words=part.words)
            found[f"{name}_accuracy"] = task.score(answers, tokens.truth(name))
        return found

    rounded.set_scheme(scheme)
    nearest = measure()
    train = tokens.train
    layers = compensate(rounded, plain, scheme, train.ids, types=train.types, pad_id=tokens.pad_id, progress=progress)
    found = measure()
    rounded.snap()
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        rounded.unwrap().save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
    return {"scheme": scheme.name, "layers": layers, "rows": count, **found, "nearest": nearest}


def compensate(
    rounded: RoundedStudent,
    plain: nn.Module,
    scheme: Scheme,
    ids: Sequence[Array],
    *,
    types: Sequence[Array] | None = None,
    pad_id: int = 0,
    progress: Progress | None = None,
) -> int:
    """Put the weights of all int4 linear layers on grids found by `quantize.gptq.round_layer`, in place.

    Args:
        rounded: the student, its weights still those of fp32; afterwards it rounds by the scheme.
        plain: the same student without rounding.
        scheme: dtypes of the layers.
        ids, types: token rows (and token types) to calibrate on.
        pad_id: id of the padding token.
        progress: told the layers done.

    Returns:
        The number of layers.
    """
    layout = rounded.layout
    # While calibrating, weights that are done lie on their grids and everything runs in f32: the rounding of the
    # inputs, 1/17 as coarse as int4's, is left out, which makes a forward three times as fast.
    for name in (layout.embedding.name, *(layer.name for layer in layout.linears)):
        rounded.set_dtype(name, "f32")
    table = rounded.embedding.weight
    if scheme.embedding == "i4":
        q, scale = quantize_rows_int4(table.detach().numpy(), layout.embedding.importance)
        table.data.copy_(torch.from_numpy(_on_grid(q, scale)))
    # A layer that several operators share is rounded where it first runs.
    done: set[str] = set()
    with (progress or QuietProgress()).task("int4 by GPTQ", len(layout.linears), "layers") as shown:
        for layer in layout.linears:
            if scheme.linear_dtype(layer.name) == "i4" and not done.intersection(layer.modules):
                done.update(layer.modules)
                _round(rounded, plain, layer, _batches(ids, types, pad_id))
            shown.advance(1)
    rounded.set_scheme(scheme)
    return sum(scheme.linear_dtype(layer.name) == "i4" for layer in layout.linears)


@torch.no_grad()
def _round(rounded: RoundedStudent, plain: nn.Module, layer: FusedLinear, batches: Iterator[dict[str, Tensor]]) -> None:
    modules = rounded.linears[layer.name]
    inputs, rows = layer.shape[1], 0
    gram, cross = (torch.zeros(inputs, inputs, dtype=torch.float64) for _ in range(2))
    mean, plain_mean = (torch.zeros(inputs, dtype=torch.float64) for _ in range(2))
    for batch in batches:
        kept = batch["attention_mask"].bool().reshape(-1)
        # All modules of a fused operator read the same rows, so the first one's stand for them.
        now = _entering(rounded.student, modules[0], batch)
        before = _entering(plain, plain.get_submodule(layer.modules[0]), batch)
        now, before = now[kept], before[kept]
        # Sums of a few thousand products are exact enough in f32; those over the batches run in f64.
        gram += (now.T @ now).double()
        cross += (before.T @ now).double()
        mean += now.sum(0).double()
        plain_mean += before.sum(0).double()
        rows += len(now)
    statistics = Statistics(*((total / rows).numpy() for total in (gram, cross, mean, plain_mean)))
    weight = np.concatenate([module.weight.detach().numpy() for module in modules])
    q, scale, shift = round_layer(weight, statistics)
    found, start = torch.from_numpy(_on_grid(q, scale)), 0
    for module in modules:
        end = start + len(module.weight)
        module.weight.copy_(found[start:end])
        if module.bias is not None:
            module.bias += torch.from_numpy(shift[start:end])
        start = end


def _on_grid(q: Array, scale: Array) -> Array:
    return (q * scale.astype(np.float64)[:, None]).astype(np.float32)


class _Reached(Exception):
    """Ends a forward whose later part nobody needs."""


def _entering(model: nn.Module, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The rows ``[batch * tokens, width]`` that enter a module."""
    seen: list[Tensor] = []

    def stop(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.append(arguments[0].reshape(-1, arguments[0].shape[-1]))
        raise _Reached

    handle = module.register_forward_pre_hook(stop)
    try:
        model(**batch)
    except _Reached:
        pass
    finally:
        handle.remove()
    return seen[0]


def _batches(ids: Sequence[Array], types: Sequence[Array] | None, pad_id: int) -> Iterator[dict[str, Tensor]]:
    """Padded batches, texts of like length together."""
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    for start in range(0, len(order), _BATCH):
        some = order[start : start + _BATCH]
        shape = (len(some), max(len(ids[row]) for row in some))
        batch = {"input_ids": torch.full(shape, pad_id), "attention_mask": torch.zeros(shape, dtype=torch.int64)}
        if types is not None:
            batch["token_type_ids"] = torch.zeros(shape, dtype=torch.int64)
        for place, row in enumerate(some):
            length = len(ids[row])
            batch["input_ids"][place, :length] = torch.from_numpy(np.asarray(ids[row], np.int64))
            batch["attention_mask"][place, :length] = 1
            if types is not None:
                batch["token_type_ids"][place, :length] = torch.from_numpy(np.asarray(types[row], np.int64))
        yield batch
