"""What decides an ONNX encoder's size and time, by the compiler's own reading of it: what it refuses has none."""

from __future__ import annotations

from pathlib import Path

from potstill.bench.predict import CostModel
from potstill.compile.import_onnx import import_onnx
from potstill.compile.lower import facts_of
from potstill.still.schemes import SCHEMES


def model_of_onnx(onnx: Path, scheme: str = "int8") -> CostModel:
    """Read an ONNX file as ``potstill compile`` would, without writing anything.

    Raises:
        CompileError: the core cannot run it; operator and node are named.
    """
    graph = import_onnx(onnx).graph
    return CostModel(tuple(facts_of(graph, SCHEMES[scheme])), graph.max_tokens, scheme)
