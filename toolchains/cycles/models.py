"""Random weights of the common student's shape in every engine's format and every scheme of ours.

``python -m toolchains.cycles.models DIR N...`` (N: lengths in tokens). TFLite's graphs have fixed lengths, one for
each N. Needs the extras ``build`` and ``tflite``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from potstill.compile import compile_onnx
from potstill.export.onnx import export_onnx, quantize_onnx_int8
from potstill.export.tflite import export_tflite, quantize_tflite_int8
from potstill.still.schemes import SCHEMES
from toolchains.cycles.small_model import write_classifier


def main(folder: Path, lengths: list[int]) -> None:
    """Write the files; `folder` appears when all are complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        out = Path(temporary) / "files"
        out.mkdir()
        classifier = Path(temporary) / "classifier"
        write_classifier(classifier)
        onnx = export_onnx(classifier, out / "model.onnx")
        quantize_onnx_int8(onnx, out / "model.int8.onnx")
        for scheme in SCHEMES:
            name = "model.still" if scheme == "int8" else f"model.{scheme}.still"
            compile_onnx(onnx, out / name, scheme=scheme, max_tokens=max(lengths))
        tflite = export_tflite(classifier, out / "model.tflite", length=max(lengths), short_lengths=tuple(lengths))
        quantize_tflite_int8(tflite, out / "model.int8.tflite")
        shutil.rmtree(folder, ignore_errors=True)
        out.rename(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
