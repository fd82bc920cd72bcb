"""The shape of an ONNX encoder, by the compiler's own reading of it: what it refuses has no shape."""

from __future__ import annotations

from pathlib import Path

from potstill.bench.predict.shape import ModelShape
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ops import Attention, Embedding, Linear
from potstill.errors import InputError


def shape_of_onnx(onnx: Path, scheme: str = "int8", *, static: bool = False) -> ModelShape:
    """Read an ONNX file as ``potstill compile`` would, without writing anything; ``static`` as for `shape_of`.

    Raises:
        CompileError: the core cannot run it; operator and node are named. InputError: it has no attention layers.
    """
    graph = import_onnx(onnx).graph
    operators = graph.ordered()
    attention = [op for op in operators if isinstance(op, Attention)]
    if not attention and not static:
        raise InputError("I071", "the model has no attention layers", str(onnx), "give an encoder of the BERT family")
    table = next(op for op in operators if isinstance(op, Embedding))
    widest = max((int(op.weight.shape[1]) for op in operators if isinstance(op, Linear)), default=0)
    hidden, heads = (attention[0].width, attention[0].heads) if attention else (table.width, 1)
    return ModelShape(
        len(attention), hidden, widest, heads, int(table.word.shape[0]), int(table.position.shape[0]),
        graph.logits.width if graph.logits is not None else 0, scheme,
        embedding=table.width if table.width != hidden else 0,
    )  # fmt: skip
