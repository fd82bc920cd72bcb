"""Intervals against values worked out by hand or by counting, and how reports show them."""

from __future__ import annotations

import itertools
import json
from math import comb
from pathlib import Path
from typing import Any

import pytest

from potstill.pipeline.report.intervals import difference, intervals, wilson
from potstill.pipeline.report.table import render


def test_wilson() -> None:
    # Newcombe: Two-Sided Confidence Intervals for the Single Proportion, 1998, table I.
    for right, rows, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(right / rows, rows) == pytest.approx((low, high), abs=1e-4)
    assert wilson(1.0, 29) == pytest.approx((0.8830, 1.0), abs=1e-4)


def test_a_difference_holds_the_truth_in_about_95_of_100() -> None:
    rows, worse, better = 40, 0.08, 0.05  # shares of rows that only one of the two has right
    covered = 0.0
    for lost, won in itertools.product(range(16), range(16)):
        rest = rows - lost - won
        chance = comb(rows, lost) * comb(rows - lost, won) * worse**lost * better**won * (1 - worse - better) ** rest
        low, high = difference((30 - lost + won) / rows, 30 / rows, rows, (lost + won) / rows)
        covered += chance * (low <= better - worse <= high)
    assert 0.94 < covered <= 1.0


def test_rows_that_differ_are_bounded() -> None:
    exact, unknown = difference(0.9, 0.88, 1000, 0.04), difference(0.9, 0.88, 1000, 1.0)
    assert exact[0] > 0 and unknown[0] < exact[0] and unknown[1] > exact[1]
    assert difference(1.0, 1.0, 50, 1.0) == difference(1.0, 1.0, 50, 0.0), "both right everywhere: nothing differs"
    low, high = difference(0.5, 0.5, 32, 0.0)
    assert low == -high and 0.05 < high < 0.07, "that 32 rows agree is no proof that all do"


def report(rows: int, teacher: float, packed: float, **more: Any) -> dict[str, Any]:
    found = {
        "recipe": "demo",
        "seconds_total": 1.0,
        "rows": {"train": 8 * rows, "validation": rows, "test": rows},
        "teacher": {"test_accuracy": teacher},
        "student": {"test_accuracy": packed, "agreement": 0.95},
        "packed": {"test_accuracy": packed},
        "retained": packed / teacher,
        "quantization": {"scheme": "int8", "points": 0.0},
        "bytes": {"teacher": 9, "still": 1},
        "label_agreement": {"still": 0.99},
        "accuracy": {"still": packed},
        **more,
    }
    return {**found, "intervals": intervals(found)}


def test_reports_show_what_figures_are_worth(tmp_path: Path) -> None:
    def lines(found: dict[str, Any]) -> list[str]:
        (tmp_path / "report.json").write_text(json.dumps(found))
        return [" ".join(line.split()) for line in render(tmp_path).splitlines()]

    few = lines(report(32, 28 / 32, 29 / 32))
    assert "teacher 87.50 % (71.9-95.0, n = 32)" in few
    kept = next(line for line in few if line.startswith("retained"))
    assert "103.57 % (" in kept and kept.endswith("n = 32), cannot be told apart from 100 %")
    assert any(line.startswith("int8 against the fp32 student +0.00 points (-") for line in few)
    assert any("accuracy (n = 32)" in line for line in few)
    many = lines(report(20_000, 0.9, 0.87))
    kept = next(line for line in many if line.startswith("retained"))
    assert kept.endswith("n = 20,000)"), "so many rows do tell"
    other = lines(report(32, 0.9, 0.87, metric="entity_f1"))
    assert "teacher 90.00 % (n = 32)" in other and "retained (packed / teacher) 96.67 %" in other


def test_json_has_rows_and_intervals() -> None:
    found = report(1056, 0.8807, 0.8797)["intervals"]
    assert found["rows"] == 1056 and found["level"] == 0.95
    assert found["packed"] == found["accuracy"]["still"] == pytest.approx([0.8587, 0.8979], abs=1e-3)
    assert found["retained"][0] < 1 < found["retained"][1]
    assert report(32, 0.9, 0.9, metric="cosine")["intervals"] == {"rows": 32}
