"""Read a build folder's `report.json` and, when an emulated board ran the model, its `emulated.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from potstill.data.languages import in_words
from potstill.errors import SystemFailure, os_errors
from potstill.models.text_facts import tokens_told
from potstill.pipeline.report.intervals import wilson


class Section(NamedTuple):
    """A titled table of text."""

    title: str
    header: list[str]
    rows: list[list[str]]


# What each artefact of design and report is called in print, in the order of the table.
ARTEFACTS = {
    "teacher": "teacher (PyTorch, fp32)",
    "onnx": "student, ONNX fp32",
    "onnx_int8": "student, ONNX int8",
    "onnx_static": "student, ONNX static int8",
    "tflite": "student, TFLite fp32",
    "tflite_int8": "student, TFLite int8",
    "still_fp32": "student, Potstill fp32",
    "still": "student, Potstill int8 (.still)",
}


def collect(out: Path) -> dict[str, Any]:
    """The report of a build folder as one dictionary; `emulated` is there when a board was emulated.

    Raises:
        SystemFailure: no report in the folder; it cannot be read.
    """
    path = out / "report.json"
    if not path.is_file():
        raise SystemFailure("S015", "there is no report here", str(path), "run potstill build first, or name its --out")
    try:
        with os_errors(path, reading=True):
            report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict):
            raise ValueError("no table of figures")
        emulated = out / "emulated.json"
        if emulated.is_file():
            report["emulated"] = json.loads(emulated.read_text(encoding="utf-8"))
        headline(report), sections(report)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SystemFailure(
            "S016", f"the report is damaged ({what})", str(out), "remove it and build again; cached stages are kept"
        ) from error
    return report


def headline(report: Mapping[str, Any]) -> tuple[str, str]:
    """The recipe's name, and how long the build took."""
    return str(report["recipe"]), f"{float(report['seconds_total']):.0f} s"


def quality(report: Mapping[str, Any]) -> list[Section]:
    """What the model is worth: the sections that building it again gives again."""
    return [section for section in (_quality(report), _figures(report), _artefacts(report)) if section.rows]


def sections(report: Mapping[str, Any]) -> list[Section]:
    """The whole report: one source for the terminal and the HTML page."""
    more = [_texts(report), _tokens(report), _budget(report), _bench(report), _memory(report)]
    more += map(_emulated, _runs(report))
    return [*quality(report), *(section for section in more if section.rows)]


def _percent(value: Any) -> str:
    return "-" if value is None else f"{100 * float(value):.2f} %"


def _megabytes(value: Any) -> str:
    return "-" if value is None else f"{float(value) / 1e6:.2f} MB"


def _measured(report: Mapping[str, Any], value: Any, part: str = "test", *, count: bool = True) -> str:
    """A figure with what it is worth: "87.97 % (85.9-89.8, n = 1,056)"; of other metrics than accuracy only n."""
    rows = int(report.get("rows", {}).get(part, 0))
    if value is None or not rows:
        return _percent(value)
    notes = [f"n = {rows:,}"] if count else []
    if report.get("metric", "accuracy") == "accuracy":
        low, high = wilson(float(value), rows)
        notes.insert(0, f"{100 * low:.1f}-{100 * high:.1f}")
    return f"{_percent(value)} ({', '.join(notes)})" if notes else _percent(value)


def _retained(report: Mapping[str, Any]) -> str:
    """The share kept of the teacher's accuracy, and whether the test rows can tell it from all of it."""
    shown, found = _percent(report.get("retained")), report.get("intervals", {})
    if not found.get("retained") or report.get("retained") is None:
        return shown
    low, high = found["retained"]
    text = f"{shown} ({100 * low:.1f}-{100 * high:.1f}, n = {found['rows']:,})"
    return f"{text}, cannot be told apart from 100 %" if low <= 1 <= high else text


def _quality(report: Mapping[str, Any]) -> Section:
    def share(found: dict[str, Any]) -> str:
        return _measured(report, found.get("test_accuracy"))

    rows = [
        [name, share(report.get(key, {}))]
        for name, key in (("teacher", "teacher"), ("student (PyTorch fp32)", "student"), ("packed (.still)", "packed"))
    ]
    rows.append(["retained (packed / teacher)", _retained(report)])
    cost, within = report.get("quantization", {}), report.get("intervals", {}).get("points")
    if cost.get("points") is not None:
        bounds = f" ({within[0]:+.1f} to {within[1]:+.1f})" if within else ""
        rows.append([f"{cost['scheme']} against the fp32 student", f"{cost['points']:+.2f} points{bounds}"])
    if "test_accuracy" in (found := cost.get("gptq", {})):
        rows.append(["every weight rounded to the nearest", share(found["nearest"])])
        rows.append(["int4 layers rounded by GPTQ", share(found)])
    if cost.get("qat"):
        if not found:
            rows.append(["rounded without training for it", share(cost["qat"]["start"])])
        rows.append(["trained while rounded", share(cost["qat"])])
    return Section("Quality on the test set", ["", report.get("metric", "accuracy")], rows)


