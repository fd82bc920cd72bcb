"""Usage and bad input are 2, whatever the command: missing files, unknown commands and options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onnx_graphs import encoder
from potstill.cli import main
from potstill.errors import TrainError
from tiny_still import write_model

ERROR = re.compile(r"^error\[[A-Z]\d{3}\]: .+; .+; .+$", re.MULTILINE)
# MODEL and ONNX stand for files that are there, every word with "none" for one that is not.
MISSING = [
    "run none.still text",
    "run none.onnx text --backend onnxruntime",
    "run none.tflite text --backend litert",
    "inspect none.still",
    "verify none.still",
    "verify MODEL none.still",
    "bench none.still --lengths 4",
    "bench none.still --profile",
    "bench none.still --board pi4",
    "bench none.still --peers",
    "bench MODEL --lengths 4 --texts none.txt",
    "bench MODEL --peers --student none",
    "doctor none.still",
    "doctor none.onnx",
    "doctor none.toml",
    "doctor none",
    "compile none.onnx -o out.still",
    "compile folder.onnx/none.onnx -o out.still",
    "compile ONNX -o out.still --tokenizer none",
    "compile ONNX -o out.still --scheme mixed --sensitivity none.json",
    "export none --out out",
    "report none",
    "sensitivity none",
    "recipe check none.toml",
    "build none.toml --out out",
    "build none --out out",
    "build sentiment-tiny --out out --set data.source=none.csv",
    "search none.toml --out out",
    "search sentiment-tiny --out out --set data.source=none.jsonl",
    "seeds none.toml --out out",
    "seeds sentiment-tiny --out out --set data.source=none.jsonl",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = tmp_path_factory.mktemp("there")
    return {
        "MODEL": str(write_model(made / "tiny.still")),
        "ONNX": str(encoder(made / "tiny.onnx")),
    }


@pytest.mark.parametrize("line", MISSING)
def test_a_missing_file_is_2(
    line: str,
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status = main([files.get(word, word) for word in line.split()])
    shown = capsys.readouterr().err
    assert status == 2, shown
    assert ERROR.search(shown) and "none" in shown and "Traceback" not in shown
    assert not list(tmp_path.rglob("*.still"))


def test_a_missing_teacher_is_2() -> None:
    """As `build --set teacher.model=./none` ends, which takes the whole of PyTorch to find out."""
    assert TrainError("T001", "no such model folder", "./none", "check teacher.model").exit_code == 2
    assert TrainError("T002", "the hub says no", "a/b", "log in").exit_code == 1


def usage(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("comple", "compile"), ("Run", "run"), ("benhc", "bench"), ("verfy", "verify"), ("doctr", "doctor"),
     ("sensitivty", "sensitivity")],
)  # fmt: skip
def test_did_you_mean_for_commands(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = usage(capsys, typed, "x")
    assert f"there is no command {typed!r}; did you mean {meant!r}?" in shown and "commands: build, " in shown


def test_a_command_like_no_other_has_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    shown = usage(capsys, "qqq")
    assert "there is no command 'qqq'" in shown and "did you mean" not in shown and "commands: build, " in shown


def test_did_you_mean_for_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no option '--tokeniser'; did you mean '--tokenizer'?" in usage(
        capsys, "compile", "m.onnx", "-o", "m.still", "--tokeniser=t"
    )
    assert "did you mean '--truncate'?" in usage(capsys, "run", "m.still", "text", "--trunctae")
    assert "one argument too many: 'more'" in usage(capsys, "inspect", "m.still", "more")
    assert "usage: potstill" in usage(capsys)


@pytest.mark.parametrize(
    "line",
    [
        "doctor --threads 0",
        "doctor --tokens 0",
        "doctor --max-ms -1",
        "doctor --max-ms nan",
        "search sentiment-tiny --tokens 0",
        "search sentiment-tiny --threads x",
        "search sentiment-tiny --points 0",
        "sensitivity build --rows 0",
        "export model --out out --length 0",
    ],
)
def test_a_number_out_of_range_is_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(line.split())
    assert stopped.value.code == 2 and line.split()[-1] in capsys.readouterr().err
