"""The parity check: right exports pass with small figures, wrong ones are found and named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import tiny
from potstill.errors import ExportError
from potstill.export import parity
from potstill.export.parity import ParityLimits, ParityReport, check_parity
from potstill.models import rows as models
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress

LENGTHS, BATCHES = (1, 3, 7), (1, 3)


@pytest.fixture(scope="module")
def report(base: Path) -> ParityReport:
    return check_parity(
        tiny.model(base, "mean"),
        tiny.build(base),
        tiny.dataset(),
        max_tokens=tiny.MAX_TOKENS,
        progress=QuietProgress(),
        lengths=LENGTHS,
        batches=BATCHES,
    )


# A calibrated ONNX file is only made when a recipe asks for it.
MADE = [name for name in parity.BACKENDS if name != "onnx_static"]


def test_every_export_has_every_point(report: ParityReport) -> None:
    points = {(row["export"], row["length"], row["batch"]) for row in report.rows}
    assert points == {(e, n, b) for e in MADE for n in (*LENGTHS, tiny.MAX_TOKENS) for b in BATCHES}
    assert len(report.rows) == len(points)


def test_fp32_exports_agree(report: ParityReport) -> None:
    for row in report.rows:
        if row["export"] in parity.EXACT:
            assert row["max_abs_difference"] < 2e-5, row
    for export in parity.EXACT:
        assert report.label_agreement[export] == 1
        assert report.accuracy[export] == report.reference_accuracy
        assert 0 < report.test_difference[export] < 2e-5


def test_int8_exports_differ_a_little(report: ParityReport) -> None:
    for export in ("onnx_int8", "tflite_int8", "still"):
        assert 1e-5 < report.test_difference[export] < 0.5
        assert report.label_agreement[export] >= 0.8


def test_tokenizers_agree(report: ParityReport) -> None:
    assert report.tokenizer_differences == {"still_fp32": 0, "still": 0}
    assert report.sentences == 48


def test_report_is_json(report: ParityReport) -> None:
    assert json.loads(report.to_json())["rows"] == report.rows
    report.require(ParityLimits(int8_agreement=0.5))


def test_the_student_before_is_compared_with_as_well(base: Path) -> None:
    other = tiny.model(base, "mean")
    found = check_parity(
        tiny.model(base, "cls"), {"onnx": tiny.onnx_file(base, "cls")}, tiny.dataset(), max_tokens=tiny.MAX_TOKENS,
        lengths=(4,), batches=(1,), before=other,
    )  # fmt: skip
    same = check_parity(
        other, {"onnx": tiny.onnx_file(base, "cls")}, tiny.dataset(), max_tokens=tiny.MAX_TOKENS, lengths=(4,),
        batches=(1,),
    )  # fmt: skip
    assert found.label_agreement == {"onnx": 1.0}
    assert found.before_agreement == same.label_agreement and not same.before_agreement


def test_the_wrong_model_is_found(base: Path) -> None:
    # Same shapes, other pooling: an export of one model checked against another.
    found = check_parity(
        tiny.model(base, "mean"),
        {"onnx": tiny.onnx_file(base, "cls")},
        tiny.dataset(12),
        max_tokens=8,
        lengths=(3,),
        batches=(1,),
        progress=QuietProgress(),
    )
    assert any("differs by" in failure for failure in found.failures())
    with pytest.raises(ExportError, match=r"X020.*onnx"):
        found.require()


def test_failures_name_what_is_wrong() -> None:
    row = {"export": "tflite", "length": 7, "batch": 3, "max_abs_difference": 2e-3}
    assert ParityReport(rows=[row]).failures() == ["tflite differs by 0.002 at 7 tokens, batch 3, limit 0.001"]
    assert ParityReport(rows=[{**row, "max_abs_difference": math.nan}]).failures()
    assert not ParityReport(rows=[{**row, "export": "tflite_int8"}]).failures()
    assert ParityReport(label_agreement={"onnx": 0.994}).failures()
    assert not ParityReport(label_agreement={"onnx": 0.995, "still": 0.90}).failures()
    assert ParityReport(label_agreement={"still": 0.89}).failures()
    assert ParityReport(tokenizer_differences={"still": 2}, sentences=9).failures() == [
        "still tokenizes 2 of 9 texts differently"
    ]


def test_another_tokenizer_is_counted(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_rows = models.encode_dataset

    def swapped(*arguments: Any) -> TokenRows:
        rows = true_rows(*arguments)
        rows.ids = [*rows.ids[:3], [2, 9, 3], *rows.ids[4:]]
        return rows

    monkeypatch.setattr(models, "encode_dataset", swapped)
    found = check_parity(
        tiny.model(base, "mean"),
        {"still_fp32": tiny.build(base)["still_fp32"]},
        {"text": ["cold tea"] * 6, "label": [0] * 6},
        max_tokens=8,
        lengths=(),
        batches=(1,),
        progress=QuietProgress(),
    )
    assert found.tokenizer_differences == {"still_fp32": 1}


def test_refusals(base: Path) -> None:
    arguments: dict[str, Any] = {"max_tokens": 8, "progress": QuietProgress()}
    with pytest.raises(ExportError, match=r"X021.*'onxx'"):
        check_parity(base, {"onxx": base}, tiny.dataset(2), **arguments)
    with pytest.raises(ExportError, match="X022"):
        check_parity(base, {}, {"text": [], "label": []}, **arguments)
