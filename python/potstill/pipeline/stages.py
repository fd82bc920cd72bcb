"""The stages of a build. Each imports its libraries when it runs: a build with everything done imports none of them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from potstill.data.demo import PACKAGES, TEACHERS
from potstill.data.sources import source_identity
from potstill.data.splits import Splits
from potstill.keys.values import keys_but
from potstill.pipeline.rounding import final_stage, final_student, max_tokens, rounding_stages
from potstill.pipeline.stage import Context, Stage, data_identity
from potstill.recipe.base import resolve
from potstill.recipe.schema import Recipe
from potstill.work.contents import contents_of, total

# Files of a model folder that hold the tokenizer.
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "added_tokens.json",
)


class Export(NamedTuple):
    """A file that a stage makes, under the name it has in the build's folder."""

    stage: str
    file: str


# By the names of the parity table and of the report.
EXPORTS = {
    "onnx": Export("onnx", "model.onnx"),
    "onnx_int8": Export("onnx", "model.int8.onnx"),
    "onnx_static": Export("onnx_static", "model.static-int8.onnx"),
    "tflite": Export("tflite", "model.tflite"),
    "tflite_int8": Export("tflite", "model.int8.tflite"),
    "still_fp32": Export("still", "model.fp32.still"),
    "still": Export("still", "model.still"),
}
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt")


def build_stages(recipe: Recipe) -> list[Stage]:
    """The stages of `recipe`, in order."""
    tflite = ("tflite",) if recipe.export.tflite else ()
    final = final_stage(recipe)
    static = ("onnx_static",) if recipe.export.onnx_static else ()
    made = (final, "onnx", *static, *tflite, "still")
    limits = ("data.max_tokens", "compile.max_tokens")
    measured = ("sensitivity",) if recipe.compile.scheme == "mixed" else ()
    # Where data and teacher lie says nothing: they are known by their content, in `identity`.
    data = keys_but("data", "source", "train", "validation", "test", "unlabelled", "max_tokens")
    # Texts longer than BERT's 512 tokens decide how many positions of a long-context teacher the student gets.
    longest = ("compile.max_tokens",) if (recipe.compile.max_tokens or 0) > 512 else ()
    stages = [
        Stage("data", run_data, "reading and splitting the data", recipe=("seed", "task", *data),
              identity=_source_identity),
        Stage("teacher", run_teacher, "making the teacher",
              recipe=("seed", "task", *keys_but("teacher", "model"), "distil.class_weights", "data.max_tokens"),
              needs=("data",), keyed_by=(), identity=_teacher_identity, parallel=True),
        Stage("student", run_student, "distilling the student",
              recipe=("seed", "task", *keys_but("student", "tokenizer"), "distil", "data.max_tokens", *longest),
              needs=("data", "teacher"), keyed_by=("teacher",), identity=_student_identity, parallel=True),
        *rounding_stages(recipe),
        Stage("onnx", run_onnx, "exporting to ONNX, fp32 and int8", recipe=("export.opset", *limits), needs=(final,)),
    ]  # fmt: skip
    if static:
        stages.append(
            Stage("onnx_static", run_onnx_static, "quantizing ONNX with fixed activation ranges",
                  recipe=("data.max_tokens",), needs=("data", "onnx", final), keyed_by=("onnx",),
                  identity=data_identity)
        )  # fmt: skip
    if recipe.export.tflite:
        stages.append(
            Stage("tflite", run_tflite, "exporting to TFLite, fp32 and int8", recipe=limits, needs=(final,))
        )  # fmt: skip
    stages += [
        Stage("still", run_still, "compiling to .still",
              recipe=("name", "seed", "compile", "quantize.clip", "data.max_tokens"),
              needs=("teacher", "onnx", final, *measured), keyed_by=("onnx", final, *measured),
              identity=lambda context: {"teacher": _teacher_name(context.recipe)}),
        Stage("verify", run_verify, "comparing every export with PyTorch on the test set",
              recipe=("task", "data.max_tokens"), needs=("data", "teacher", "student", *measured, *made),
              keyed_by=("teacher", *made), identity=data_identity),
        Stage("bench", run_bench, "measuring on this host", needs=("data", "teacher", *made), keyed_by=made,
              recipe=limits, identity=_host_identity),
    ]  # fmt: skip
    return stages


