"""Final artefacts of a build under their final names, and the figures of `report.json`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potstill.pipeline.report.hub import hub_card
from potstill.pipeline.report.intervals import intervals, retained
from potstill.pipeline.rounding import final_student
from potstill.pipeline.stage import Context
from potstill.pipeline.stages import EXPORTS, export_files, weight_bytes
from potstill.recipe.docs import recipe_text
from potstill.work.atomic import atomic_folder, atomic_write, publish_file, write_json
from potstill.work.contents import file_digest

REPORT, HUB_CARD = "report.json", "README.md"
# Written beside it by an emulated run of the model (toolchains), and shown by reports.
EMULATED = "emulated.json"


class DamagedResult(Exception):
    """A stored result does not hold what was written: that of the stage `stage`."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


def publish(context: Context, out: Path) -> None:
    """Put the artefacts of this build into `out`; those of an earlier build that this one does not make are removed.

    What is there already is compared by content, and replaced where it differs. Nothing in `out` shares its bytes with
    the stored results.

    Raises:
        DamagedResult: a stored file that is to be copied does not hold what was written.
        SystemFailure: disk full; not allowed to write; another failure.
    """
    files = export_files(context)
    if not _holds(out / EXPORTS["still"].file, *_stored(context, files["still"])[1]):
        (out / EMULATED).unlink(missing_ok=True)  # what boards answered with another model
    for name, export in EXPORTS.items():
        if name == "still_fp32":
            continue  # only there to tell compiler errors from rounding
        if name in files and (context.recipe.export.onnx or not name.startswith("onnx")):
            _publish_file(context, files[name], out / export.file)
        else:
            (out / export.file).unlink(missing_ok=True)
    for name, source in (("tokenizer", context.folder("still") / "tokenizer"), ("student", final_student(context))):
        _publish_tree(context, source, out / name)
    _publish_text(recipe_text(context.recipe), out / "recipe.toml")


def _publish_text(text: str, final: Path) -> None:
    with contextlib.suppress(OSError):
        if final.read_bytes() == text.encode():
            return
    with atomic_write(final) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _stored(context: Context, path: Path) -> tuple[str, tuple[int, str]]:
    """The stage that a stored file is of, and the file's size and digest."""
    for stage, record in context.records.items():
        if path.is_relative_to(record.folder):
            return stage, record.files[str(path.relative_to(record.folder))]
    raise LookupError(path)


def _holds(path: Path, size: int, digest: str) -> bool:
    try:
        return path.stat().st_size == size and file_digest(path) == digest
    except OSError:
        return False


def _publish_file(context: Context, source: Path, final: Path) -> None:
    stage, content = _stored(context, source)
    if not _holds(final, *content):
        if not _holds(source, *content):
            raise DamagedResult(stage)
        publish_file(source, final)


def _publish_tree(context: Context, source: Path, final: Path) -> None:
    """Make `final` a folder with copies of the files in `source`, which lies in a stored result."""
    stage, record = next((s, r) for s, r in context.records.items() if source.is_relative_to(r.folder))
    files = {
        name: content
        for path, content in record.files.items()
        if not (name := os.path.relpath(record.folder / path, source)).startswith("..")
    }
    with contextlib.suppress(OSError):
        there = {str(path.relative_to(final)) for path in final.rglob("*") if path.is_file()}
        if there == files.keys() and all(_holds(final / name, *content) for name, content in files.items()):
            return
    if not all(_holds(source / name, *content) for name, content in files.items()):
        raise DamagedResult(stage)
    with atomic_folder(final) as folder:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)


def make_report(context: Context, budget: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The figures of a completed build; `budget` is how its student was chosen (`potstill.pipeline.budget.meet`)."""
    teacher, student, verify = context.facts("teacher"), context.facts("student"), context.facts("verify")
    files = export_files(context)
    accuracy: Mapping[str, float] = verify["accuracy"]
    agreement: Mapping[str, float] = verify["label_agreement"]
    times = context.facts("bench") if "bench" in context.records else {}
    seconds = {name: record.facts["seconds"] for name, record in context.records.items()}
    packed = accuracy["still"]
    teacher_accuracy = teacher["test_accuracy"]
    report = {
        "recipe": context.recipe.name,
        "task": context.recipe.task,
        "metric": student.get("metric", "accuracy"),
        "seconds_total": round(sum(seconds.values()), 3),
        "seconds": seconds,
        "labels": context.facts("data")["labels"],
        "rows": context.facts("data")["rows"],
        "teacher": {"model": context.recipe.teacher.model, **context.own_facts("teacher")},
        "student": {**context.own_facts("student"), **({"retained": None} if _meaningless(teacher) else {})},
        "packed": {"test_accuracy": packed, **context.own_facts("still")},
        "retained": retained(packed, teacher_accuracy, teacher.get("test_guess", 0.0)),
        "quantization": _quantization(context, packed),
        "bytes": {
            "teacher": weight_bytes(context.folder("teacher")),
            "student": weight_bytes(final_student(context)),
            **{name: path.stat().st_size for name, path in files.items()},
        },
        "parity": [{**row, "label_agreement": agreement.get(row["export"])} for row in verify["parity"]],
        "label_agreement": dict(agreement),
        "before_agreement": dict(verify.get("before_agreement", {})),
        "accuracy": dict(accuracy),
        "metrics": dict(verify.get("metrics", {})),
        "texts": dict(verify["texts"]),
        "bench": times.get("bench", []),
        "memory": times.get("memory", []),
        "warnings": [*_warnings(context), *_meaningless(teacher)],
        "keys": dict(context.keys),
        "seed": context.recipe.seed,
        "card": context.facts("still")["card"],
        "versions": {name: record.facts.get("versions", {}) for name, record in context.records.items()},
        **({"budget": dict(budget)} if budget is not None else {}),
        "settings": context.recipe.content(),
    }
    return {**report, "intervals": intervals(report)}


def _warnings(context: Context) -> list[str]:
    return [text for record in context.records.values() for text in record.facts.get("warnings", ())]


def _meaningless(teacher: Mapping[str, Any]) -> list[str]:
    """A warning about a teacher that is no better than a guess: what a student keeps of it means nothing."""
    accuracy, guess = teacher["test_accuracy"], teacher.get("test_guess", 0.0)
    if accuracy > guess:
        return []
    return [
        f"the teacher's {100 * accuracy:.1f} % on the test rows is no better than a guess ({100 * guess:.1f} %): what "
        "the student retains of it means nothing; check the labels, or set teacher.finetune = always"
    ]


def _quantization(context: Context, packed: float) -> dict[str, Any]:
    """What rounding cost: the packed model against the fp32 student as it was distilled, in points of accuracy."""
    plain = context.facts("student")["test_accuracy"]
    return {
        "scheme": context.facts("still")["scheme"],
        "fp32_test_accuracy": plain,
        "packed_test_accuracy": packed,
        "points": round(100 * (packed - plain), 2),
        **{stage: context.own_facts(stage) for stage in ("gptq", "qat", "sensitivity") if stage in context.records},
    }


def write_report(report: Mapping[str, Any], out: Path) -> None:
    """Write `report.json`, and of it the model's card `README.md`, each atomically."""
    write_json(out / REPORT, report)
    _publish_text(hub_card(report), out / HUB_CARD)
