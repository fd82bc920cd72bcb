"""Random encoders in every engine's format and in each of our schemes, on the same weights.

``python -m toolchains.cycles.models FOLDER LAYERS,HIDDEN,FFN,HEADS N...`` (N: lengths in tokens). TFLite's graphs have
fixed lengths, one for each N. Needs the extras ``build`` and ``tflite``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from potstill.compare.common_student import make
from potstill.compile import compile_onnx
from potstill.still.schemes import SCHEMES
from potstill.work.atomic import atomic_folder
from toolchains.cycles.engines import LONGEST

VOCABULARY, LABELS = 500, 2


def write(folder: Path, sizes: Sequence[int], lengths: Sequence[int] = ()) -> None:
    """``model.SCHEME.still`` of random weights; with `lengths` the files of the peers too. `folder` appears when all
    are complete."""
    layers, hidden, ffn, heads = sizes
    config = {
        "vocab_size": VOCABULARY, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": ffn, "max_position_embeddings": LONGEST,
    }  # fmt: skip
    with atomic_folder(folder) as out:
        make(out, config, LONGEST)
        onnx = (out / "common.onnx").rename(out / "model.onnx")
        (out / "common.still").unlink()
        for scheme in SCHEMES:
            compile_onnx(onnx, out / f"model.{scheme}.still", scheme=scheme, max_tokens=LONGEST)
        if lengths:
            _write_peers(out, lengths)


def _write_peers(out: Path, lengths: Sequence[int]) -> None:
    from potstill.export.onnx import quantize_onnx_int8
    from potstill.export.tflite import export_tflite, quantize_tflite_int8

    quantize_onnx_int8(out / "model.onnx", out / "model.int8.onnx")
    tflite = export_tflite(out / "student", out / "model.tflite", length=max(lengths), short_lengths=tuple(lengths))
    quantize_tflite_int8(tflite, out / "model.int8.tflite")


if __name__ == "__main__":
    write(Path(sys.argv[1]), [int(size) for size in sys.argv[2].split(",")], [int(word) for word in sys.argv[3:]])
