"""Self-check after compiling: the fused graph in f32 against onnxruntime on the original ONNX, at three lengths.

Whatever the importer may have misread shows here as a difference; no file is written then.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.ids import sample_ids
from potstill.compile.import_onnx import Imported
from potstill.compile.ir import Embedding, Graph
from potstill.compile.packed import PackedModel
from potstill.compile.run import run_onnx
from potstill.errors import CompileError, PotstillError
from potstill.quantize.reference import Evaluator

Array = NDArray[Any]

# Of the largest output; f32 in another order of summation differs by about 1e-6.
TOLERANCE = 1e-4

# Core against numpy on the same packed weights. With quantized rows numpy does the core's own float arithmetic (exact),
# so that the two agree but for a value on a rounding edge, about one in 2^29.
CORE_TOLERANCE = {"fp32": 1e-4}
_QUANTIZED_TOLERANCE = 1e-3

_REPORT = "do not use this model with potstill; please report the ONNX"


@dataclass(frozen=True)
class Difference:
    """One comparison: which output, at how many tokens, the greatest difference relative to the greatest value."""

    output: str
    tokens: int
    relative: float


def check_lengths(graph: Graph) -> list[int]:
    """Three lengths: a very short text, a middle one and the longest that costs little to run."""
    longest = min(graph.max_tokens, 128)
    return sorted({min(2, longest), max(longest // 3, 1), longest})


def verify(model: PackedModel, imported: Imported) -> list[Difference]:
    """Compare a model packed with scheme fp32 with the ONNX it came from.

    Raises:
        CompileError: C047 the ONNX gives no finite numbers, C049 they differ.
    """
    evaluator = Evaluator(model)
    onnx = imported.onnx
    found = []
    for tokens in check_lengths(imported.graph):
        ids = sample_ids(onnx.source, onnx.inputs.ids, tokens, seed=tokens)
        types = pair_types(imported.graph, tokens)
        ours = evaluator.run(ids, types)
        for name, wanted in original(imported, ids, types).items():
            if not np.isfinite(wanted).all():
                raise CompileError(
                    "C047", f"the ONNX itself gives NaN or infinity as {name} ({tokens} tokens)",
                    str(onnx.source.path), "train or export the model again",
                )  # fmt: skip
            relative = float(np.abs(getattr(ours, name) - wanted).max() / max(np.abs(wanted).max(), 1e-6))
            found.append(Difference(name, tokens, relative))
            if not relative <= TOLERANCE:
                raise CompileError(
                    "C049", f"the compiled {name} differs from the ONNX by {relative:.1e} (relative, {tokens} tokens)",
                    str(onnx.source.path), _REPORT,
                )  # fmt: skip
    return found


def core_available() -> bool:
    """Whether the native core is installed here; a source checkout without a build has none."""
    return importlib.util.find_spec("potstill._core") is not None


def verify_file(path: Path, model: PackedModel, imported: Imported) -> None:
    """Load the written file with the core and compare with the numpy evaluation of the same packed model.

    Raises:
        CompileError: C048 the core refuses the file, or computes something else.
    """
    from potstill.runtime.backends import open_backend

    try:
        core = open_backend("native", path, 1)
    except PotstillError as error:
        raise CompileError(
            "C048", f"the core does not accept the compiled model ({error.code}: {error.what})", error.where, _REPORT
        ) from error
    scheme = model.metadata.scheme
    evaluator, tolerance = Evaluator(model, exact=scheme != "fp32"), CORE_TOLERANCE.get(scheme, _QUANTIZED_TOLERANCE)
    onnx = imported.onnx
    for tokens in check_lengths(imported.graph)[:2]:
        ids = sample_ids(onnx.source, onnx.inputs.ids, tokens, seed=tokens)
        types = pair_types(imported.graph, tokens)
        ours = core.run([ids]) if types is None else core.run([ids], [types])
        wanted = evaluator.run(ids, types)
        for name in ("logits", "embedding"):
            expected = getattr(wanted, name)
            if expected is None:
                continue
            found = np.asarray(getattr(ours, name)).reshape(expected.shape)
            relative = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6))
            if not relative <= tolerance:
                raise CompileError(
                    "C048", f"the core's {name} differs by {relative:.1e} (relative, {tokens} tokens)",
                    str(onnx.source.path), _REPORT,
                )  # fmt: skip


def pair_types(graph: Graph, tokens: int) -> list[int] | None:
    """Token types of a pair whose texts share `tokens` evenly; None for a model of single texts."""
    if not any(isinstance(op, Embedding) and op.types is not None for op in graph.ordered()):
        return None
    return [0] * (tokens // 2) + [1] * (tokens - tokens // 2)


def original(imported: Imported, ids: list[int], types: list[int] | None = None) -> dict[str, Array]:
    """What onnxruntime says for one text, by our output names; per-token outputs are pooled here."""
    onnx, count = imported.onnx, len(ids)
    fixed, mask = onnx.inputs.fixed_length, None
    if fixed is not None and count < fixed:
        # A model of fixed length sees a short text padded, the padding masked.
        mask = [1] * count + [0] * (fixed - count)
        ids = ids + [ids[0]] * (fixed - count)
        types = None if types is None else types + [0] * (fixed - count)
    results = run_onnx(onnx.source, onnx.inputs.feed(ids, mask, types), list(imported.outputs.values()))
    values = {ours: np.asarray(results[name])[0] for ours, name in imported.outputs.items()}
    if imported.pooling is None:
        # Logits of tokens: those of padding are left out.
        return {name: value[:count] if value.ndim == 2 else value for name, value in values.items()}
    rows = values["embedding"][:count]
    return {"embedding": rows.mean(axis=0) if imported.pooling == "mean" else rows[0]}
