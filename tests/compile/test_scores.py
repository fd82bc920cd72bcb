"""A head with one output is a score; how it is given, the user says, or the ONNX, or the model's config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import potstill
from onnx_graphs import encoder
from potstill.compile import compile_onnx
from potstill.compile.scores import score_kind
from potstill.errors import CompileError
from potstill.still.reader import read_still
from potstill.still.schema import fb, kind
from potstill.still.writer import write_still

IDS = [[5, 6, 7, 8], [40, 41], [9]]
SIGMOID = "torch.nn.modules.activation.Sigmoid"
ONE = {"id2label": {"0": "LABEL_0"}}


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("single") / "m.onnx", classes=1)


def _compile(onnx_file: Path, out: Path, **options: Any) -> Any:
    report = compile_onnx(onnx_file, out, scheme="fp32", verify=False, **options)
    return report, potstill.load(out, threads=1)


def _with_config(folder: Path, source: Path, config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    target = folder / "m.onnx"
    target.write_bytes(source.read_bytes())
    return target


def test_a_score_and_never_one(single: Path, tmp_path: Path) -> None:
    """A softmax over one logit is 1.0 for every text."""
    _, model = _compile(single, tmp_path / "m.still", activation="raw")
    assert model.score_kind == "raw" and model.labels == ()
    assert len({row[0] for row in memoryview(model.logits_from_ids(IDS)).tolist()}) == 3


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({**ONE, "problem_type": "regression"}, "raw"),
        ({**ONE, "sentence_transformers": {"activation_fn": SIGMOID}}, "sigmoid"),
        ({**ONE, "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "raw"),
        ({**ONE, "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "raw"),
        ({"num_labels": 1, "sbert_ce_default_activation_function": SIGMOID}, "sigmoid"),
        ({**ONE, "problem_type": "regression", "sentence_transformers": {"activation_fn": SIGMOID}}, "sigmoid"),
    ],
)  # fmt: skip
def test_the_config_decides(single: Path, tmp_path: Path, config: Any, kind: str) -> None:
    _, model = _compile(_with_config(tmp_path, single, config), tmp_path / "m.still")
    assert model.score_kind == kind


@pytest.mark.parametrize(
    "config", [ONE, {"id2label": {"0": "a", "1": "b"}, "problem_type": "multi_label_classification"}]
)
def test_what_nobody_says_is_asked(single: Path, tmp_path: Path, config: Any) -> None:
    """Sigmoid or not moves every score; the order of a ranking alone is the same."""
    target = _with_config(tmp_path, single, config)
    with pytest.raises(CompileError, match=r"C144.*--activation raw or --activation sigmoid"):
        _compile(target, tmp_path / "m.still")
    assert _compile(target, tmp_path / "m.still", activation="sigmoid")[1].score_kind == "sigmoid"


def test_the_user_decides_first_and_the_onnx_next(single: Path, tmp_path: Path) -> None:
    target = _with_config(tmp_path, single, {**ONE, "problem_type": "regression"})
    _, model = _compile(target, tmp_path / "m.still", activation="sigmoid")
    assert model.score_kind == "sigmoid"
    graph = onnx.load(str(target))
    entry = graph.metadata_props.add()
    entry.key, entry.value = "score", "sigmoid"
    onnx.save(graph, str(target))
    assert _compile(target, tmp_path / "n.still")[1].score_kind == "sigmoid"
    assert _compile(target, tmp_path / "o.still", activation="raw")[1].score_kind == "raw"


def test_the_repositorys_config_is_found(single: Path, tmp_path: Path) -> None:
    """Optimum's layout, and a tokenizer folder of its own."""
    beside, folder = tmp_path / "onnx", tmp_path / "tokenizer"
    beside.mkdir()
    folder.mkdir()
    (tmp_path / "config.json").write_text(json.dumps({**ONE, "sbert_ce_default_activation_function": SIGMOID}))
    assert score_kind(None, {}, [folder, beside, tmp_path])[0] == "sigmoid"
    target = beside / "model.onnx"
    target.write_bytes(single.read_bytes())
    assert _compile(target, tmp_path / "m.still")[1].score_kind == "sigmoid"


@pytest.mark.parametrize("name", ["torch.nn.modules.activation.Tanh", "mine.Sigmoid", "Softplus"])
def test_other_activations_are_refused(single: Path, tmp_path: Path, name: str) -> None:
    target = _with_config(tmp_path, single, {**ONE, "sentence_transformers": {"activation_fn": name}})
    with pytest.raises(CompileError, match=r"C141.*--activation"):
        _compile(target, tmp_path / "m.still")
    assert _compile(target, tmp_path / "m.still", activation="raw")[1].score_kind == "raw"


def test_a_config_that_cannot_be_read_is_told(single: Path, tmp_path: Path) -> None:
    target = _with_config(tmp_path, single, [])
    with pytest.raises(CompileError, match="C142"):
        _compile(target, tmp_path / "m.still")
    (tmp_path / "config.json").write_bytes(b"\xff{")
    with pytest.raises(CompileError, match="C142"):
        _compile(target, tmp_path / "m.still")


def test_an_activation_is_for_one_output(compiled: Any, single: Path, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"C143.*3 outputs"):
        compile_onnx(compiled.onnx, tmp_path / "m.still", activation="raw", verify=False)
    with pytest.raises(CompileError, match="C143"):
        compile_onnx(single, tmp_path / "m.still", activation="raw", multi_label=True, verify=False)
    with pytest.raises(CompileError, match="C141"):
        compile_onnx(single, tmp_path / "m.still", activation="tanh", verify=False)


def test_one_of_several_labels_stays_a_class(single: Path, tmp_path: Path) -> None:
    _, model = _compile(single, tmp_path / "m.still", multi_label=True, labels=["yes"])
    assert model.score_kind == "" and model.labels == ("yes",)


def test_a_tagger_with_one_label_is_refused(tmp_path: Path) -> None:
    tagger = encoder(tmp_path / "t.onnx", classes=1, head="tagger")
    with pytest.raises(CompileError, match="C140"):
        compile_onnx(tagger, tmp_path / "m.still", verify=False)


def test_what_is_written_is_read(single: Path, compiled: Any, tmp_path: Path) -> None:
    """What is read and written again is the same file."""
    compile_onnx(single, tmp_path / "m.still", activation="sigmoid", verify=False)
    model = read_still(tmp_path / "m.still")
    assert next(head for head in model.header.heads if kind(head) == "Score").body.kind == fb.ScoreKind.Sigmoid
    write_still(model, tmp_path / "again.still")
    assert (tmp_path / "again.still").read_bytes() == (tmp_path / "m.still").read_bytes()
    plain = read_still(compiled.fp32)
    assert np.isfinite(plain.values(0)).all() and not plain.header.input.forbiddenIds
    assert [kind(head) for head in plain.header.heads] == ["Classes", "Vector"]
