"""A student's int4 layers rounded on calibration texts, one after another as they run (`quantize.gptq`).

No training, no labels: a minute where training for int4 takes many. The student that is written has the weights of its
int4 layers on their grid, so the compiler finds these very numbers again (`RoundedStudent.snap`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from potstill.distil.train.encoded import encode_splits
from potstill.distil.train.fit import write_model
from potstill.models.classifier import EncoderClassifier, load_classifier
from potstill.models.evaluation import outputs, padded
from potstill.models.heads import task_named
from potstill.models.hub import quiet_loading
from potstill.models.tokens import load_tokenizer
from potstill.quantize.fused_layers import FusedLinear, student_layout
from potstill.quantize.gptq_solver import Statistics, round_layer
from potstill.quantize.rounded_student import RoundedStudent
from potstill.runtime.rows import TokenRows
from potstill.still.arrays import Array
from potstill.still.int4 import quantize_rows_int4
from potstill.still.schemes import Scheme
from potstill.work.progress import Progress, QuietProgress

if TYPE_CHECKING:
    from potstill.data.splits import Splits

_BATCH = 64


def round_student(
    student_dir: Path,
    splits: Splits,
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
        progress: reports layers.

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
    some = copy.copy(splits)
    some.train, some.unlabelled = chosen, None
    tokens = encode_splits(tokenizer, some, data_tokens, task)

    def measure() -> dict[str, float]:
        if not task.labelled:
            return {}
        found = {}
        for name, part in (("validation", tokens.validation), ("test", tokens.test)):
            found[f"{name}_accuracy"] = task.score(outputs(student, part.rows), tokens.truth(name))
        return found

    rounded.set_scheme(scheme)
    nearest = measure()
    layers = compensate(rounded, plain, scheme, tokens.train.rows, progress=progress)
    found = measure()
    rounded.snap()
    write_model(out, rounded.unwrap(), tokenizer)
    return {"scheme": scheme.name, "layers": layers, "rows": count, **found, "nearest": nearest}


def compensate(
    rounded: RoundedStudent,
    plain: nn.Module,
    scheme: Scheme,
    rows: TokenRows,
    *,
    progress: Progress | None = None,
) -> int:
    """Put the weights of all int4 linear layers on grids found by `quantize.gptq.round_layer`, in place.

    Args:
        rounded: the student, its weights still those of fp32; afterwards it rounds by the scheme.
        plain: the same student without rounding.
        scheme: dtypes of the layers.
        rows: token rows to calibrate on.
        progress: reports the layers done.

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
                _round(rounded, plain, layer, _batches(rows))
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


def _batches(rows: TokenRows) -> Iterator[dict[str, Tensor]]:
    """Padded batches, texts of like length together."""
    lengths = rows.lengths
    order = sorted(range(len(rows)), key=lambda row: lengths[row])
    for start in range(0, len(order), _BATCH):
        yield padded(rows.take(order[start : start + _BATCH]))
