"""Files of the scheme int4: types and layouts, round trip through the file, size, sharing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_graphs import CLASSES, INNER, VOCABULARY, WIDTH, encoder
from potstill.card import Card, heads_of
from potstill.compile import compile_onnx
from potstill.compile.ir import Graph
from potstill.compile.lower import lower
from potstill.compile.ops import Embedding, LayerNorm, Linear, Pool
from potstill.still.int4 import quantize_rows_int4
from potstill.still.packed import PackedModel
from potstill.still.reader import read_still
from potstill.still.schema import fb, kind, word
from potstill.still.schemes import scheme_by_name
from potstill.still.writer import write_still


def card(scheme: str) -> Card:
    return Card("m", heads_of(logits=False), 16, scheme=scheme, producer="test")


def one_layer(seed: int = 0) -> Graph:
    """Embedding, layer norm and the two matrices of one FFN, sizes of a real student but for the vocabulary."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(np.float32)

    x = LayerNorm("norm", Embedding("table", normal(3000, 312), normal(16, 312)), 1 + normal(312), normal(312), 1e-12)
    up = Linear("up", x, normal(1200, 312), normal(1200), "gelu")
    down = Linear("down", up, normal(312, 1200), normal(312), residual=x)
    return Graph(Pool("pool", down, "mean"), None, 16)


def test_compile_checks_the_file_with_the_core(tmp_path: Path) -> None:
    """compile_onnx compares the written file with numpy before it takes its name, when the core is built."""
    report = compile_onnx(encoder(tmp_path / "m.onnx"), tmp_path / "m.still", scheme="int4")
    assert report.scheme == "int4" and report.bytes == (tmp_path / "m.still").stat().st_size
    assert all(item["relative"] < 1e-4 for item in report.differences), "the fp32 graph is what is compared"


def test_types_and_layouts(tmp_path: Path) -> None:
    compile_onnx(encoder(tmp_path / "m.onnx"), tmp_path / "m.still", scheme="int4", verify=False)
    model = read_still(tmp_path / "m.still")
    assert model.header.card.scheme == "int4"
    settings = {}
    for op in model.header.ops:
        if kind(op) == "Linear":
            weight, body = op.body.weightT, op.body
            activation, quant = word(fb.Activation, body.activation), word(fb.InputQuant, body.inputQuant)
            settings[model.shape(weight)] = (model.layout(weight), activation, quant)
            if model.dtype(weight) == "i4":
                values, colsum = model.values(weight), model.values(body.colsumT)
                assert (values.min(), values.max()) >= (-7, -7) and values.max() <= 7
                np.testing.assert_array_equal(colsum, values.sum(axis=1, dtype=np.int32))
    assert settings == {
        (3 * WIDTH, WIDTH): ("pack_i4n4k32", "none", "symmetric"),
        (WIDTH, WIDTH): ("pack_i4n4k32", "none", "symmetric"),
        (INNER, WIDTH): ("pack_i4n4k32", "gelu_poly", "symmetric"),
        (WIDTH, INNER): ("pack_i4n4k32", "none", "asymmetric"),
        (CLASSES, WIDTH): ("pack_f32n8", "none", "none"),
    }
    table = model.header.ops[0].body.wordT
    assert (model.dtype(table), model.layout(table)) == ("i4", "row_major_i4")
    assert model.shape(table) == (VOCABULARY, WIDTH)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = lower(one_layer(), scheme_by_name("int4"), card("int4"))
    write_still(model, tmp_path / "m.still")
    again = read_still(tmp_path / "m.still")
    assert len(again.sections) == len(model.sections)
    for index, wanted in enumerate(model.header.tensors):
        assert again.header.tensors[index].name == wanted.name
        assert [f(index) for f in (again.dtype, again.layout, again.shape)] == [
            f(index) for f in (model.dtype, model.layout, model.shape)
        ]
        np.testing.assert_array_equal(again.values(index), model.values(index))
    write_still(again, tmp_path / "again.still")
    assert (tmp_path / "again.still").read_bytes() == (tmp_path / "m.still").read_bytes()


def test_importance_comes_from_the_layer_norms() -> None:
    """The table is rounded for the gamma behind it, a matrix for gamma^2 + beta^2 before it, others evenly."""
    graph = one_layer()
    ops = {op.name: op for op in graph.ordered()}
    table, norm, up, down = ops["table"], ops["norm"], ops["up"], ops["down"]
    assert isinstance(table, Embedding) and isinstance(norm, LayerNorm)
    assert isinstance(up, Linear) and isinstance(down, Linear)
    model = lower(graph, scheme_by_name("int4"), card("int4"))
    gamma, beta = norm.gamma.astype(np.float64), norm.beta.astype(np.float64)
    for name, weight, importance in (
        ("table.word", table.word, gamma**2),
        ("up.weight", up.weight, gamma**2 + beta**2),
        ("down.weight", down.weight, None),
    ):
        stored = next(index for index, tensor in enumerate(model.header.tensors) if tensor.name == name)
        np.testing.assert_array_equal(model.values(stored), quantize_rows_int4(weight, importance)[0])


def size(model: PackedModel, path: Path) -> int:
    return write_still(model, path)


def test_the_file_is_little_over_half_of_int8(tmp_path: Path) -> None:
    graph = one_layer()
    small, large = (
        size(lower(graph, scheme_by_name(name), card(name)), tmp_path / f"{name}.still") for name in ("int4", "int8")
    )
    assert 0.5 < small / large < 0.56


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_equal_matrices_are_stored_once(scheme: str) -> None:
    """Also in int4, where the layer norm before each use would round them differently."""
    graph = one_layer()
    up = next(op for op in graph.ordered() if op.name == "up")
    assert isinstance(up, Linear)
    norm = LayerNorm("other", up.x, np.linspace(0, 1, 312, dtype=np.float32), np.zeros(312, np.float32), 1e-12)
    second = Linear("second", norm, up.weight.copy(), up.bias, "gelu")
    down = Linear("both", second, np.ones((312, 1200), np.float32), residual=graph.embedding.inputs()[0])
    model = lower(Graph(Pool("pool", down, "mean"), None, 16), scheme_by_name(scheme), card(scheme))
    weights = [op.body.weightT for op in model.header.ops if op.name in ("up", "second")]
    assert len(weights) == 2 and weights[0] == weights[1]


def test_names_of_any_length(tmp_path: Path) -> None:
    """Exporters name nodes as they like, a file's names have a limit."""
    graph, long = one_layer(), "\N{LATIN SMALL LETTER E WITH ACUTE}" * 3000
    for op in graph.ordered():
        object.__setattr__(op, "name", long)
    write_still(lower(graph, scheme_by_name("int8"), card("int8")), tmp_path / "m.still")
    names = [op.name for op in read_still(tmp_path / "m.still").header.ops]
    assert len(set(names)) == len(names) and max(map(len, names)) < 210
