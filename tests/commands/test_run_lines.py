"""`potstill run -`: line n of the output answers line n of the input, whatever the lines and the terminal are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_still import write_model

COMMAND = [sys.executable, "-m", "potstill", "run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_model(folder / "texts.still")
    write_model(folder / "pairs.still", pairs=True)
    write_model(folder / "words.still", per_token=True)
    return folder


def run(
    folder: Path, model: str, *options: str, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, str(folder / f"{model}.still"), *options]
    return subprocess.run(
        command, input=given, env={**os.environ, **environment}, capture_output=True, timeout=60, check=False
    )


def answers(folder: Path, model: str, *options: str, given: bytes) -> list[object]:
    result = run(folder, model, "-", *options, given=given)
    assert (result.returncode, result.stderr) == (0, b"")
    return [json.loads(line) for line in result.stdout.decode("utf-8").splitlines()]


LINES = "\ufeffa b\r\n\r\nc\n \t \nh\u00e9llo\n\xff\n\nz".encode().replace("\xff".encode(), b"\xff\xfe x")


@pytest.mark.parametrize(
    ("model", "option", "key"), [("texts", "--json", "label"), ("texts", "--embed", "embedding"),
                                 ("words", "--json", "tokens")],
)  # fmt: skip
def test_each_line_has_its_answer(folder: Path, model: str, option: str, key: str) -> None:
    found = answers(folder, model, option, given=LINES)
    texts = [answer["text"] if isinstance(answer, dict) else answer for answer in found]
    assert texts == ["a b", None, "c", None, "h\u00e9llo", "\ufffd\ufffd x", None, "z"]
    assert all(key in answer for answer in found if isinstance(answer, dict))


def test_plain_lines(folder: Path) -> None:
    result = run(folder, "texts", "-", given=b"a\n\nb\r\n\n")
    lines = result.stdout.decode().split("\n")
    assert result.returncode == 0 and [line.split("\t")[-1] for line in lines] == ["a", "", "b", "", ""]


def test_words_of_an_empty_line_are_none(folder: Path) -> None:
    blocks = run(folder, "words", "-", given=b"a b\n\nc").stdout.decode().split("\n")
    assert [line.split("\t")[0] for line in blocks] == ["a", "b", "", "", "c", "", ""]


def test_pairs(folder: Path) -> None:
    found = answers(folder, "pairs", "--json", given=b"a\tb\n\n\t\r\nc d\te")
    assert [answer and answer["text"] for answer in found] == ["a\tb", None, None, "c d\te"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("model", "bad", "code"),
    [("texts", "a " * 50, "I002"), ("texts", "\x01", "I001"), ("pairs", "no tab", "I015"), ("pairs", "a\t", "I001"),
     ("words", "a " * 50, "I002")],
)  # fmt: skip
def test_a_line_without_an_answer_stops_nothing(folder: Path, model: str, bad: str, code: str) -> None:
    good = "a\tb"
    for option in ("--json", "--logits"):
        result = run(folder, model, "-", option, given=f"{good}\n{bad}\n{good}\n".encode())
        assert result.returncode == 1
        assert result.stderr.decode().startswith(f"line 2: error[{code}]")
        if option == "--json":
            first, second, third = map(json.loads, result.stdout.decode().splitlines())
            assert first == third and second["text"] == bad and f"error[{code}]" in second["error"]


def test_what_is_wrong_with_the_call_stops_at_once(folder: Path) -> None:
    result = run(folder, "texts", "-", "--threshold", "2", given=b"a\nb\n")
    assert result.returncode == 2 and result.stderr.startswith(b"error[I013]") and result.stdout == b""


def test_a_line_is_answered_before_the_next_one_comes(folder: Path) -> None:
    command = [*COMMAND, str(folder / "texts.still"), "-", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for text in ("a", "b", ""):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer is None if text == "" else answer["text"] == text
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding(folder: Path, encoding: str) -> None:
    text = "caf\u00e9 \u4e2d \U0001f600"
    result = run(folder, "texts", text, "--json", PYTHONIOENCODING=encoding)
    assert result.returncode == 0 and json.loads(result.stdout.decode(encoding))["text"] == text
    plain = run(folder, "texts", text, PYTHONIOENCODING=encoding)
    assert plain.returncode == 0 and (encoding == "utf-8" or b"\\u4e2d \\ud83d\\ude00" in plain.stdout)
    for option in ("--help",):
        assert run(folder, "texts", option, PYTHONIOENCODING=encoding).returncode == 0


def test_the_old_locale(folder: Path) -> None:
    result = run(folder, "texts", "-", given="caf\u00e9".encode(), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert result.returncode == 0 and result.stdout.endswith(b"\tcaf\\u00e9\n")


def test_an_argument_that_is_no_utf8(folder: Path) -> None:
    command = [os.fsencode(part) for part in (*COMMAND, folder / "texts.still", "--json")]
    result = subprocess.run([*command, b"a \xff"], capture_output=True, check=False)
    assert result.returncode == 0 and json.loads(result.stdout)["label"]


def test_a_reader_who_leaves(folder: Path) -> None:
    shell = '"$@" | head -1'
    command = ["bash", "-o", "pipefail", "-c", shell, "-", *COMMAND, str(folder / "texts.still"), "-"]
    result = subprocess.run(command, input=b"a\n" * 20_000, capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, b"") and result.stdout.count(b"\n") == 1


def test_closed_input(folder: Path) -> None:
    command = ["bash", "-c", '"$@" <&-', "-", *COMMAND, str(folder / "texts.still"), "-"]
    result = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert result.returncode == 2 and result.stderr.startswith(b"error[I126]")


def test_no_line_at_all(folder: Path) -> None:
    assert run(folder, "texts", "-").stdout == b""


NATIVE = next(Path(__file__).parents[2].glob("build/**/cpp/potstill-run"), None) or shutil.which("potstill-run")


@pytest.mark.skipif(NATIVE is None, reason="potstill-run is not built (POTSTILL_TOOLS)")
@pytest.mark.parametrize("model", ["texts", "pairs", "words"])
def test_the_tool_without_python_does_the_same(folder: Path, model: str) -> None:
    given = b"\xef\xbb\xbfa\tb\r\n\n \t\na\t" + b"b " * 50 + b"\n\x01\nc\td"
    command = [str(NATIVE), str(folder / f"{model}.still"), "-"]
    plain, ours = (subprocess.run(c, input=given, capture_output=True, check=False) for c in (
        [*command, "--json"], [*COMMAND, *command[1:], "--json"]
    ))  # fmt: skip
    assert plain.returncode == ours.returncode == 1
    for mine, other in zip(plain.stdout.splitlines(), ours.stdout.splitlines(), strict=True):
        found, wanted = json.loads(mine), json.loads(other)
        assert (found is None) == (wanted is None)
        if wanted is not None and "tokens" in wanted:
            # The tool writes nine digits.
            near = [{**token, "score": pytest.approx(token["score"])} for token in wanted["tokens"]]
            assert found["tokens"] == near
        assert found is None or {"text", "error" if "error" in wanted else "text"} <= set(found)
    assert [line[:20] for line in plain.stderr.splitlines()] == [line[:20] for line in ours.stderr.splitlines()]
    lines = subprocess.run(command, input=given, capture_output=True, check=False).stdout.decode().split("\n")
    assert lines.count("") == {"texts": 5, "pairs": 5, "words": 7}[model]


@pytest.mark.skipif(NATIVE is None, reason="potstill-run is not built (POTSTILL_TOOLS)")
def test_the_tool_without_python_refuses_alike(folder: Path, tmp_path: Path) -> None:
    """Input that cannot be read is not taken for an empty one; a missing file is 2; names command no terminal."""
    reader = os.open(tmp_path, os.O_RDONLY)
    unreadable = subprocess.run([str(NATIVE), str(folder / "texts.still"), "-"], stdin=reader, capture_output=True)
    os.close(reader)
    assert unreadable.returncode == 2 and unreadable.stderr.startswith(b"error[I126]")
    missing = [subprocess.run([*c, "no\x1b[2J\n.still", "a"], capture_output=True) for c in (
        [str(NATIVE)], COMMAND[: COMMAND.index("run") + 1]
    )]  # fmt: skip
    assert missing[0].returncode == missing[1].returncode == 2
    assert missing[0].stderr == missing[1].stderr and rb"no\x1b[2J\n.still;" in missing[0].stderr
