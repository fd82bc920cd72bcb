"""Other engines' answers: NaN and infinities, padding and scores are treated as the core treats them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import potstill
from potstill.errors import FormatError, InputError


def _model(path: Path, columns: int, **properties: str) -> Any:
    """Logits: the logarithm of each id; of id 0 minus infinity."""
    names = ("input_ids", "attention_mask")
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["attention_mask"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "m"], ["y"]),
        helper.make_node("Log", ["y"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", columns]) for name in names]
    graph = helper.make_graph(nodes, "g", inputs, [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", columns])
    ])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, properties)
    onnx.save(model, str(path))
    return potstill.load(path, backend="onnxruntime", threads=1)


def test_an_infinite_logit_is_an_error(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.onnx", 3)
    assert model.logits_from_ids([[1, 2, 3]]).shape == (1, 3)
    with pytest.raises(FormatError, match=r"F062.*logits.*m\.onnx"):
        model.logits_from_ids([[1, 0, 3]])


def test_padding_is_told_where_the_file_says_what_it_is(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.onnx", 3, pad_id="7")
    with pytest.raises(InputError, match=r"I103.*7.*attention_mask"):
        model.logits_from_ids([[1, 2, 7]])
    assert _model(tmp_path / "n.onnx", 3).logits_from_ids([[1, 2, 7]]).shape == (1, 3)


@pytest.mark.parametrize(("properties", "kind"), [({}, "raw"), ({"score": "sigmoid"}, "sigmoid")])
def test_one_logit_is_a_score(tmp_path: Path, properties: dict[str, str], kind: str) -> None:
    model = _model(tmp_path / "m.onnx", 1, **properties)
    assert model.score_kind == kind
    assert _model(tmp_path / "n.onnx", 2).score_kind == ""
    assert _model(tmp_path / "o.onnx", 1, multi_label="true").score_kind == ""
