"""ONNX graphs of thousands of nodes in a row, which a recursive compiler would not survive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_graphs import Builder
from potstill.compile import compile_onnx
from potstill.errors import CompileError

LINKS = 1500  # well above Python's limit of 1,000 nested calls


def chain(path: Path, link: Callable[[Any, str], str], links: int = LINKS) -> Path:
    """logits = (mean over tokens of link(link(... table[ids]))) times a matrix."""
    b = Builder()
    x = b.op("Gather", b.weight(11, 8), "input_ids")
    for _ in range(links):
        x = link(b, x)
    logits = b.op("MatMul", b.op("ReduceMean", x, axes=[1], keepdims=0), b.weight(8, 3))
    written: Path = b.save(path, {"logits": logits}, {"input_ids": TensorProto.INT64})
    return written


@pytest.mark.parametrize(
    "link",
    [
        lambda b, x: b.op("Identity", x),
        lambda b, x: b.op("Add", x, b.const(1e-4)),
        lambda b, x: b.op("Sub", x, b.const(np.linspace(0, 1e-3, 8))),
        lambda b, x: b.op("Mul", b.const(1.0001), x),
        lambda b, x: b.op("Transpose", x, perm=[1, 0, 2]),
    ],
    ids=["identity", "add", "subtract", "multiply", "transpose"],
)
def test_long_chains_are_folded(tmp_path: Path, link: Callable[[Any, str], str]) -> None:
    report = compile_onnx(chain(tmp_path / "m.onnx", link), tmp_path / "m.still", scheme="fp32")
    assert report.ops == {"Embedding": 1, "Linear": 1, "Pool": 1}
    assert max(row["relative"] for row in report.differences) < 1e-4


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (lambda b, x: b.op("Tanh", x), "C010"),
        (lambda b, x: b.op("Add", x, x), "C014"),
        (lambda b, x: b.op("Sub", x, b.op("ReduceMean", x, axes=[-1])), "C011"),
        (lambda b, x: b.op("LayerNormalization", x, "const_2_ones", "const_2_ones"), "C123"),
    ],
    ids=["tanh", "double", "centre", "layer-norm"],
)
def test_long_chains_are_refused(tmp_path: Path, link: Callable[[Any, str], str], code: str) -> None:
    path = chain(tmp_path / "m.onnx", link, 2100 if code == "C123" else LINKS)  # a file holds 2,048 operators
    model = onnx.load(str(path))
    model.graph.initializer.append(helper.make_tensor("const_2_ones", TensorProto.FLOAT, [8], [1.0] * 8))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CompileError) as caught:
        compile_onnx(path, tmp_path / "m.still", scheme="fp32")
    assert caught.value.code == code
    assert not (tmp_path / "m.still").exists()


def call(name: str, count: int = 1) -> list[Any]:
    """`count` calls of the function `name` in a row, from x to y."""
    names = ["x", *(f"y{i}" for i in range(1, count)), "y"]
    return [helper.make_node(name, [names[i]], [names[i + 1]], domain="own") for i in range(count)]


def with_functions(path: Path, bodies: dict[str, list[Any]]) -> Path:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", name, ["x"], ["y"], nodes, opsets) for name, nodes in bodies.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a", "b"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b"])
    graph = helper.make_graph(call(next(iter(bodies))), "g", [x], [y])
    path.write_bytes(
        helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=9).SerializeToString()
    )
    return path


@pytest.mark.parametrize(
    "bodies",
    [
        {"Self": call("Self")},
        {"A": call("B"), "B": call("C"), "C": call("A")},
        {f"F{i}": call(f"F{i + 1}", 2) for i in range(40)} | {"F40": [helper.make_node("Neg", ["x"], ["y"])]},
        {f"F{i}": call(f"F{i + 1}") for i in range(500)} | {"F500": [helper.make_node("Neg", ["x"], ["y"])]},
    ],
    ids=["itself", "circle", "doubling", "deep"],
)
def test_functions_without_end(tmp_path: Path, bodies: dict[str, list[Any]]) -> None:
    with pytest.raises(CompileError) as caught:
        compile_onnx(with_functions(tmp_path / "m.onnx", bodies), tmp_path / "m.still")
    assert caught.value.code in ("C004", "C121")
