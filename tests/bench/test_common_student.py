"""The model measured when none is given."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from potstill.compare import common_student as common
from potstill.compare import exports


def test_made_once_with_all_its_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "SIZES", {**tiny.SIZES, "num_hidden_layers": 1})
    monkeypatch.setattr(common, "MAX_TOKENS", 24)
    still = common.common_student(tmp_path)
    source = exports.find(still, (8,), tmp_path)
    assert source.onnx is not None
    assert source.student == still.parent / "student"
    assert (source.scheme, source.max_tokens, source.vocabulary) == ("int8", 24, tiny.VOCABULARY)
    before = still.stat().st_mtime_ns
    assert common.common_student(tmp_path).stat().st_mtime_ns == before
