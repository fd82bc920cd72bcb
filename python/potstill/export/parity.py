"""Does every export answer as the PyTorch model does?

Two views. A grid of lengths and batch sizes, with random ids and with real text, gives the largest difference of a
logit or pooled value: it finds wrong masks, wrong positions, padding that leaks. The whole test set gives the share of
equal answers and each export's own accuracy, in the sense of the model's task (`potstill.models.heads`). Token ids come
from the Hugging Face tokenizer; a `.still` must tokenize the same texts to the same ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.errors import ExportError, missing_package
from potstill.export.quiet import quiet
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.work.progress import Progress

# One token alone, one and two tokens with [CLS] and [SEP], and lengths around the blocks that kernels work in.
LENGTHS = (1, 3, 4, 7, 16, 33)
BATCHES = (1, 3, 8)
BACKENDS = {
    "onnx": "onnxruntime",
    "onnx_int8": "onnxruntime",
    "onnx_static": "onnxruntime",
    "tflite": "litert",
    "tflite_int8": "litert",
    "still_fp32": "native",
    "still": "native",
}
EXACT = ("onnx", "tflite", "still_fp32")


@dataclass(frozen=True)
class ParityLimits:
    """What an export must reach.

    Attributes:
        exact_agreement: least share of answers equal to PyTorch's for fp32 exports.
        exact_difference: largest absolute difference of a logit or pooled value for fp32 exports.
        int8_agreement: least share of equal answers for int8 exports; below it something is broken, not rounded.
    """

    exact_agreement: float = 0.995
    exact_difference: float = 1e-3
    int8_agreement: float = 0.90


@dataclass
class ParityReport:
    """What `check_parity` found.

    Attributes:
        rows: ``{export, length, batch, max_abs_difference}`` for each point of the grid; ``length`` is that of the
            longest row, the others of a batch are shorter; the difference is over logits and pooled vectors.
        label_agreement: export -> share of the test set with PyTorch's answer (a classifier's label).
        accuracy: export -> the figure that the task calls `metric`, over the test set.
        metrics: export -> all figures of the task.
        metric: name of that figure.
        test_difference: export -> largest absolute difference of a logit (without logits: a pooled value) over the
            test set.
        reference_accuracy: PyTorch's own accuracy.
        sentences: size of the test set.
        tokenizer_differences: export -> texts that a `.still` tokenizes to other ids than the Hugging Face tokenizer.
        before_agreement: export -> share of the test set with the answer of the student as it was before it was
            trained for a scheme; empty without such a student.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    label_agreement: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    metric: str = "accuracy"
    test_difference: dict[str, float] = field(default_factory=dict)
    reference_accuracy: float = 0.0
    sentences: int = 0
    tokenizer_differences: dict[str, int] = field(default_factory=dict)
    before_agreement: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(asdict(self), indent=2)

    def failures(self, limits: ParityLimits | None = None) -> list[str]:
        """One sentence for each limit that an export misses; empty when all is well."""
        limits = limits or ParityLimits()
        found = []
        for export, share in self.label_agreement.items():
            least = limits.exact_agreement if export in EXACT else limits.int8_agreement
            if share < least:
                found.append(f"{export} gives PyTorch's answer on {share:.2%} of the test set, least {least:.2%}")
        for export in EXACT:
            worst = [row for row in self.rows if row["export"] == export]
            # `not <=` also catches NaN.
            bad = [row for row in worst if not row["max_abs_difference"] <= limits.exact_difference]
            if bad:
                row = max(bad, key=lambda entry: float(entry["max_abs_difference"]))
                found.append(
                    f"{export} differs by {row['max_abs_difference']:.2g} at {row['length']} tokens, batch "
                    f"{row['batch']}, limit {limits.exact_difference:g}"
                )
        for export, texts in self.tokenizer_differences.items():
            if texts:
                found.append(f"{export} tokenizes {texts} of {self.sentences} texts differently")
        return found

    def require(self, limits: ParityLimits | None = None) -> None:
        """Raise when a limit is missed.

        Raises:
            ExportError: with the first failure and how many there are.
        """
        found = self.failures(limits)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ExportError(
                "X020",
                f"an export does not answer as the PyTorch model{more}",
                found[0],
                "do not ship it; see the parity table of the report",
            )


