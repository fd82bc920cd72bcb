"""The same encoder in many spellings gives the same fused graph, checked against onnxruntime; what the core cannot run
is refused with operator, node and next step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from onnx_graphs import POSITIONS, encoder
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ops import Linear, Normalize, attention
from potstill.errors import CompileError
from potstill.runtime.backends import open_backend
from potstill.runtime.rows import TokenRows
from potstill.still.reader import read_still

FUSED = {"Attention": 1, "Embedding": 1, "LayerNorm": 3, "Linear": 5, "Pool": 1}

SPELLINGS: list[dict[str, Any]] = [
    *({"qkv": kind} for kind in ("split", "fused", "fused_5d", "interleaved")),
    *({"scale": kind} for kind in ("q", "both", "mul")),
    *({"masking": kind} for kind in ("where", "none")),
    {"nan_guard": True},
    *({"norm": kind} for kind in ("pow", "rsqrt", "keras")),
    *({"activation": kind} for kind in ("relu", "max0", "tanh", "contrib", "erf_mul", "erf_late", "tanh_form")),
    *({"linear": kind} for kind in ("gemm", "einsum", "transposed")),
    *({"positions": kind} for kind in ("rows", "range")),
    *({"types": kind} for kind in ("input", "zeros")),
    {"integer": TensorProto.INT32},
    *({"pool": kind} for kind in ("cls", "cls_slice", "plain_mean", "matmul")),
    {"names": ("output_0", "output_1")},
    {"norm": "pow", "linear": "gemm", "qkv": "fused", "scale": "q", "activation": "erf_mul", "pool": "cls_slice"},
]


def named(options: dict[str, Any]) -> str:
    return "-".join(f"{key}={value}" for key, value in options.items())


@pytest.mark.parametrize("options", SPELLINGS, ids=named)
def test_spelling(tmp_path: Path, options: dict[str, Any]) -> None:
    report = compile_onnx(encoder(tmp_path / "m.onnx", **options), tmp_path / "m.still", scheme="fp32")
    assert report.ops == FUSED
    assert report.max_tokens == POSITIONS
    # Both outputs, three lengths; the compiler's own limit is 1e-4.
    assert len(report.differences) == 6
    assert max(row["relative"] for row in report.differences) < 5e-6


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [("erf_div", "gelu"), ("contrib", "gelu"), ("tanh_form", "gelu_tanh"), ("max0", "relu"), ("tanh", "tanh")],
)
def test_activation_is_told_apart(tmp_path: Path, spelling: str, kind: str) -> None:
    graph = import_onnx(encoder(tmp_path / "m.onnx", activation=spelling)).graph
    assert [op.activation for op in graph.ordered() if isinstance(op, Linear)].count(kind) == 1


def test_residuals_are_fused(tmp_path: Path) -> None:
    graph = import_onnx(encoder(tmp_path / "m.onnx")).graph
    assert sum(op.residual is not None for op in graph.ordered() if isinstance(op, Linear)) == 2


@pytest.mark.parametrize("length", ["sqrt", "pow", "clip", "expand", "rsqrt", "reduce_sum_square", "lp"])
def test_unit_vectors(tmp_path: Path, length: str) -> None:
    onnx = encoder(tmp_path / "m.onnx", head="normalized", length=length, pool="cls" if length == "lp" else "mean")
    for scheme in ("fp32", "int8"):
        report = compile_onnx(onnx, tmp_path / "m.still", scheme=scheme)
        assert report.ops == {**FUSED, "Linear": 4, "Normalize": 1}
        assert max(row["relative"] for row in report.differences) < 5e-6
    normalize = import_onnx(onnx).graph.embedding
    assert isinstance(normalize, Normalize)
    written = {"clip": 1e-12, "expand": 1e-12, "pow": 1e-12, "rsqrt": 1e-6}
    assert normalize.eps == pytest.approx(written.get(length, 1e-30))
    # The last file is int8: the core and the definition in numpy, bit for bit.
    core = open_backend("native", tmp_path / "m.still", 1)
    assert core.info["normalized"]
    packed = read_still(tmp_path / "m.still")
    for ids in ([3], [3, 5, 9, 40], list(range(20, 20 + POSITIONS))):
        wanted = Evaluator(packed, exact=True).run(ids).embedding
        found = np.asarray(core.run(TokenRows([ids])).embedding)[0]
        assert wanted is not None and np.array_equal(found, wanted)
        assert abs(float(np.linalg.norm(found)) - 1.0) < 1e-6


def test_pooler_head_is_the_embedding(tmp_path: Path) -> None:
    report = compile_onnx(encoder(tmp_path / "m.onnx", head="pooler", names=("logits",)), tmp_path / "m.still")
    assert report.ops == {**FUSED, "Linear": 6}
    graph = import_onnx(tmp_path / "m.onnx").graph
    assert isinstance(graph.embedding, Linear) and graph.embedding.activation == "tanh"


def test_offset_positions_are_those_of_unpadded_text(tmp_path: Path) -> None:
    report = compile_onnx(encoder(tmp_path / "m.onnx", positions="offset"), tmp_path / "m.still", scheme="fp32")
    assert report.max_tokens == POSITIONS - 2
    assert report.notes == ["the id 1 marks padding and must not occur inside a sequence"]
    assert max(row["relative"] for row in report.differences) < 5e-6


def test_without_positions(tmp_path: Path) -> None:
    onnx = encoder(tmp_path / "m.onnx", positions="none")
    report = compile_onnx(onnx, tmp_path / "m.still", max_tokens=30)
    assert report.max_tokens == 30


def test_fixed_length_is_compared_with_padding(tmp_path: Path) -> None:
    onnx = encoder(tmp_path / "m.onnx", shape=[1, 16])
    report = compile_onnx(onnx, tmp_path / "m.still", scheme="fp32", max_tokens=16)
    assert report.max_tokens == 16
    assert sorted({row["tokens"] for row in report.differences}) == [2, 5, 16]
    assert max(row["relative"] for row in report.differences) < 5e-6


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_encoder_without_head(tmp_path: Path, pooling: str) -> None:
    onnx = encoder(tmp_path / "m.onnx", head="tokens")
    report = compile_onnx(onnx, tmp_path / "m.still", scheme="fp32", pooling=pooling)
    assert report.ops == {**FUSED, "Linear": 4}
    assert report.labels == []
    assert max(row["relative"] for row in report.differences) < 5e-6


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"activation": "silu"}, "C010", "Mul node"),
    ({"masking": "position"}, "C012", "Add node"),
    ({"masking": "distance"}, "C012", "Sub node"),
    ({"pool": "last"}, "C013", "Gather node"),
    ({"pool": "sum"}, "C013", "ReduceSum node"),
    ({"pool": "max"}, "C006", "ReduceMax node"),
    *(({"head": "normalized", "length": kind}, "C011", "Div node") for kind in ("l1", "rms", "added")),
    ({"head": "softmax"}, "C018", "Softmax node"),
    ({"head": "tokens"}, "C016", "last_hidden_state"),
    ({"shape": [4, 16]}, "C008", "batch is fixed to 4"),
]


@pytest.mark.parametrize(
    ("options", "code", "named_part"), REFUSED, ids=lambda v: named(v) if isinstance(v, dict) else v
)
def test_refused(tmp_path: Path, options: dict[str, Any], code: str, named_part: str) -> None:
    onnx, out = encoder(tmp_path / "m.onnx", **options), tmp_path / "m.still"
    with pytest.raises(CompileError) as caught:
        compile_onnx(onnx, out)
    assert caught.value.code == code
    assert named_part in str(caught.value)
    assert caught.value.next_step
    assert not out.exists()


def test_a_misread_graph_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a pass wrong (here: every scale doubled), the comparison with onnxruntime would stop it."""
    original = attention.fuse_qkv
    monkeypatch.setattr(
        "potstill.compile.ops.attention.fuse_qkv", lambda parts, scale, name: original(parts, 2.0 * scale, name)
    )
    with pytest.raises(CompileError) as caught:
        compile_onnx(encoder(tmp_path / "m.onnx"), tmp_path / "m.still")
    assert caught.value.code == "C049"
    assert not (tmp_path / "m.still").exists()


def test_the_position_table_is_the_models(tmp_path: Path) -> None:
    """Positions and token type 0 together, rows 0, 1, ... of the model's own tables."""
    from onnx_graphs import VOCABULARY, WIDTH
    from potstill.compile.ops import Embedding

    imported = import_onnx(encoder(tmp_path / "m.onnx", types="input", positions="range"))
    embedding = next(op for op in imported.graph.ordered() if isinstance(op, Embedding))
    tables = [v for v in imported.onnx.source.constants.values() if v.ndim == 2 and v.shape[1] == WIDTH]
    word = next(t for t in tables if t.shape[0] == VOCABULARY)
    types = next(t for t in tables if t.shape[0] == 2)
    positions = next(t for t in tables if t.shape[0] == POSITIONS)
    np.testing.assert_array_equal(embedding.word, word)
    np.testing.assert_allclose(embedding.position, positions + types[0], rtol=0, atol=1e-7)
