"""What each layer's rounding costs: one layer at a time in int8 and int4, all else in fp32, over validation texts.

The damage of a layer is the mean Kullback-Leibler divergence KL(fp32 student || rounded student) of the class
probabilities: it sees shifts long before a label flips, so a few hundred texts tell layers apart. Where labels do not
exclude each other it is the sum of each label's own divergence, which is that of the joint distribution. The rounding
is that of the core (quantize/fake_quant.py), input rows included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.quantize.choice import stored_bytes
from potstill.still.arrays import Array
from potstill.work.atomic import atomic_write
from potstill.work.columns import columns
from potstill.work.progress import Progress, QuietProgress

if TYPE_CHECKING:
    from potstill.models.heads import Task
    from potstill.quantize.rounded_student import RoundedStudent
    from potstill.runtime.rows import TokenRows

ROWS = 512
DTYPES = ("i8", "i4")
TABLE = "sensitivity.json"


def compare(reference: Array, logits: Array, labels: Any, task: Task | None = None) -> dict[str, float]:
    """Damage of some logits against the fp32 student's, both ``[rows, classes]`` f32; of words their own, NaN for lost
    ones.

    Args:
        reference: logits of the fp32 student.
        logits: of the rounded one.
        labels: as `Task.label_array` gives them.
        task: what the student is for, a task with labels; None: classification.

    Returns:
        ``kl`` in nats, ``flips`` (share of rows with another answer), ``accuracy_change`` (difference of the task's
        metric, 0-1; above 0: better).
    """
    from potstill.models.evaluation import Outputs
    from potstill.models.heads import Truth, task_named

    task = task or task_named("classification")
    before, after = (Outputs(values, values[:, :0]) for values in (reference, logits))
    truth = Truth(labels if task.words else np.asarray(labels))
    seen = ~np.isnan(reference[:, 0]) if task.words else slice(None)
    return {
        "kl": float(_divergence(reference[seen], logits[seen], joint=task.problem is None).mean()),
        "flips": 1.0 - task.agreement(before, after),
        "accuracy_change": task.score(after, truth) - task.score(before, truth),
    }


def measure(
    rounded: RoundedStudent,
    rows: TokenRows,
    labels: Any,
    *,
    task: Task | None = None,
    count: int = ROWS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The sensitivity table of a student.

    Args:
        rounded: the fp32 student with rounding layers; all are set to f32 afterwards.
        rows: token rows of validation texts.
        labels: as `Task.label_array` gives them.
        task: what the student is for; None: classification.
        count: use at most so many rows, spread evenly.
        progress: reports the forwards done.

    Returns:
        ``rows``; ``layers``: for each ``name``, ``kind``, ``modules``, ``shape``, ``bytes`` by dtype, and under ``i8``
        and ``i4`` what `compare` tells; ``all``: the same for all layers at once.
    """
    from potstill.models.evaluation import outputs

    count = max(1, min(count, len(rows)))
    chosen = [index * len(rows) // count for index in range(count)]
    some, truth = rows.take(chosen), (np.asarray(labels) if rows.words is None else labels)[chosen]
    layout = rounded.layout
    items = [(layer.name, "linear", layer.modules, layer.shape) for layer in layout.linears]
    items.insert(0, (layout.embedding.name, "embedding", (layout.embedding.module,), layout.embedding.shape))

    def logits() -> Array:
        return outputs(rounded.student, some).logits

    def set_all(dtype: str) -> None:
        for name, *_ in items:
            rounded.set_dtype(name, dtype)

    set_all("f32")
    reference, table = logits(), []
    with (progress or QuietProgress()).task("sensitivity", (len(items) + 1) * len(DTYPES), "runs") as shown:
        for name, kind, modules, shape in items:
            row: dict[str, Any] = {"name": name, "kind": kind, "modules": list(modules), "shape": list(shape)}
            row["bytes"] = stored_bytes(*shape, kind)
            for dtype in DTYPES:
                rounded.set_dtype(name, dtype)
                row[dtype] = compare(reference, logits(), truth, task)
                shown.advance(1)
            rounded.set_dtype(name, "f32")
            table.append(row)
        together = {}
        for dtype in DTYPES:
            set_all(dtype)
            together[dtype] = compare(reference, logits(), truth, task)
            shown.advance(1)
    set_all("f32")
    return {"rows": len(some), "layers": table, "all": together}


def measure_folder(
    model_dir: Path,
    dataset: Any,
    work: Path,
    *,
    data_tokens: int,
    max_tokens: int,
    opset: int = 18,
    task_name: str = "classification",
    rows: int = ROWS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`measure` for a saved student.

    Args:
        model_dir: folder of the classifier and its tokenizer.
        dataset: validation texts, columns ``text`` and ``label``, perhaps ``text_pair``.
        work: folder for a temporary ONNX.
        data_tokens: texts are cut to so many tokens.
        max_tokens, opset: of the export, which decide the operators' names.
        task_name: the recipe's task.
        rows: use at most so many, spread evenly.
        progress: as `measure`.

    Raises:
        InputError: a task without labels.
        TrainError: a layer of the compiled graph that the student lacks; errors of loading and exporting.
    """
    from potstill.errors import InputError
    from potstill.models.classifier import label_names, load_classifier
    from potstill.models.heads import task_named
    from potstill.models.rows import encode_dataset
    from potstill.models.tokens import load_tokenizer
    from potstill.quantize.fused_layers import student_layout
    from potstill.quantize.rounded_student import RoundedStudent

    task = task_named(task_name)
    if not task.labelled:
        raise InputError(
            "I016",
            "the damage of a layer is measured on the scores of labels, which this student does not give",
            f"task {task.name}",
            "use the schemes int8 or int4",
        )
    tokenizer, student = load_tokenizer(model_dir), load_classifier(model_dir)
    layout = student_layout(student, model_dir, work, opset=opset, max_tokens=max_tokens)
    names = label_names(student.config)
    task = task.with_labels(names)
    labels = task.label_array(list(dataset["label"]), len(names))
    texts = encode_dataset(tokenizer, dataset, data_tokens)
    return measure(RoundedStudent(student, layout), texts, labels, task=task, count=rows, progress=progress)


def write_table(table: Mapping[str, Any], path: Path) -> None:
    """Store a table as JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(table, indent=1), encoding="utf-8")


def render(table: Mapping[str, Any]) -> str:
    """The table for people, most damaging int4 first."""
    head = (
        "layer", "int8: KL, mnat", "flips", "accuracy", "int4: KL, mnat", "flips", "accuracy", "int8 saves",
        "int4 saves more",
    )  # fmt: skip
    lines = [list(head)]
    rows = sorted(table["layers"], key=lambda row: (-row["i4"]["kl"], row["name"]))
    for row in rows:
        size = row["bytes"]
        saved = [f"{(size['f32'] - size['i8']) / 1e6:.2f} MB", f"{(size['i8'] - size['i4']) / 1e6:.2f} MB"]
        lines.append([_shown(row), *_figures(row["i8"]), *_figures(row["i4"]), *saved])
    lines.append(["all at once", *_figures(table["all"]["i8"]), *_figures(table["all"]["i4"]), "", ""])
    return "\n".join([*columns(lines), f"on {table['rows']} validation texts, against the fp32 student"])


def _figures(found: Mapping[str, float]) -> list[str]:
    change = 100 * found["accuracy_change"]
    return [f"{1000 * found['kl']:.3f}", f"{100 * found['flips']:.1f} %", f"{change:+.1f}"]


def _shown(row: Mapping[str, Any]) -> str:
    """A layer by its modules: names of operators are the exporter's."""
    first, *more = row["modules"]
    stem = first.removeprefix("backbone.").removeprefix("encoder.")
    if not more:
        return stem
    parent, _, last = stem.rpartition(".")
    return f"{parent}.{'+'.join([last, *(name.rpartition('.')[2] for name in more)])}"


def _divergence(reference: Array, logits: Array, *, joint: bool) -> Array:
    """KL in nats of each row, ``[rows]``: of one distribution over the classes, or the sum over each label's own."""
    if not joint:
        # A label's own distribution is a softmax over its logit and 0.
        pairs = [np.stack([values, np.zeros_like(values)], axis=2).reshape(-1, 2) for values in (reference, logits)]
        return _divergence(*pairs, joint=True).reshape(reference.shape).sum(axis=1)
    p, q = _log_softmax(reference), _log_softmax(logits)
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


def _log_softmax(logits: Array) -> Array:
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)))
