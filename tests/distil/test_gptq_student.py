"""A student rounded on texts: closer to fp32 than by nearest values, compiled to the same grid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.export.onnx import export_onnx
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.models.tokens import encode, load_tokenizer
from potstill.quantize import gptq
from potstill.quantize.fused_layers import Layout
from potstill.quantize.rounded_student import RoundedStudent
from potstill.runtime.rows import TokenRows
from potstill.still.reader import read_still
from potstill.still.schemes import Scheme, scheme_by_name
from potstill.work.progress import QuietProgress

INT4 = scheme_by_name("int4")


@pytest.fixture
def rounded(
    splits: Any, tiny_teacher: Path, tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.setattr(gptq, "student_layout", lambda *given, **settings: layout)
    return gptq.round_student(
        tiny_teacher, splits, tmp_path / "out", tmp_path, scheme=INT4, task_name="classification", rows=64,
        data_tokens=16, max_tokens=16, opset=18, progress=QuietProgress(),
    )  # fmt: skip


@pytest.mark.builds
def test_facts(rounded: dict[str, Any], splits: Any) -> None:
    json.dumps(rounded)
    assert rounded["scheme"] == "int4" and rounded["layers"] == 12 and rounded["rows"] == min(64, len(splits.train))
    assert {"validation_accuracy", "test_accuracy"} <= rounded.keys()
    assert rounded["nearest"].keys() == {"validation_accuracy", "test_accuracy"}


def test_the_compiler_finds_the_same_grid(rounded: dict[str, Any], splits: Any, tmp_path: Path) -> None:
    onnx = export_onnx(tmp_path / "out", tmp_path / "m.onnx", max_tokens=16)
    compile_onnx(onnx, tmp_path / "m.still", scheme=INT4, verify=False)
    evaluator = Evaluator(read_still(tmp_path / "m.still"))
    ids = encode(load_tokenizer(tmp_path / "out"), list(splits.test["text"]), 16)
    logits = np.stack([evaluator.run(row.tolist()).logits for row in ids])
    right = (logits.argmax(1) == np.array(splits.test["label"])).mean()
    assert right == pytest.approx(rounded["test_accuracy"], abs=1.5 / len(ids))


def test_nearer_to_fp32_than_nearest_rounding(tiny_teacher: Path, layout: Layout) -> None:
    random = np.random.default_rng(0)
    texts = [random.integers(5, 21, random.integers(3, 16)) for _ in range(400)]
    calibration, unseen = TokenRows(texts[:300]), TokenRows(texts[300:])
    plain = load_classifier(tiny_teacher)
    wanted = outputs(plain, unseen).pooled

    def error(model: Any) -> float:
        return float(((outputs(model, unseen).pooled - wanted) ** 2).mean())

    nearest = RoundedStudent(load_classifier(tiny_teacher), layout)
    nearest.set_scheme(scheme_by_name("int4", embedding="fp32"))
    ours = RoundedStudent(load_classifier(tiny_teacher), layout)
    scheme = scheme_by_name("int4", embedding="fp32")
    assert gptq.compensate(ours, plain, scheme, calibration) == 12
    assert error(ours.student) < 0.7 * error(nearest.student)


def test_layers_of_other_dtypes_keep_their_weights(tiny_teacher: Path, layout: Layout) -> None:
    names = [layer.name for layer in layout.linears]
    scheme = Scheme("mixed", "i8", "i8", {names[2]: "i4", names[5]: "f32"})
    before = load_classifier(tiny_teacher).state_dict()
    student = RoundedStudent(load_classifier(tiny_teacher), layout)
    rows = TokenRows([np.arange(5, 15), np.arange(7, 12)])
    assert gptq.compensate(student, load_classifier(tiny_teacher), scheme, rows) == 1
    changed = {
        name
        for name, value in student.unwrap().state_dict().items()
        if name in before and not value.equal(before[name])
    }
    module = layout.linears[2].modules[0]
    assert changed == {f"{module}.weight", f"{module}.bias"}


def test_token_types_are_given_to_both(tiny_teacher: Path, layout: Layout) -> None:
    rows = [np.arange(5, 15), np.arange(7, 12)]
    types = [np.array([0] * 5 + [1] * 5), np.array([0, 0, 1, 1, 1])]
    found = []
    for given in (None, types):
        student = RoundedStudent(load_classifier(tiny_teacher), layout)
        gptq.compensate(student, load_classifier(tiny_teacher), INT4, TokenRows(rows, given))
        found.append(torch.cat([p.detach().reshape(-1) for p in student.unwrap().parameters()]))
    assert not found[0].equal(found[1])
