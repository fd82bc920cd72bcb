"""`potstill explain` tells what an error code means, on a board too."""

from __future__ import annotations

import json

import pytest

from potstill.cli import main
from potstill.errors import registry


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["explain", *words])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


@pytest.mark.parametrize("word", ["F020", "f020", "error[F020]", "error[F020]:"])
def test_a_code_as_it_is_typed_or_copied(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = explained(capsys, word)
    assert status == 0 and out.startswith("F020: the .still file\nmeaning  The checksum of a tensor is wrong.\n")
    assert out.splitlines()[-1] == "exit     1"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(explained(capsys, "C001", "--json")[1])
    assert found["code"] == "C001" and found["exit_code"] == 2 and found["board"] is False
    assert all(found[key] for key in ("area", "meaning", "causes", "remedy"))


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explained(capsys)[1].splitlines()
    assert lines[0] == "R: the recipe" and sum(line.startswith("  ") for line in lines) == len(registry.codes())
    assert len(json.loads(explained(capsys, "--json")[1])) == len(registry.codes())


@pytest.mark.parametrize("word", ["F999", "Z001", "nonsense"])
def test_an_unknown_code_is_2(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = explained(capsys, word)
    assert status == 2 and not out and err.startswith(f"error[I084]: there is no error code '{word}'; ")


def test_a_board_tells_where_a_code_of_the_build_machine_comes_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = {name: code for name, code in registry.codes().items() if code.board}
    monkeypatch.setattr("potstill.commands.board.explain.codes", lambda: board)
    monkeypatch.setattr("potstill.commands.board.explain.has_host_codes", lambda: False)
    status, out, _ = explained(capsys, "C102")
    assert status == 0 and out.startswith("C102: compiling") and "on the machine that builds, not on a board" in out
    assert json.loads(explained(capsys, "C102", "--json")[1])["board"] is False
    assert explained(capsys, "F020")[0] == 0
    assert explained(capsys, "nonsense")[0] == 2
