"""Hugging Face encoders as PyTorch's two exporters write them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from potstill.compile import CompileReport, compile_onnx

SMALL = {
    "vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 40, "num_labels": 3,
}  # fmt: skip


class Plain(torch.nn.Module):
    """Tensors in, the named outputs out: exporters want no dictionaries."""

    def __init__(self, model: Any, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> tuple[Any, ...]:
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        result = self.model(input_ids=input_ids, attention_mask=attention_mask, **more)
        return tuple(result[name] for name in self.outputs)


def bert(attention: str = "eager", **changes: Any) -> Any:
    return hf.BertForSequenceClassification(hf.BertConfig(**{**SMALL, **changes}, attn_implementation=attention))


def distilbert(attention: str) -> Any:
    config = hf.DistilBertConfig(
        vocab_size=101, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=40, num_labels=3,
        attn_implementation=attention,
    )  # fmt: skip
    return hf.DistilBertForSequenceClassification(config)


def roberta() -> Any:
    return hf.RobertaForSequenceClassification(hf.RobertaConfig(**SMALL, pad_token_id=1))


def electra() -> Any:
    return hf.ElectraForSequenceClassification(hf.ElectraConfig(**SMALL, embedding_size=16))


def albert() -> Any:
    return hf.AlbertForSequenceClassification(hf.AlbertConfig(**SMALL, embedding_size=16))


def export(
    make: Callable[[], Any], path: Path, *, dynamo: bool, opset: int, types: bool = False, **options: Any
) -> Path:
    """The model with visible weights everywhere (biases and norms are 0 and 1 at first), exported."""
    torch.manual_seed(0)
    outputs = options.get("outputs", ("logits",))
    plain = Plain(make(), outputs).eval()
    for name, parameter in plain.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if "Norm.weight" in name else 0.0, 0.2 if parameter.ndim == 2 else 0.1)
    ids = torch.randint(5, 100, (2, 7))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    arguments = (ids, mask, torch.zeros_like(ids)) if types else (ids, mask)
    names = ["input_ids", "attention_mask", "token_type_ids"][: len(arguments)]
    axes = {name: {0: "batch", 1: "length"} for name in names}
    shapes = {"dynamic_shapes": axes, "external_data": False, "verbose": False} if dynamo else {"dynamic_axes": axes}
    with warnings.catch_warnings():
        # Both exporters warn about themselves: tracing notes, deprecations inside torch and onnxscript.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            plain, arguments, str(path), dynamo=dynamo, opset_version=opset, input_names=names,
            output_names=list(outputs), **shapes,
        )  # fmt: skip
    return path


def check(report: CompileReport, *, heads: int = 2, positions: int = 40) -> None:
    assert report.max_tokens == positions
    assert report.ops["Attention"] == 2
    assert report.ops["LayerNorm"] == 5
    assert report.ops["Linear"] == 8 + heads
    assert max(row["relative"] for row in report.differences) < 1e-5


LEGACY: dict[str, tuple[Callable[[], Any], dict[str, Any], dict[str, Any]]] = {
    "bert-11": (bert, {"opset": 11}, {}),
    "bert-13-types": (bert, {"opset": 13, "types": True}, {}),
    "bert-17-sdpa": (lambda: bert("sdpa"), {"opset": 17, "types": True}, {}),
    "bert-17-gelu-new": (lambda: bert(hidden_act="gelu_new"), {"opset": 17}, {}),
    "distilbert-14": (lambda: distilbert("eager"), {"opset": 14}, {}),
    "distilbert-14-sdpa": (lambda: distilbert("sdpa"), {"opset": 14}, {}),
    "roberta-17": (roberta, {"opset": 17}, {"positions": 38}),
    "electra-17": (electra, {"opset": 17}, {"heads": 3}),
    "albert-17": (albert, {"opset": 17}, {"heads": 3}),
}


@pytest.mark.parametrize("case", LEGACY)
def test_torchscript_exporter(tmp_path: Path, case: str) -> None:
    make, options, expected = LEGACY[case]
    onnx = export(make, tmp_path / "m.onnx", dynamo=False, **options)
    check(compile_onnx(onnx, tmp_path / "m.still"), **expected)


def test_dynamo_exporter_with_sdpa(tmp_path: Path) -> None:
    """The guards and mask arithmetic (IsNaN, Where, Expand, GatherND) that other engines refuse."""
    onnx = export(lambda: bert("sdpa"), tmp_path / "m.onnx", dynamo=True, opset=18, types=True)
    check(compile_onnx(onnx, tmp_path / "m.still"))


def test_shared_layers_are_stored_once(tmp_path: Path) -> None:
    onnx = export(albert, tmp_path / "m.onnx", dynamo=False, opset=17)
    report = compile_onnx(onnx, tmp_path / "m.still")
    # Two layers of the same weights: 4 int8 matrices for them, 1 for the embedding projection.
    assert sum(tensor["layout"] == "pack_i8n4k16" for tensor in report.tensors) == 5


def test_bare_encoder_with_pooler(tmp_path: Path) -> None:
    onnx = export(
        lambda: hf.BertModel(hf.BertConfig(**SMALL)), tmp_path / "m.onnx", dynamo=False, opset=17,
        outputs=("last_hidden_state", "pooler_output"),
    )  # fmt: skip
    check(compile_onnx(onnx, tmp_path / "m.still"), heads=1)
