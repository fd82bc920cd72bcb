"""The comparison of cached and recomputed teachers: same curves, each row through the teacher once; its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from potstill.bench.teacher_cache import Run, main, table


def test_table_tells_curves_times_and_ratio() -> None:
    text = table(Run(10.0, 8.0, 2.0, [0.5, 0.25]), Run(25.0, 24.0, 0.0, [0.5, 0.26]))
    assert (
        "0.2500" in text and "0.2600" in text and "2.0 s of them" in text and "2.50 times as long, 3.00 times" in text
    )


def test_no_build_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"settings": {}}), encoding="utf-8")
    for folder in (tmp_path, tmp_path / "nothing"):
        assert main([str(folder)]) == 2
        assert "error[I085]" in capsys.readouterr().err
