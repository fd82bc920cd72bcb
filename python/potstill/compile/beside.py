"""How far answers without the rounding of activations are from those of a quantized ONNX as it was given."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from potstill.compile.import_onnx import Imported
from potstill.compile.verify import check_lengths, original, pair_types, sample
from potstill.errors import CompileError

# Rounding that quantizers do leaves a cosine above 0.95, on random ids too; a graph that is read wrongly, far less.
_LEAST_COSINE = 0.8


@dataclass(frozen=True)
class Beside:
    """Of one output and length: the greatest difference relative to the greatest value of the quantized ONNX, the
    cosine of both, and the share of rows whose greatest value is in the same column."""

    output: str
    tokens: int
    relative: float
    cosine: float
    same_best: float


def beside_given(imported: Imported) -> tuple[list[dict[str, Any]], list[str]]:
    """Compare onnxruntime's answers to the ONNX as it was given with those to it without rounding.

    Returns:
        `Beside`s as dicts, and a note for the user; both empty for an ONNX that is not quantized.

    Raises:
        CompileError: the answers are not alike.
    """
    given = imported.read.given
    if given is None:
        return [], []
    found = []
    for tokens in check_lengths(imported.graph):
        ids, types = sample(imported, tokens), pair_types(imported.graph, tokens)
        ours = original(imported, ids, types)
        for name, theirs in original(imported, ids, types, of=given).items():
            found.append(_beside(name, tokens, ours[name], theirs))
    worst = min(found, key=lambda item: item.cosine)
    if not worst.cosine >= _LEAST_COSINE:
        raise CompileError(
            "C180", f"without its rounding the quantized model answers otherwise: the {worst.output} has a cosine of "
            f"{worst.cosine:.2f} to onnxruntime's ({worst.tokens} tokens)", str(given.path),
            "compile from the fp32 ONNX; potstill quantizes itself (--scheme int8)",
        )  # fmt: skip
    greatest = max(item.relative for item in found)
    best = min(item.same_best for item in found)
    note = (
        "beside onnxruntime's answers to the quantized ONNX, on texts of random ids, before rounding by this file's "
        f"scheme: cosine {worst.cosine:.4f} or more, the greatest difference {greatest:.1%} of the greatest value, the "
        f"best column the same in {best:.1%} of the rows or more"
    )
    return [asdict(item) for item in found], [note]


def _beside(name: str, tokens: int, ours: Any, theirs: Any) -> Beside:
    a, b = (np.asarray(value, np.float64) for value in (ours, theirs))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return Beside(
        name,
        tokens,
        relative=float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6)),
        cosine=float((a * b).sum()) / norms if norms else 0.0,
        same_best=float(np.mean(a.argmax(axis=-1) == b.argmax(axis=-1))),
    )
