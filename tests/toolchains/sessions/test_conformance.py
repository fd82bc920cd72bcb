"""The run over onnx's node tests tells right from wrong, refused and broken; and it cannot pass by finding nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from toolchains.sessions import conformance

TABLE = np.random.default_rng(3).standard_normal((9, 4)).astype(np.float32)
HEAD = np.random.default_rng(4).standard_normal((4, 2)).astype(np.float32)
IDS = np.array([[3, 1, 4, 1, 5]])


def pooled() -> Any:
    """logits = mean over tokens of table[ids], times a matrix."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "l"])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 2])
    weights = [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(HEAD, "head")]
    graph = helper.make_graph(nodes, "pooled", [ids], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tried(model: Any, wanted: Any) -> conformance.Outcome:
    return conformance.outcome("case", model, [((IDS,), (wanted,))], 1e-3)


def test_right_and_wrong() -> None:
    right = TABLE[IDS].mean(axis=1) @ HEAD
    assert tried(pooled(), right).kind == "right"
    found = tried(pooled(), right + np.float32(0.1))
    assert found.kind == "wrong" and "onnx expects" in found.detail
    assert tried(pooled(), right[:, :1]).kind == "wrong"  # nothing of that shape comes out


def test_refused_and_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    sines = pooled()
    sines.graph.node[2].CopyFrom(helper.make_node("Sin", ["mean"], ["logits"]))
    assert tried(sines, TABLE[:1, :2]) == conformance.Outcome("case", "refused", "C006")

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError(0)

    monkeypatch.setattr("potstill.compile.compile_onnx", broken)
    found = tried(pooled(), TABLE[:1, :2])
    assert found.kind == "traceback" and "KeyError: 0" in found.detail


@pytest.mark.parametrize(
    ("count", "right", "fault", "status"),
    [
        (1600, 1, "", 0),
        (1600, 1, "wrong", 1),
        (1600, 1, "traceback", 1),
        (1600, 0, "", 1),
        (10, 1, "", 1),
        (0, 0, "", 1),
    ],
)
def test_exit_code(
    count: int, right: int, fault: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [conformance.Outcome(f"case {i}", "refused", "C007") for i in range(count)]
    found += [conformance.Outcome(f"case {conformance.BEHIND}", "right")] * right
    found += [conformance.Outcome("bad", fault, "its detail")] if fault else []
    monkeypatch.setattr(conformance, "outcomes", lambda workers: iter(found))
    assert conformance.main() == status
    shown = capsys.readouterr().out
    assert f"node tests of onnx: {count + bool(fault):,}" in shown and (
        not fault or f"bad: {fault}\nits detail" in shown
    )


def test_behind_a_table() -> None:
    """MatMul of a float input becomes a model of token ids that compiles, and is right."""
    rows, weight = TABLE[:5], HEAD @ TABLE[:4, :2].T
    y = rows @ weight
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "w", "y")]
    graph = helper.make_graph([node], "g", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    made = conformance.behind_table(model, [rows, weight], [y])
    assert made is not None
    changed, inputs, outputs = made
    assert inputs[0].tolist() == [[0, 1, 2, 3, 4]] and outputs[0].shape == (1, 5, 4)
    assert conformance.outcome("case", changed, [(inputs, outputs)], 1e-3, max_tokens=5).kind == "right"
    assert conformance.outcome("case", changed, [(inputs, [outputs[0] + 1])], 1e-3, max_tokens=5).kind == "wrong"
    assert conformance.behind_table(model, [rows.astype(np.int64), weight.astype(np.int64)], [y]) is None
