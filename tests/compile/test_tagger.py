"""A model that labels words, from PyTorch over ONNX to a file: logits of every token."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import potstill
from potstill.compile import compile_onnx
from potstill.errors import CompileError, InputError
from potstill.export.onnx import export_onnx
from potstill.models.classifier import labels_words, load_classifier
from potstill.still.reader import read_still
from potstill.still.schema import fb, kind

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
IDS = [[2, 7, 9, 3], [2, 5, 5, 6, 30, 41, 12, 3], [2, 3]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random `BertForTokenClassification`, as from the hub."""
    from transformers import BertConfig, BertForTokenClassification

    path = tmp_path_factory.mktemp("tagger")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=60, hidden_size=48, num_hidden_layers=1, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=24, initializer_range=0.2, id2label=dict(enumerate(LABELS)),
        label2id={name: index for index, name in enumerate(LABELS)},
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    return export_onnx(folder, folder / "model.onnx")


@pytest.fixture(scope="module")
def wanted(folder: Path) -> np.ndarray:
    """PyTorch's logits of every token, each row alone."""
    model = load_classifier(folder, attention="eager")
    assert labels_words(model.config)
    with torch.inference_mode():
        rows = [model(torch.tensor([row]), torch.ones(1, len(row), dtype=torch.int64)).logits[0] for row in IDS]
    return torch.cat(rows).numpy()


def test_onnx(exported: Path, wanted: np.ndarray) -> None:
    graph = onnx.load(exported)
    assert [value.name for value in graph.graph.output] == ["logits"]
    axes = graph.graph.output[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["batch", "length", 5]
    noted = {entry.key: entry.value for entry in graph.metadata_props}
    assert noted["task"] == "token-classification" and json.loads(noted["labels"]) == LABELS
    model = potstill.load(exported, backend="onnxruntime")
    assert model.per_token and model.labels == tuple(LABELS)
    np.testing.assert_allclose(np.asarray(model.logits_from_ids(IDS)), wanted, atol=1e-4)
    assert np.asarray(model.logits_from_ids([])).shape == (0, 5)


@pytest.mark.parametrize(("scheme", "near"), [("fp32", 1e-5), ("int8", 0.1), ("int4", 1.0)])
def test_still(exported: Path, wanted: np.ndarray, tmp_path: Path, scheme: str, near: float) -> None:
    report = compile_onnx(exported, tmp_path / "m.still", scheme=scheme)
    assert report.labels == LABELS and "Pool" not in report.ops
    packed = read_still(tmp_path / "m.still")
    last, (head,) = packed.header.ops[-1], packed.header.heads
    assert kind(head) == "Tags" and packed.header.values[head.value].rows == fb.Rows.Tokens
    # The head stays f32 in every scheme.
    assert last.output == head.value and packed.dtype(last.body.weightT) == "f32"
    model = potstill.load(tmp_path / "m.still", threads=1)
    assert model.info["task"] == "token-classification" and model.per_token
    found = np.asarray(model.logits_from_ids(IDS))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < near
    alone = np.concatenate([np.asarray(model.logits_from_ids([row])) for row in IDS])
    assert found.tobytes() == alone.tobytes()


def test_a_pooled_encoder_can_still_be_asked_for(exported: Path, tmp_path: Path) -> None:
    """Somebody may want the mean of what a tagger gives; it is then no tagger."""
    compile_onnx(exported, tmp_path / "m.still", scheme="fp32", pooling="mean")
    assert not potstill.load(tmp_path / "m.still").per_token


def test_what_it_labels_of_a_text(exported: Path, tmp_path: Path) -> None:
    """As asked for, else as the ONNX notes it, else words; a model of whole texts labels nothing in them."""
    compile_onnx(exported, tmp_path / "m.still", scheme="fp32")
    assert potstill.load(tmp_path / "m.still").units == potstill.load(exported, backend="onnxruntime").units == "words"
    noting = onnx.load(exported)
    next(entry for entry in noting.metadata_props if entry.key == "units").value = "characters"
    onnx.save(noting, tmp_path / "noting.onnx")
    assert potstill.load(tmp_path / "noting.onnx", backend="onnxruntime").units == "characters"
    for asked, units in ((None, "characters"), ("given", "given"), ("words", "words")):
        compile_onnx(tmp_path / "noting.onnx", tmp_path / "m.still", scheme="fp32", units=asked, verify=False)
        assert potstill.load(tmp_path / "m.still").units == units
    with pytest.raises(InputError, match=r"I140.*letters.*words, characters, given"):
        compile_onnx(exported, tmp_path / "m.still", units="letters")
    with pytest.raises(CompileError, match=r"C149.*--units"):
        compile_onnx(exported, tmp_path / "m.still", pooling="mean", units="words")