def check_parity(
    model_dir: Path,
    exports: Mapping[str, Path],
    dataset: Any,
    *,
    max_tokens: int,
    progress: Progress | None = None,
    lengths: Sequence[int] = LENGTHS,
    batches: Sequence[int] = BATCHES,
    task: Any = None,
    truth: Any = None,
    before: Path | None = None,
) -> ParityReport:
    """Compare exports with PyTorch fp32.

    Args:
        model_dir: classifier folder with its tokenizer.
        exports: file of each export; keys from `BACKENDS`.
        dataset: rows with ``text`` (a list of words for a task of words), perhaps ``text_pair``, and ``label`` (as the
            task reads it; a class index).
        max_tokens: longest sequence, specials included; longer texts are cut, keeping the last special.
        progress: a `potstill.work.progress.Progress`, or None.
        lengths: lengths of the grid; those over `max_tokens` are left out and `max_tokens` itself is added.
        batches: batch sizes of the grid.
        task: `potstill.models.heads.Task`; None for classification.
        truth: `potstill.models.heads.Truth` of the rows; None when their labels say it all.
        before: folder of the fp32 student that `model_dir` was trained from for a scheme, with the same tokenizer.

    Returns:
        The report; call `ParityReport.require` to turn misses into an error.

    Raises:
        ExportError: unknown export; no test sentences.
        SystemFailure: a package is missing.
        PotstillError: whatever a backend says about its file.
    """
    unknown = sorted(set(exports) - set(BACKENDS))
    if unknown:
        raise ExportError("X021", f"unknown export {unknown[0]!r}", "exports", f"use {', '.join(BACKENDS)}")
    texts: list[Any] = list(dataset["text"])
    if not texts:
        raise ExportError("X022", "the test set is empty", str(model_dir), "give at least one sentence")
    try:
        with quiet():
            from potstill.export.parity_rows import grid_of
            from potstill.models.classifier import load_classifier
            from potstill.models.evaluation import outputs
            from potstill.models.heads import task_named
            from potstill.models.heads.base import Truth
            from potstill.models.rows import encode_dataset
            from potstill.models.tokens import load_tokenizer

            model = load_classifier(model_dir, attention="eager")
            earlier = None if before is None else load_classifier(before, attention="eager")
            rows = encode_dataset(load_tokenizer(model_dir), dataset, max_tokens)
    except ImportError as error:
        raise missing_package(error.name or "torch", "build", "the parity check") from error
    if progress is None:
        from potstill.work.progress import QuietProgress

        progress = QuietProgress()
    task = task or task_named("classification")
    grid = grid_of(rows, model, sorted({*(n for n in lengths if n < max_tokens), max_tokens}), batches)
    if truth is None:
        truth = Truth(task.label_array(list(dataset["label"]), model.config.num_labels))
    second = list(dataset["text_pair"]) if rows.types is not None else None
    report = ParityReport(sentences=len(rows), metric=task.metric)
    with progress.task("parity", total=len(rows) * (len(exports) + 1), unit="sentences") as shown:
        wanted = outputs(model, rows)
        shown.advance(len(rows), note="PyTorch")
        wanted_grid = [outputs(model, batch) for batch in grid]
        report.reference_accuracy = task.score(wanted, truth)
        answers_before = None if earlier is None else outputs(earlier, rows)
        test = _Test(task, texts, second, rows, truth, max_tokens, answers_before)
        for export, path in exports.items():
            _compare(report, export, path, test, wanted, (grid, wanted_grid), shown)
    return report


@dataclass(frozen=True)
class _Test:
    task: Any
    texts: list[Any]
    second: list[str] | None
    rows: TokenRows
    truth: Any
    max_tokens: int
    before: Any


def _compare(
    report: ParityReport,
    export: str,
    path: Path,
    test: _Test,
    wanted: Any,
    points: tuple[list[TokenRows], list[Any]],
    shown: Any,
) -> None:
    import numpy as np

    from potstill.export.parity_rows import ROWS, at_words_of, words_read
    from potstill.models.evaluation import Outputs
    from potstill.runtime.backends import open_backend

    backend, rows = open_backend(BACKENDS[export], path, None), test.rows
    worst: dict[tuple[int, int], float] = {}
    for batch, (logits, pooled) in zip(*points, strict=True):
        found = backend.run(batch)
        pairs = [(found.logits, logits), (found.embedding, pooled)]
        difference = float(np.max([_difference(got, want) for got, want in pairs if got is not None]))
        key = (max(batch.lengths), len(batch))
        worst[key] = float(np.maximum(worst.get(key, 0.0), difference))
    report.rows += [
        {"export": export, "length": length, "batch": batch, "max_abs_difference": difference}
        for (length, batch), difference in sorted(worst.items())
    ]
    # Of a model that labels words an entry a token, of others one a text.
    ends = np.cumsum([1] * len(rows) if rows.words is None else rows.lengths)
    got = Outputs(*(np.zeros((int(ends[-1]), part.shape[1]), np.float32) for part in wanted))
    for group in rows.by_length(ROWS):
        found = backend.run(rows.take(group))
        places = np.concatenate([np.arange(ends[index - 1] if index else 0, ends[index]) for index in group])
        for values, into in ((found.logits, got.logits), (found.embedding, got.pooled)):
            if values is not None:
                into[places] = np.asarray(values)
        shown.advance(len(group), note=export)
    got = at_words_of(got, rows)
    report.label_agreement[export] = test.task.agreement(got, wanted)
    if test.before is not None:
        report.before_agreement[export] = test.task.agreement(got, test.before)
    report.metrics[export] = test.task.metrics(got, test.truth)
    report.accuracy[export] = report.metrics[export][test.task.metric]
    main = 0 if wanted.logits.shape[1] else 1
    # Words that were cut off have no logits.
    seen = slice(None) if rows.words is None else np.concatenate(list(rows.words)) >= 0
    report.test_difference[export] = _difference(got[main][seen], wanted[main][seen])
    if BACKENDS[export] == "native":
        if rows.words is not None:
            both_words = zip(words_read(backend.encode_words(test.texts, True)), words_read(rows), strict=True)
            report.tokenizer_differences[export] = sum(own != theirs for own, theirs in both_words)
            return
        both = zip(backend.encode(test.texts, test.second, True).ids, rows.ids, strict=True)
        report.tokenizer_differences[export] = sum(list(a) != list(b[: test.max_tokens]) for a, b in both)


def _difference(found: Any, wanted: Any) -> float:
    import numpy as np

    return float(np.abs(np.asarray(found, np.float64) - wanted).max())