def run_data(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Read, check and split the data; stored as Parquet."""
    from potstill.data.sources import load_data
    from potstill.models.heads import task_of

    del work
    recipe, task = context.recipe, task_of(context.recipe)
    splits = load_data(
        recipe.data,
        seed=recipe.seed,
        cache=context.cache,
        progress=context.progress,
        task=task,
    )
    splits.save(out)
    return {
        "fingerprint": splits.fingerprint,
        "labelled_fingerprint": splits.labelled_fingerprint,
        "labels": splits.labels,
        "units": splits.units,
        "rows": {
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
            "unlabelled": len(splits.unlabelled) if splits.unlabelled is not None else 0,
        },
        "warnings": splits.warnings,
    }


def run_teacher(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Fine-tune the teacher, or take it as it is; a Hugging Face folder."""
    from potstill.distil.teacher.finetune import finetune

    recipe = _with_local_teacher(context.recipe)
    splits = Splits.load(context.folder("data")).labelled()
    return dict(finetune(recipe, splits, out, cache=context.cache, work=work, progress=context.progress))


def run_student(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Distil the teacher into the student; a Hugging Face folder."""
    from potstill.distil.distillation import distil

    splits, teacher = Splits.load(context.folder("data")), context.folder("teacher")
    cache, progress = context.cache, context.progress
    return dict(distil(context.recipe, splits, teacher, out, cache=cache, work=work, progress=progress))


def run_onnx(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """`model.onnx` and `model.int8.onnx`."""
    from potstill.export import onnx

    del work
    recipe = context.recipe
    opset, limit = recipe.export.opset, max_tokens(recipe)
    plain = onnx.export_onnx(final_student(context), out / "model.onnx", opset=opset, max_tokens=limit)
    onnx.quantize_onnx_int8(plain, out / "model.int8.onnx")
    return {}


def run_onnx_static(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """`model.static-int8.onnx`, calibrated on training texts spread evenly."""
    from potstill.export.onnx_static import CALIBRATION_ROWS, quantize_onnx_static
    from potstill.models.rows import encode_dataset
    from potstill.models.tokens import load_tokenizer

    del work
    train = Splits.load(context.folder("data")).train
    some = train.select(range(0, len(train), -(-len(train) // CALIBRATION_ROWS)))
    rows = encode_dataset(load_tokenizer(final_student(context)), some, context.recipe.data.max_tokens)
    plain = context.folder("onnx") / "model.onnx"
    quantize_onnx_static(
        plain,
        out / "model.static-int8.onnx",
        [[int(token) for token in row] for row in rows.ids],
        None if rows.types is None else [[int(kind) for kind in row] for row in rows.types],
    )
    return {"calibration_texts": len(some)}


def run_tflite(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """`model.tflite` and `model.int8.tflite`, of static length."""
    from potstill.export import tflite

    del work
    plain = tflite.export_tflite(final_student(context), out / "model.tflite", length=max_tokens(context.recipe))
    tflite.quantize_tflite_int8(plain, out / "model.int8.tflite")
    return {}


def run_still(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """`model.still` by the recipe's scheme, `model.fp32.still` to tell compiler errors from rounding, `tokenizer/`."""
    from potstill.compile import compile_onnx
    from potstill.distil.teacher.cache import weights_hash
    from potstill.pipeline.rounding import chosen_scheme
    from potstill.runtime.backends import open_backend
    from potstill.still.schemes import SCHEMES

    del work
    recipe, student = context.recipe, final_student(context)
    tokenizer = out / "tokenizer"
    tokenizer.mkdir()
    for name in _TOKENIZER_FILES:
        if (student / name).is_file():
            shutil.copyfile(student / name, tokenizer / name)
    # Neither times nor paths: the same inputs give the same file on any machine.
    trained = context.facts("student").get("versions", {})
    provenance = {
        "recipe": recipe.name,
        "seed": str(recipe.seed),
        "teacher_weights": weights_hash(context.folder("teacher")),
        "student_weights": weights_hash(student),
        "code": context.code_hash(),
        "versions": ", ".join(f"{name} {version}" for name, version in trained.items()),
        "teacher": _teacher_name(recipe),
        "data": context.facts("data")["fingerprint"],
    }
    chosen = chosen_scheme(context)
    for name, scheme in (("model.fp32.still", SCHEMES["fp32"]), ("model.still", chosen)):
        report = compile_onnx(
            context.folder("onnx") / "model.onnx",
            out / name,
            scheme=scheme,
            tokenizer=tokenizer,
            labels=context.facts("data")["labels"],
            name=recipe.name,
            max_tokens=max_tokens(recipe),
            provenance=provenance,
            license=_license(recipe),
        )
    return {
        "scheme": chosen.name, "parameters": report.parameters, "ops": dict(report.ops), "notes": report.notes,
        "embedding": chosen.embedding, "layers": dict(chosen.layers),
        "card": open_backend("native", out / "model.still", 1).card.info(),
    }  # fmt: skip


def export_files(context: Context) -> dict[str, Path]:
    """The file of each export that this build makes, by the names of the parity table."""
    return {
        name: context.folder(export.stage) / export.file
        for name, export in EXPORTS.items()
        if export.stage in context.records
    }


def run_verify(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Differences, label agreement and accuracy of every export against the student in PyTorch."""
    from potstill.export.parity import ParityLimits, check_parity
    from potstill.models.heads import task_of
    from potstill.models.text_facts import text_facts
    from potstill.models.tokens import load_tokenizer
    from potstill.models.truth import truth_of
    from potstill.pipeline.rounding import chosen_scheme

    del work
    recipe, labels = context.recipe, context.facts("data")["labels"]
    task = task_of(recipe).with_labels(labels)
    test = Splits.load(context.folder("data")).test
    student, teacher = final_student(context), context.folder("teacher")
    report = check_parity(
        student,
        export_files(context),
        test,
        max_tokens=recipe.data.max_tokens,
        progress=context.progress,
        task=task,
        truth=truth_of(task, test, labels, student, teacher, recipe.data.max_tokens, progress=context.progress),
        before=context.folder("student") if student != context.folder("student") else None,
    )
    # A peer's own int8 rounding is its affair, worth a warning; what we make must be right, or the build fails.
    theirs = ("onnx_int8", "onnx_static", "tflite_int8")
    ours = {name: share for name, share in report.label_agreement.items() if name not in theirs}
    (out / "parity.json").write_text(report.to_json(), encoding="utf-8")
    # int4 rounds more: 95 % on the demo, where int8 has 99.6 %. A broken file of two classes would be near 50 %.
    limits = ParityLimits(int8_agreement=0.80) if chosen_scheme(context).has_int4 else None
    dataclasses.replace(report, label_agreement=ours).require(limits)
    return {
        "parity": [dict(row) for row in report.rows],
        "label_agreement": dict(report.label_agreement),
        "before_agreement": dict(report.before_agreement),
        "accuracy": dict(report.accuracy),
        "metrics": {name: dict(figures) for name, figures in report.metrics.items()},
        "test_difference": dict(report.test_difference),
        "sentences": report.sentences,
        "texts": text_facts(test["text"], {"teacher": load_tokenizer(teacher), "student": load_tokenizer(student)}),
        "warnings": report.failures(),
    }


def weight_bytes(folder: Path) -> int:
    """Bytes of the weight files of a model folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in _WEIGHT_SUFFIXES)


def _teacher_identity(context: Context) -> dict[str, Any]:
    """The labelled data and the teacher by content; of a model on the hub only the name is known."""
    recipe = context.recipe
    model, local = recipe.teacher.model, _local_teacher(context.recipe)
    content = f"hub {model}"
    if model in TEACHERS:
        content = f"{model} {PACKAGES[TEACHERS[model]].sha256}"
    elif local is not None:
        content = f"local {folder_digest(local)}"
    return {"labelled data": context.facts("data")["labelled_fingerprint"], "teacher.model": content}


def _student_identity(context: Context) -> dict[str, Any]:
    """The data, and the student's tokenizer: of one in a folder its content."""
    settings = context.recipe.student
    folder = settings.tokenizer_folder
    tokenizer = settings.tokenizer if folder is None else f"local {folder_digest(folder)}"
    return {**data_identity(context), "student.tokenizer": tokenizer}


def _teacher_name(recipe: Recipe) -> str:
    """How a file names the teacher: without paths of the machine that made it."""
    return recipe.teacher.model if _local_teacher(recipe) is None else "local folder"


def _source_identity(context: Context) -> dict[str, Any]:
    from potstill.models.heads import task_of

    return dict(source_identity(context.recipe.data, labelled=task_of(context.recipe).labelled))


def _host_identity(context: Context) -> dict[str, Any]:
    """Another machine, or another way to use this one, is measured again."""
    import os
    import platform

    del context
    forced = {name: os.environ.get(name, "") for name in ("POTSTILL_ISA", "POTSTILL_NUM_THREADS")}
    return {"host": platform.node(), "machine": platform.machine(), "cpus": len(os.sched_getaffinity(0)), **forced}


def folder_digest(folder: Path) -> str:
    """One digest over names and contents of the files in `folder`, hidden ones left out."""
    return total(contents_of(folder, hidden=False))


def _local_teacher(recipe: Recipe) -> Path | None:
    path = resolve(recipe.teacher.model, recipe.base)
    return path if path.is_dir() else None


def _with_local_teacher(recipe: Recipe) -> Recipe:
    """The recipe with a local teacher's path as seen from the current folder."""
    local = _local_teacher(recipe)
    if local is None:
        return recipe
    return recipe.model_copy(update={"teacher": recipe.teacher.model_copy(update={"model": str(local)})})


def _license(recipe: Recipe) -> str | None:
    """Licence of the weights where we know it: a student is made from its teacher's weights."""
    if recipe.teacher.model in TEACHERS:
        return PACKAGES[TEACHERS[recipe.teacher.model]].license
    return None


def run_bench(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Milliseconds of PyTorch, onnxruntime, LiteRT and Potstill on this host."""
    from potstill.compare.host import bench_host
    from potstill.pipeline.hints import slow_inference

    del work
    found = bench_host(
        final_student(context),
        export_files(context),
        max_tokens=max_tokens(context.recipe),
        scheme=context.facts("still")["scheme"],
        progress=context.progress,
    )
    (out / "bench.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    return {**found, "warnings": slow_inference(found["bench"])}
