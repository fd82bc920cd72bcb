"""The terminal table and the HTML page show what report.json says, and fail clearly without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import SystemFailure
from potstill.pipeline.report.collect import collect
from potstill.pipeline.report.html import page, write_html
from potstill.pipeline.report.table import render


def _report() -> dict[str, Any]:
    return {
        "recipe": "demo",
        "seconds_total": 12.4,
        "teacher": {"test_accuracy": 0.881},
        "student": {"test_accuracy": 0.87},
        "packed": {"test_accuracy": 0.8695},
        "retained": 0.98695,
        "bytes": {"teacher": 91_000_000, "onnx": 57_000_000, "still": 14_000_000},
        "parity": [
            {"export": "onnx", "length": 16, "batch": 1, "max_abs_difference": 1e-6},
            {"export": "onnx", "length": 64, "batch": 3, "max_abs_difference": 3e-6},
        ],
        "label_agreement": {"onnx": 1.0, "still": 0.9943},
        "accuracy": {"onnx": 0.87, "still": 0.8695},
        "bench": [
            {"engine": "Potstill", "precision": "int8", "tokens": 64, "threads": 1, "median_ms": 0.75},
            {"engine": "PyTorch", "precision": "fp32", "tokens": 16, "threads": 2, "median_ms": 2.5},
        ],
    }


def test_the_artefact_is_named_by_its_scheme(tmp_path: Path) -> None:
    report = _report()
    report["packed"]["scheme"] = "int4"
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "student, Potstill int4 (.still)" in render(tmp_path) and "Potstill int8 (.still)" not in render(tmp_path)


def test_what_rounding_on_texts_gave_is_told(tmp_path: Path) -> None:
    report = _report()
    rounded = {"scheme": "int4", "test_accuracy": 0.8625, "nearest": {"test_accuracy": 0.8515}}
    trained = {"test_accuracy": 0.8685, "start": {"test_accuracy": 0.8625}}
    report["quantization"] = {"scheme": "int4", "points": -0.15, "gptq": rounded, "qat": trained}
    (tmp_path / "report.json").write_text(json.dumps(report))
    lines = [" ".join(line.split()) for line in render(tmp_path).splitlines()]
    assert "every weight rounded to the nearest 85.15 %" in lines and "int4 layers rounded by GPTQ 86.25 %" in lines
    assert "trained while rounded 86.85 %" in lines and not any("without training" in line for line in lines)
    del report["quantization"]["gptq"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "rounded without training for it" in render(tmp_path)


def test_texts_and_how_they_are_cut(tmp_path: Path) -> None:
    report = _report()
    cut = {"tokens_per_character": 1.423, "unknown": 0.0009, "bytes": 0.0}
    report["texts"] = {
        "rows": 1732, "scripts": {"Han": 0.98, "Latin": 0.02}, "languages": {"zh": 0.97},
        "tokens": {"teacher": {**cut, "unknown": 0.0}, "student": cut},
    }  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(report))
    lines = [" ".join(line.split()) for line in render(tmp_path).splitlines()]
    assert "Texts (1,732 test rows)" in lines and "scripts Han 98 %, Latin 2 %" in lines
    assert "languages zh 97 %, others, or too short to tell 3 %" in lines
    assert "tokens a character unknown bytes" in lines
    assert "teacher 1.42 0.00 % 0.00 %" in lines and "student 1.42 0.09 % 0.00 %" in lines


def test_a_task_names_its_figures(tmp_path: Path) -> None:
    report = _report()
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "More figures" not in render(tmp_path) and "same label" in render(tmp_path)
    report |= {"task": "embedding", "metric": "cosine"}
    report["student"]["metrics"] = {"cosine": 0.87, "class_at_1": 0.91}
    report["metrics"] = {"still": {"cosine": 0.8695, "class_at_1": 0.9, "teacher_class_at_1": 0.96}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    lines = render(tmp_path).splitlines()
    assert any(line.split() == ["class", "at", "1", "96.00", "%", "91.00", "%", "90.00", "%"] for line in lines)
    assert any(line.strip() == "cosine" for line in lines) and "same answer" in render(tmp_path)
    assert not any("teacher class" in line for line in lines)


def test_table_and_page_show_the_figures(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(_report()))
    (tmp_path / "emulated.json").write_text(
        json.dumps(
            {
                "runs": [
                    {
                        "board": "pi4",
                        "cpu": "cortex-a72",
                        "isa": "neon",
                        "same_bits": True,
                        "answers": [{"text": "a <b>fine</b> film", "label": "positive", "score": 0.98}],
                    }
                ]
            }
        )
    )
    text = render(tmp_path)
    for expected in (
        "88.10 %",
        "98.69 %",
        "14.00 MB",
        "1/6.5",
        "3.0e-06",
        "99.43 %",
        "0.75 ms",
        "2.50 ms",
        "cortex-a72",
        "yes",
    ):
        assert expected in text
    page = write_html(tmp_path).read_text()
    assert "a &lt;b&gt;fine&lt;/b&gt; film" in page
    assert "1/6.5" in page


def test_missing_and_damaged_report(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure) as missing:
        render(tmp_path)
    assert missing.value.code == "S015"
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(SystemFailure) as damaged:
        render(tmp_path)
    assert damaged.value.code == "S016"


@pytest.mark.parametrize(
    "content", ["{}", "[]", "[" * 5000, '{"recipe": "r"}', '{"recipe": "r", "seconds_total": []}', "\udcff"]
)
def test_a_report_that_lacks_its_parts_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    for shown in (render, page, collect):
        with pytest.raises(SystemFailure, match="S016"):
            shown(tmp_path)
