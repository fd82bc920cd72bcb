"""A sentence encoder of unit vectors: PyTorch, both opsets of ONNX and the core give the same ones, and say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

import potstill
from longer import longer
from potstill.compile import compile_onnx
from potstill.export.onnx import export_onnx
from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig
from potstill.runtime.backends import open_backend
from potstill.runtime.rows import TokenRows

IDS = [[2, 5, 9, 3], [2, 7, 3]]


@pytest.mark.parametrize("opset", [18, *longer(13)])
def test_unit_vectors_from_end_to_end(tmp_path: Path, opset: int) -> None:
    torch.manual_seed(0)
    backbone = BertConfig(
        vocab_size=30, hidden_size=24, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=16, initializer_range=0.3,
    )  # fmt: skip
    config = EncoderClassifierConfig(backbone=backbone, normalized=True, id2label={}, label2id={})
    model = EncoderClassifier(config).eval()
    model.save_pretrained(tmp_path / "student")
    onnx = export_onnx(tmp_path / "student", tmp_path / "model.onnx", opset=opset)
    for scheme in ("fp32", "int8"):
        assert compile_onnx(onnx, tmp_path / f"{scheme}.still", scheme=scheme).ops["Normalize"] == 1
    with torch.no_grad():
        wanted = np.concatenate([model(torch.tensor([ids])).pooled.numpy() for ids in IDS])
    np.testing.assert_allclose(np.linalg.norm(wanted, axis=1), 1.0, rtol=1e-6)
    for name, engine in (("model.onnx", "onnxruntime"), ("fp32.still", "native")):
        backend = open_backend(engine, tmp_path / name, 1)
        assert backend.info["normalized"]
        np.testing.assert_allclose(np.asarray(backend.run(TokenRows(IDS)).embedding), wanted, rtol=1e-5, atol=1e-6)
    assert potstill.load(tmp_path / "int8.still").normalized
