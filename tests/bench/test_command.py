"""`potstill bench`: options that do not go together, and where figures go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny
from potstill.bench import measure
from potstill.cli import main


@pytest.mark.parametrize("words", [["--quick"], ["--png", "x.png"]])
def test_options_that_do_not_go_together(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "m.still", *words]) == 2
    assert "error[I067]" in capsys.readouterr().err


def test_json(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(measure, "BUDGET_SECONDS", 0.0)
    still = str(tiny.build(base)["still"])
    assert main(["bench", still, "--lengths", "8", "--json", str(tmp_path / "b.json")]) == 0
    assert "median ms" in capsys.readouterr().out
    assert json.loads((tmp_path / "b.json").read_text())[0]["tokens"] == 8
    assert main(["bench", still, "--lengths", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["engine"] == "Potstill"