def _figures(report: Mapping[str, Any]) -> Section:
    """What a task measures beside its main figure, for teacher, student and packed file side by side."""
    main = report.get("metric", "accuracy")
    teacher, student = (report.get(name, {}).get("metrics", {}) for name in ("teacher", "student"))
    packed = report.get("metrics", {}).get("still", {})
    rows = [
        [name.replace("_", " "), _percent(teacher.get(name, packed.get(f"teacher_{name}"))),
         _percent(student.get(name)), _percent(packed.get(name))]
        for name in packed
        if name != main and not name.startswith("teacher_")
    ]  # fmt: skip
    header = ["", "teacher", "student (PyTorch fp32)", "packed (.still)"]
    return Section("More figures on the test set", header, rows)


def _texts(report: Mapping[str, Any]) -> Section:
    found = report.get("texts", {})
    said = in_words(found["scripts"], found["languages"]) if found else {}
    title = f"Texts ({found.get('rows', 0):,} test rows)"
    return Section(title, ["", "shares"], [[name, shares] for name, shares in said.items()])


def _tokens(report: Mapping[str, Any]) -> Section:
    """How teacher and student cut the texts."""
    said = {name: tokens_told(figures) for name, figures in report.get("texts", {}).get("tokens", {}).items()}
    header = ["", *next(iter(said.values()), {})]
    return Section("Tokenizers on these texts", header, [[name, *shown.values()] for name, shown in said.items()])


def _budget(report: Mapping[str, Any]) -> Section:
    budget = report.get("budget", {})
    rows = [
        [
            row["name"],
            _megabytes(row["bytes"]),
            "-" if row["ms"] is None else f"{row['ms']:.2f}",
            _measured(report, row["validation_accuracy"], "validation"),
            f"{row['drop']:.1f}",
            "taken" if row["name"] == budget["chosen"] else row["verdict"],
        ]
        for row in budget.get("tried", [])
    ]
    header = ["", "size", "predicted ms", "validation", "points under teacher", ""]
    return Section("Budget: students that were built", header, rows)


def _artefacts(report: Mapping[str, Any]) -> Section:
    sizes, agreement, accuracy = report["bytes"], report.get("label_agreement", {}), report.get("accuracy", {})
    worst: dict[str, float] = {}
    for row in report.get("parity", []):
        key, difference = str(row["export"]), float(row["max_abs_difference"])
        worst[key] = max(worst.get(key, 0.0), difference)
    rows = []
    scheme = report.get("packed", {}).get("scheme", "int8")
    for key, name in {**ARTEFACTS, "still": f"student, Potstill {scheme} (.still)"}.items():
        if key not in sizes and key not in agreement:
            continue
        size = sizes.get(key)
        ratio = f"1/{sizes['teacher'] / size:.1f}" if size and key != "teacher" else ""
        apart = f"{worst[key]:.1e}" if key in worst else "-"
        right = report["teacher"].get("test_accuracy") if key == "teacher" else accuracy.get(key)
        measured = _measured(report, right, count=False)
        rows.append([name, _megabytes(size), ratio, _percent(agreement.get(key)), apart, measured])
    same = "same label" if report.get("task", "classification") == "classification" else "same answer"
    tested = report.get("rows", {}).get("test")
    metric = report.get("metric", "accuracy") + (f" (n = {tested:,})" if tested else "")
    return Section("Size and parity with PyTorch", ["", "size", "of teacher", same, "max |diff|", metric], rows)


def _bench(report: Mapping[str, Any]) -> Section:
    cells: dict[tuple[str, str], dict[tuple[int, int], dict[str, Any]]] = {}
    for row in report.get("bench", []):
        cells.setdefault((row["engine"], row["precision"]), {})[(row["threads"], row["tokens"])] = row
    columns = sorted({column for row in cells.values() for column in row})
    rows = [
        [f"{engine} {precision}", *(f"{row[c]['median_ms']:.2f} ms" if c in row else "-" for c in columns)]
        for (engine, precision), row in cells.items()
    ]
    header = ["", *(f"{tokens} tokens, {threads} thread{'s' * (threads > 1)}" for threads, tokens in columns)]
    return Section("Time on this host, batch 1", header, rows)


def _memory(report: Mapping[str, Any]) -> Section:
    rows = [
        [f"{row['engine']} {row['precision']}", _megabytes(row["peak_rss_bytes"]), f"{row['load_ms']:.1f} ms"]
        for row in report.get("memory", [])
    ]
    return Section("Memory: Python + engine + model, one process each", ["", "peak memory", "load"], rows)


def _runs(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    emulated = report.get("emulated") or []
    runs = emulated.get("runs", [emulated]) if isinstance(emulated, dict) else emulated
    return [run for run in runs if run.get("answers")]


def _emulated(run: dict[str, Any]) -> Section:
    rows = [[answer["text"], answer["label"], f"{answer['score']:.4f}"] for answer in run["answers"]]
    if "same_bits" in run:
        rows.append(["logits equal the host's, bit for bit", "yes" if run["same_bits"] else "NO", ""])
    header = [f"{run.get('cpu', '')} ({run.get('isa', '?')}), times mean nothing", "label", "score"]
    return Section(f"Emulated {run['board']}", header, rows)
