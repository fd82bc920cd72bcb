"""A student with rounding layers is its packed model: same layers, same numbers, and the same grid after training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from longer import longer
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.compile.verify import core_available
from potstill.errors import TrainError
from potstill.export.onnx import export_onnx
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.quantize import sensitivity
from potstill.quantize.fake_quant import quantize_rows
from potstill.quantize.fused_layers import Layout, match_layers, student_layout
from potstill.quantize.rounded_student import RoundedStudent
from potstill.runtime.rows import TokenRows
from potstill.still.packed import PackedModel
from potstill.still.reader import read_still
from potstill.still.reference import quantize_symmetric
from potstill.still.schema import kind
from potstill.still.schemes import Scheme, scheme_by_name

LIMIT = 16


def scheme(name: str, layout: Layout) -> Scheme:
    """By name; `mixed` has every dtype in some layer."""
    if name != "mixed":
        return scheme_by_name(*name.split("/")[:1], embedding=name.partition("/")[2] or "auto")
    dtypes = ("i4", "i8", "f32", "i8", "i4")
    layers = {layer.name: dtypes[index % 5] for index, layer in enumerate(layout.linears)}
    return Scheme("mixed", "i8", "i4", layers)


def token_rows(count: int = 24, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.integers(5, 21, random.integers(1, LIMIT + 1)) for _ in range(count)]


def test_layers_are_found_by_their_weights(layout: Layout) -> None:
    assert layout.embedding.module == "backbone.embeddings.word_embeddings"
    assert [len(layer.modules) for layer in layout.linears] == [3, 1, 1, 1] * 3
    qkv, out, up, down = layout.linears[4:8]
    stem = "backbone.encoder.layer.1"
    assert qkv.modules == tuple(f"{stem}.attention.self.{part}" for part in ("query", "key", "value"))
    assert qkv.factors == pytest.approx((6**-0.5, 1.0, 1.0)) and qkv.shape == (72, 24)
    assert (out.modules, up.modules) == ((f"{stem}.attention.output.dense",), (f"{stem}.intermediate.dense",))
    assert (up.activation, up.asymmetric, down.asymmetric) == ("gelu", False, True)
    assert up.importance is not None and down.importance is None


def test_the_export_for_a_layout_leaves_nothing(layout: Layout, tiny_teacher: Path, tmp_path: Path) -> None:
    found = student_layout(load_classifier(tiny_teacher), tiny_teacher, tmp_path, opset=18, max_tokens=LIMIT)
    assert not list(tmp_path.iterdir()) and found.embedding.name == layout.embedding.name
    assert [layer.name for layer in found.linears] == [layer.name for layer in layout.linears]


def test_foreign_weights_are_refused(tiny_teacher: Path, tiny_graph: Any) -> None:
    student = load_classifier(tiny_teacher)
    with torch.no_grad():
        student.get_submodule("backbone.encoder.layer.2.output.dense").weight.add_(1e-3)
    with pytest.raises(TrainError) as caught:
        match_layers(student, tiny_graph)
    assert caught.value.code == "T095"


@pytest.mark.parametrize("name", ["mixed", *longer("int8", "int4", "int4/int8")])
def test_the_compiled_file_is_what_was_trained(name: str, layout: Layout, tiny_teacher: Path, tmp_path: Path) -> None:
    student = load_classifier(tiny_teacher)
    before, chosen, rows = set(student.state_dict()), scheme(name, layout), token_rows()
    rounded = RoundedStudent(student, layout)
    rounded.set_scheme(chosen)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():  # stands for training: every weight and every step moves
        for parameter in student.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1 * parameter.std(correction=0))
    trained = {item: rounded.grid(item) for item in (layout.embedding.name, *(x.name for x in layout.linears))}
    logits = outputs(student, TokenRows(rows)).logits
    rounded.snap()
    snapped, first_input = logits_and_first_input(rounded, rows)
    np.testing.assert_allclose(snapped, logits, atol=2e-2 * np.abs(logits).max())
    rounded.unwrap().save_pretrained(tmp_path / "student")  # type: ignore[operator]
    assert set(student.state_dict()) == before
    onnx = export_onnx(tmp_path / "student", tmp_path / "m.onnx", max_tokens=LIMIT)
    compile_onnx(onnx, tmp_path / "m.still", scheme=chosen, verify=False)
    model = read_still(tmp_path / "m.still")
    check_grids(model, trained)
    check_logits(tmp_path / "m.still", rows, snapped)
    check_first_sums(model, first_input, layout)


def logits_and_first_input(rounded: RoundedStudent, rows: list[Any]) -> tuple[Any, torch.Tensor]:
    """Logits of the rows, and all input rows of the first linear layer."""
    seen: list[torch.Tensor] = []
    module = rounded.linears[rounded.layout.linears[0].name][0]
    handle = module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    logits = outputs(rounded.student, TokenRows(rows)).logits
    handle.remove()
    return logits, torch.cat([item.reshape(-1, item.shape[-1]) for item in seen])


def check_grids(model: PackedModel, trained: dict[str, Any]) -> None:
    """Integers and scales in the file are those of training."""
    compared = 0
    for op in model.header.ops:
        grid = trained.get(op.name)
        if grid is None:
            continue
        fields = ("wordT", "wordScaleT") if kind(op) == "Embedding" else ("weightT", "scaleT")
        q, step = (model.values(getattr(op.body, field)) for field in fields)
        # Rows of few values may be stored with twice the integers and half the step: the same numbers.
        same, few = (q == grid[0]).all(axis=1), np.abs(grid[0].astype(int)).max(axis=1) < 7
        assert (same | few).all(), op.name
        np.testing.assert_allclose(step[same], grid[1][same], rtol=3e-7)
        np.testing.assert_allclose(q * step[:, None], grid[0] * grid[1][:, None], rtol=1e-6)
        compared += 1
    assert compared == sum(grid is not None for grid in trained.values()) >= 10


def check_logits(still: Path, rows: list[Any], found: Any) -> None:
    """The core (or, without it, its arithmetic in numpy) gives the same labels and nearly the same logits."""
    if core_available():
        from potstill.runtime.backends import open_backend

        core = open_backend("native", still, 1)
        wanted = np.concatenate([np.asarray(core.run(TokenRows([row.tolist()])).logits) for row in rows])
    else:
        evaluator = Evaluator(read_still(still), exact=True)
        wanted = np.stack([evaluator.run(row.tolist()).logits for row in rows])
    np.testing.assert_array_equal(found.argmax(axis=1), wanted.argmax(axis=1))
    # Sums of f32 in layer norms and softmax have another order than the core's, about 1e-6. Where that carries a value
    # over a rounding edge, an input moves by one int8 step (1/127 of its row's largest): few texts, a little.
    difference = np.abs(found - wanted).max(axis=1) / np.abs(wanted).max()
    assert np.median(difference) < 1e-5
    assert difference.max() < 2e-2


def check_first_sums(model: PackedModel, x: torch.Tensor, layout: Layout) -> None:
    """Rounded input rows and integer sums of the first linear layer, exactly."""
    first = next(op for op in model.header.ops if kind(op) == "Linear")
    assert first.name == layout.linears[0].name
    packed = model.values(first.body.weightT)
    q, scale = quantize_rows(x, False)
    wanted, wanted_scale, _ = quantize_symmetric(x.numpy())
    np.testing.assert_array_equal(q.numpy(), wanted)
    np.testing.assert_array_equal(scale.numpy(), wanted_scale)
    sums = (q @ torch.from_numpy(packed.astype(np.float32)).T).numpy()
    np.testing.assert_array_equal(sums, wanted.astype(np.int64) @ packed.T.astype(np.int64))


def test_shared_layers_round_once(layout: Layout, tiny_teacher: Path) -> None:
    """A module that stands for several operators is replaced once, and shares its weight with all of them."""
    student = load_classifier(tiny_teacher)
    first, second = layout.linears[1], layout.linears[5]
    shared = dataclasses.replace(second, modules=first.modules)
    linears = tuple(shared if layer is second else layer for layer in layout.linears)
    rounded = RoundedStudent(student, dataclasses.replace(layout, linears=linears))
    assert rounded.linears[first.name][0] is rounded.linears[second.name][0]
    rounded.unwrap()
    assert isinstance(student.get_submodule(first.modules[0]), nn.Linear)


@pytest.mark.builds
def test_sensitivity_tells_layers_apart(layout: Layout, tiny_teacher: Path, splits: Any, tmp_path: Path) -> None:
    table = sensitivity.measure_folder(
        tiny_teacher, splits.validation, tmp_path, data_tokens=LIMIT, max_tokens=LIMIT, rows=20
    )
    assert table["rows"] == 20
    assert [row["name"] for row in table["layers"]] == [layout.embedding.name, *(x.name for x in layout.linears)]
    assert [row["kind"] for row in table["layers"]] == ["embedding", *["linear"] * 12]
    for row in table["layers"]:
        assert 0 <= row["i8"]["kl"] < row["i4"]["kl"], row["name"]
        assert row["bytes"]["i4"] < row["bytes"]["i8"] < row["bytes"]["f32"]
    assert table["all"]["i4"]["kl"] > max(row["i8"]["kl"] for row in table["layers"])
    again = sensitivity.measure_folder(
        tiny_teacher, splits.validation, tmp_path, data_tokens=LIMIT, max_tokens=LIMIT, rows=20
    )
    assert again == table
    text = sensitivity.render(table)
    assert "layer.0.attention.self.query+key+value" in text and "all at once" in text
    assert len(text.splitlines()) == 16


@pytest.fixture
def make_rounded(layout: Layout, tiny_teacher: Path) -> Callable[[], RoundedStudent]:
    return lambda: RoundedStudent(load_classifier(tiny_teacher), layout)


def test_measuring_leaves_the_student_as_it_was(make_rounded: Callable[[], RoundedStudent]) -> None:
    rounded, rows = make_rounded(), token_rows(6)
    before = outputs(rounded.student, TokenRows(rows)).logits
    sensitivity.measure(rounded, TokenRows(rows), [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(outputs(rounded.student, TokenRows(rows)).logits, before)
