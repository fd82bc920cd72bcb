"""The onnxruntime backend behind `potstill.load`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import potstill
import tiny
from potstill.errors import InputError, SystemFailure
from potstill.runtime.backends import open_backend
from potstill.runtime.rows import TokenRows


@pytest.fixture
def backend(base: Path) -> Any:
    return open_backend("onnxruntime", tiny.build(base)["onnx"], 1)


def test_classify_with_the_tokenizer_beside_it(base: Path, tmp_path: Path) -> None:
    shutil.copyfile(tiny.build(base)["onnx"], tmp_path / "m.onnx")
    model = potstill.load(tmp_path / "m.onnx", threads=1, backend="onnxruntime")
    with pytest.raises(InputError, match=r"I050.*tokenizer/"):
        model.classify(["the soup is hot"])
    (tmp_path / "tokenizer").mkdir()
    shutil.copyfile(tiny.model(base, "mean") / "tokenizer.json", tmp_path / "tokenizer" / "tokenizer.json")
    model = potstill.load(tmp_path / "m.onnx", threads=1, backend="onnxruntime")
    texts = ["the soup is hot", "a bowl of cold tea"]
    own = potstill.load(tiny.build(base)["still_fp32"], threads=1)
    assert model.tokenize(texts) == own.tokenize(texts)
    for found, wanted in zip(model.classify(texts), own.classify(texts), strict=True):
        assert found.label == wanted.label
        assert found.score == pytest.approx(wanted.score, abs=1e-4)


def test_text_limits(base: Path, tmp_path: Path) -> None:
    shutil.copyfile(tiny.build(base)["onnx"], tmp_path / "m.onnx")
    shutil.copyfile(tiny.model(base, "mean") / "tokenizer.json", tmp_path / "tokenizer.json")
    model = potstill.load(tmp_path / "m.onnx", threads=1, backend="onnxruntime")
    long = "soup " * 40
    with pytest.raises(InputError, match="I001"):
        model.tokenize(["  "])
    with pytest.raises(InputError, match="I002"):
        model.tokenize(["tea", long])
    cut = model.tokenize([long], truncate=True)[0]
    whole = model.tokenize(["soup"])[0]
    assert cut == [whole[0], *[whole[1]] * (tiny.MAX_TOKENS - 2), whole[-1]]


def test_threads_from_the_environment(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.build(base)["onnx"]
    monkeypatch.setenv("POTSTILL_NUM_THREADS", "2")
    assert open_backend("onnxruntime", path, None).info["threads"] == 2
    assert open_backend("onnxruntime", path, 1).info["threads"] == 1
    monkeypatch.setenv("POTSTILL_NUM_THREADS", "many")
    with pytest.raises(InputError, match=r"I004.*POTSTILL_NUM_THREADS"):
        open_backend("onnxruntime", path, None)


def test_a_foreign_model_with_token_types(tmp_path: Path) -> None:
    names = ("input_ids", "attention_mask", "token_type_ids")
    nodes = [
        helper.make_node("Add", ["input_ids", "token_type_ids"], ["sum"]),
        helper.make_node("Mul", ["sum", "attention_mask"], ["masked"]),
        helper.make_node("Cast", ["masked"], ["logits"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "n"]) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(tmp_path / "foreign.onnx"))
    backend = open_backend("onnxruntime", tmp_path / "foreign.onnx", 1)
    assert backend.card.labels == ()
    found = backend.run(TokenRows([[4, 5, 6], [7, 8, 9]]))
    assert found.logits.tolist() == [[4, 5, 6], [7, 8, 9]]
    assert found.embedding is None


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["logits"])], "g", [value], [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    ])  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(tmp_path / "x.onnx")
    )
    with pytest.raises(InputError, match=r"I053.*inputs are x"):
        open_backend("onnxruntime", tmp_path / "x.onnx", 1)


def test_engine_missing(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.build(base)["onnx"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SystemFailure, match=r"S010.*potstill\[onnxruntime\]"):
        open_backend("onnxruntime", path, 1)
