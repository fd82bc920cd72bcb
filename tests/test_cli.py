"""The command line as a user meets it: answers on stdout, errors as one line on stderr, exit codes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from potstill.cli import main
from potstill.commands import BUILD_COMMANDS
from tiny_still import write_model

ERROR = re.compile(r"^error\[[A-Z]\d{3}\]: [^;]+; [^;]+; .+$", re.MULTILINE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("cli") / "tiny.still")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and error code of a command that must fail with one well-formed line."""
    status = main(words)
    captured = capsys.readouterr()
    assert ERROR.match(captured.err), captured.err
    return status, captured.err[6:10]


def test_run_prints_a_line_a_text(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(model), "a b c", "d e", "--threads", "1"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in rows] == ["a b c", "d e"]
    assert all(row[0] in ("bad", "so-so", "good") and 0 < float(row[1]) <= 1 for row in rows)


def test_run_json_from_standard_input(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a b c\nd e\n"))
    assert main(["run", str(model), "-", "--json", "--logits"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["a b c", "d e"]
    assert all(abs(sum(row["scores"].values()) - 1) < 1e-9 and len(row["logits_hex"]) == 3 * 8 for row in rows)


def test_inspect_and_verify(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(model), "--json"]) == 0
    info: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert info["max_tokens"] == 12 and info["bytes"] == model.stat().st_size
    assert info["tensors"] and all(text.split()[0] in ("f32", "i8", "i32", "u8") for text in info["tensors"].values())
    assert main(["inspect", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "max_tokens" in shown and "i8 " in shown
    assert main(["verify", str(model)]) == 0
    assert capsys.readouterr().out.startswith("ok  ")


def test_bad_text(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "run", str(model), "") == (2, "I001")
    assert refused(capsys, "run", str(model), " \t ") == (2, "I001")
    long = " ".join("abcdefghijklmn")
    assert refused(capsys, "run", str(model), long) == (2, "I002")
    assert main(["run", str(model), long, "--truncate"]) == 0


def test_damaged_file(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(model.read_bytes())
    broken = tmp_path / "broken.still"
    for size in (0, 7, 64, len(data) // 2, len(data) - 1):
        broken.write_bytes(data[:size])
        status, code = refused(capsys, "verify", str(broken))
        assert status == 1 and code[0] == "F"
    for place in (0, 9, 70, len(data) // 3, len(data) - 1):
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        broken.write_bytes(flipped)
        status, code = refused(capsys, "run", str(broken), "a b c")
        assert status == 1 and code[0] == "F"
    assert refused(capsys, "verify", str(tmp_path / "absent.still"))[1][0] == "F"


def test_bad_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "my.toml"
    assert main(["recipe", "new", str(recipe)]) == 0
    assert main(["recipe", "check", str(recipe)]) == 0
    capsys.readouterr()
    assert refused(capsys, "recipe", "new", str(recipe))[1] == "I061"
    recipe.write_text(recipe.read_text() + "\n[studnet]\nlayers = 2\n")
    assert main(["recipe", "check", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert "studnet" in message and "student" in message.replace("studnet", "")
    status, code = refused(capsys, "build", "sentimnet", "--out", str(tmp_path / "out"))
    assert status == 2 and code[0] == "R"
    assert not (tmp_path / "out").exists()


def test_report_without_a_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "report", str(tmp_path)) == (2, "S015")


def test_usage_and_closed_output(model: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run"])
    assert caught.value.code == 2
    # A reader that goes away early is no error: the many lines do not fit into the pipe.
    lines = model.parent / "lines.txt"
    script = f"{sys.executable} -m potstill.cli run {model} - < {lines} | head -n 1"
    lines.write_text("a b c\n" * 20_000)
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


def test_a_full_disk_behind_the_output(model: Path) -> None:
    for words in (["run", str(model), "a b"], ["inspect", str(model), "--json"], ["recipe", "schema"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "potstill", *words], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert done.returncode == 1
        assert re.fullmatch(r"error\[S003\]: .*No space left on device; standard output; .*\n", done.stderr)


def test_a_system_failure_that_nothing_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(path: Path, **_: Any) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    assert refused(capsys, "recipe", "new", str(tmp_path / "a.toml")) == (1, "S003")


def test_the_next_command_can_be_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "new", str(tmp_path / "my first.toml")]) == 0
    assert f"potstill build '{tmp_path / 'my first.toml'}'" in capsys.readouterr().out


def test_commands_of_a_build_machine_are_known_to_the_board() -> None:
    """Its wheel lacks the modules that add them, and must name them all the same."""
    added: list[str] = []

    class Parser:
        def add_argument(self, *words: str, **settings: Any) -> None: ...

        def add_mutually_exclusive_group(self) -> Parser:
            return self

    def command(name: str, *rest: Any) -> Any:
        added.append(name)
        return Parser()

    for name in BUILD_COMMANDS:
        import_module(f"potstill.commands.host.{name}").add(command)
    assert tuple(added) == BUILD_COMMANDS


@pytest.mark.parametrize(
    "command", ["build", "compile", "run", "bench", "inspect", "verify", "export", "report", "recipe"]
)
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"potstill {command}" in capsys.readouterr().out.split("examples:")[1]
