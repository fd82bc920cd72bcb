"""The operators are one list: those of the schema, of the compiler and of predicted costs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="the build extra is not installed")

from onnx_graphs import encoder
from potstill.bench.predict import model_of
from potstill.compile import compile_onnx
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ir import Op
from potstill.compile.lower import facts_of
from potstill.compile.ops import OPS
from potstill.compile.verify import core_available
from potstill.still.schema import fb
from potstill.still.schemes import SCHEMES


def test_the_schema_has_each_operator_and_no_other() -> None:
    tables = {name for name, number in vars(fb.OpBody).items() if not name.startswith("_") and number}
    assert {op.__name__ for op in OPS} == tables - {"NONE"}


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_an_operator_is_written_and_evaluated(op: type[Op]) -> None:
    """What every file of compile/ops defines itself."""
    for name in ("width", "recognise", "lower", "evaluate"):
        assert getattr(op, name) is not getattr(Op, name), f"{op.__name__}.{name}"


@pytest.mark.skipif(not core_available(), reason="the core is not built")
@pytest.mark.parametrize("scheme", ["fp32", "int8", "int4"])
def test_the_core_tells_of_a_file_what_the_compiler_tells_of_its_graph(tmp_path: Path, scheme: str) -> None:
    onnx = encoder(tmp_path / "m.onnx")
    compile_onnx(onnx, tmp_path / "m.still", scheme=scheme)
    graph = import_onnx(onnx).graph
    model = model_of(tmp_path / "m.still")
    assert list(model.ops) == facts_of(graph, SCHEMES[scheme])
    assert model.max_tokens == graph.max_tokens
    assert sum(op.head for op in model.ops) == 1


def test_nodes_are_read_by_one_operator() -> None:
    read = [node for op in OPS for node in op.reads]
    assert len(read) == len(set(read))
