"""TFLite export by litert-torch and its dynamic-range int8 version by ai-edge-quantizer.

TFLite graphs have fixed shapes: the file holds one signature ``tokens_N`` for each of a few lengths (the longest one
first, so that tools which know no signatures see it) over one set of weights. Inputs ``input_ids`` and
``attention_mask`` int32 ``[1, N]``; outputs ``logits`` f32 ``[1, labels]`` (not of a sentence encoder) and
``embedding`` f32 ``[1, hidden]``; of a model that labels words ``logits`` f32 ``[1, N, labels]`` alone.
Labels and limits ride in a zip archive appended to the file, the way TFLite's own metadata tools attach files: every
interpreter ignores it, and ``unzip -p model.tflite potstill.json`` shows it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from potstill.card.notes import attach_to_tflite, notes_in_tflite
from potstill.errors import ExportError, missing_package
from potstill.work.atomic import atomic_write

# Shorter signatures beside the longest: a 9-token sentence then pays for 16, not for 64.
SHORT_LENGTHS = (16, 32)
# A conversion of the common student takes about 10 s on one core; a hang must end too.
_TIME_LIMIT = 1800.0
_WORKER = ("-m", "potstill.export.tflite_worker")


def export_tflite(model_dir: Path, out: Path, *, length: int, short_lengths: tuple[int, ...] = SHORT_LENGTHS) -> Path:
    """Convert a classifier folder to one TFLite file.

    Args:
        model_dir: folder of a classifier, as for `potstill.export.onnx.export_onnx`.
        out: path of the TFLite file; replaced only when the conversion worked.
        length: tokens of the longest signature, specials included (cut to the model's position table).
        short_lengths: lengths of further signatures; those not below `length` are left out.

    Returns:
        `out`.

    Raises:
        ExportError: length below 1; the converter failed; it took over half an hour.
        SystemFailure: a file cannot be written; litert-torch is missing.
    """
    if length < 1:
        raise ExportError("X010", f"length {length} is not possible", out.name, "give at least 1 token")
    _need("litert_torch", "litert-torch", "TFLite export")
    lengths = [length, *(short for short in short_lengths if 0 < short < length)]
    with atomic_write(out) as temporary:
        notes = _work(
            {"work": "convert", "model_dir": str(model_dir), "out": str(temporary), "lengths": lengths}, str(model_dir)
        )
        attach_to_tflite(temporary, notes)
    return out


def quantize_tflite_int8(fp32: Path, out: Path, *, per_channel: bool = True) -> Path:
    """Quantize a TFLite file: int8 weights and embedding rows, activations quantized at run time.

    Args:
        fp32: a file of `export_tflite`.
        out: path of the int8 file; replaced only when the quantizer worked.
        per_channel: one scale for each output channel and each embedding row. tflite-runtime 2.14 cannot compute
            that and refuses the file; with False (one scale a tensor) both engines take it, at a cost in accuracy.

    Returns:
        `out`.

    Raises:
        ExportError: the quantizer failed; it took over half an hour; `fp32` is not a TFLite file.
        SystemFailure: a file cannot be written; ai-edge-quantizer is missing.
    """
    _need("ai_edge_quantizer", "ai-edge-quantizer", "TFLite int8")
    if not is_tflite(fp32):
        raise ExportError("X013", "this is not a TFLite file", str(fp32), "give the file export_tflite wrote")
    with atomic_write(out) as temporary:
        _work({"work": "quantize", "fp32": str(fp32), "out": str(temporary), "per_channel": per_channel}, str(fp32))
        attach_to_tflite(temporary, notes_in_tflite(fp32))
    return out


def is_tflite(path: Path) -> bool:
    """Whether the file carries TFLite's identifier (bytes 4-8 are ``TFL3``)."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"TFL3"
    except OSError:
        return False


def _need(module: str, package: str, wanted_by: str) -> None:
    if find_spec(module) is None:
        raise missing_package(package, "tflite", wanted_by)


def _work(job: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Run a job of `tflite_worker` in its own process; the process never outlives this call."""
    import potstill

    source = str(Path(str(potstill.__file__)).parent.parent)
    paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "HF_HUB_OFFLINE": "1",
    }
    process = subprocess.Popen(
        [sys.executable, *_WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        errors="replace",
    )
    try:
        said, complained = process.communicate(json.dumps(dict(job)), timeout=_TIME_LIMIT)
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            "X012",
            "the converter did not end within half an hour",
            where,
            "try a smaller model or --set export.tflite=false",
        ) from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise ExportError(
            "X011",
            f"the TFLite converter failed ({_reason(complained, process.returncode)})",
            where,
            "see the converter's message; --set export.tflite=false builds without TFLite",
        )
    answer: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return answer


def _reason(complained: str, code: int) -> str:
    """The last line that says something: the exception of a traceback, or the signal that ended the process."""
    lines = [line.strip() for line in complained.splitlines() if line.strip() and not line.startswith(" ")]
    if code < 0:
        return f"ended by signal {-code}"
    return lines[-1][:300] if lines else f"exit code {code}"
