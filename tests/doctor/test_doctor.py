"""`potstill doctor` as a command: verdicts, exit codes, JSON, models and recipes against boards."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import pytest
from recorded import Make

from potstill.boards import board
from potstill.cli import main
from potstill.doctor import check as checks
from potstill.doctor import host
from potstill.doctor.check import Check, Findings, Status
from potstill.doctor.model import Limits, check
from potstill.doctor.system import System
from potstill.errors import InputError
from potstill.pipeline.check.shape import read_shape
from tiny_still import write_model

check_model = functools.partial(check, read=read_shape)


def _status(findings: Findings, name: str) -> Status:
    (found,) = [check for check in findings.checks if check.name == name]
    return found.status


def test_verdict_and_rendering() -> None:
    """Counts, singular and plural, next steps under their check, colour only when asked."""
    some = [
        Check("A", "one", Status.OK, "fine"),
        Check("A", "two", Status.WARNING, "hm", "do this"),
        Check("B", "three", Status.FAILURE, "no", "do that"),
        Check("B", "four", Status.NOT_CHECKED, "cannot see"),
    ]
    assert checks.verdict(some[:1]) == "ok"
    assert checks.verdict([some[1], some[1]]) == "2 warnings"
    text = checks.render(some)
    assert text.endswith("1 failure, 1 warning") and "-> do that" in text and "\033" not in text
    assert "\033[31m" in checks.render(some, colour=True)
    assert checks.as_data(some)["failures"] == 1


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A compiled model of two layers."""
    return write_model(tmp_path / "model.still")


def test_model_fits(still: Path) -> None:
    """A tiny model fits a Pi 4; every part is judged."""
    findings = check_model(str(still), board("pi4"), Limits(ms=1000, bytes=10**9))
    assert {name: _status(findings, name) for name in ("operators", "file", "memory", "time")} == dict.fromkeys(
        ("operators", "file", "memory", "time"), Status.OK
    )


def test_large_times_are_plain_numbers() -> None:
    """110 ms, not 1.1e+02."""
    slow = dataclasses.replace(board("pi4"), clock_mhz=100)
    (time,) = [check for check in check_model("sentiment", slow, Limits()).checks if check.name == "time"]
    assert "e+" not in time.seen and float(time.seen.split()[0].replace(",", "")) > 100


def test_limits_are_kept(still: Path) -> None:
    """Too large, too slow, too hungry: failures with a next step."""
    findings = check_model(str(still), board("pi4"), Limits(ms=1e-6, bytes=10, ram=10))
    for name in ("file", "memory", "time"):
        assert _status(findings, name) is Status.FAILURE
    assert all(check.next_step for check in findings.checks if check.status is Status.FAILURE)


def test_small_board(still: Path) -> None:
    """Half of the memory warns, nine tenths fail."""
    pi = board("pi4")
    assert _status(check_model(str(still), dataclasses.replace(pi, ram_mb=15), Limits()), "memory") is Status.WARNING
    assert _status(check_model(str(still), dataclasses.replace(pi, ram_mb=9), Limits()), "memory") is Status.FAILURE


def test_without_a_board(still: Path) -> None:
    """Time and memory wait for a board."""
    assert _status(check_model(str(still), None, Limits()), "memory and time") is Status.NOT_CHECKED


def test_damaged_model(still: Path) -> None:
    """A cut file is a failure, not a crash."""
    still.write_bytes(still.read_bytes()[:500])
    assert _status(check_model(str(still), board("pi4"), Limits()), "file") is Status.FAILURE


def test_recipes() -> None:
    """A bundled recipe before any training; the article's student would not fit a board of 32 MB."""
    findings = check_model("sentiment", board("pi4"), Limits())
    assert _status(findings, "student") is Status.OK and _status(findings, "time") is Status.OK
    small = dataclasses.replace(board("zero2w"), ram_mb=16)
    assert _status(check_model("sentiment", small, Limits()), "memory") is Status.FAILURE


# A file of weights that holds none: the length of its head, and the head.
_WEIGHTS = "\2" + 7 * "\0" + "{}"
_VOCABULARY = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n"


def _config(**keys: object) -> str:
    """A BERT's configuration; a student of the default sizes can start from it."""
    return json.dumps({"model_type": "bert", "num_hidden_layers": 4, "hidden_size": 312, **keys})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"config.json": _config(vocab_size=5000), "vocab.txt": _VOCABULARY, "model.safetensors": _WEIGHTS},
         {"vocabulary": Status.OK, "operators": Status.OK, "tokenizer": Status.OK}),
        ({"config.json": _config(hidden_act="silu"), "vocab.json": '{"a": 0}', "merges.txt": "#version: 0.2",
          "tokenizer_config.json": '{"tokenizer_class": "RobertaTokenizer"}', "model.safetensors": _WEIGHTS},
         {"vocabulary": Status.OK, "operators": Status.OK, "tokenizer": Status.OK}),
        ({"config.json": _config(), "tokenizer.json": '{"model": {"type": "Unigram"}}', "model.safetensors": _WEIGHTS},
         {"tokenizer": Status.FAILURE}),
        ({"config.json": _config(), "model.safetensors": _WEIGHTS}, {"tokenizer": Status.FAILURE}),
        ({"config.json": _config(), "tokenizer.json": "{}"}, {"teacher": Status.FAILURE}),
        ({"config.json": "{}"}, {"teacher": Status.FAILURE, "vocabulary": Status.NOT_CHECKED}),
        ({"config.json": '{"model_type": "made_up"}'}, {"teacher": Status.FAILURE}),
    ],
)  # fmt: skip
def test_recipe_with_a_teacher_on_this_machine(
    tmp_path: Path, files: dict[str, str], expected: dict[str, Status]
) -> None:
    """Vocabulary, activation and tokenizer are the teacher's, before a minute of training is spent."""
    (tmp_path / "mine").mkdir()
    for name, text in files.items():
        (tmp_path / "mine" / name).write_text(text, encoding="utf-8")
    recipe = 'name = "mine"\n[teacher]\nmodel = "mine"\n[data]\nsource = "demo:movie-reviews"\n'
    (tmp_path / "mine.toml").write_text(recipe, encoding="utf-8")
    findings = check_model(str(tmp_path / "mine.toml"), board("pi4"), Limits())
    for name, status in expected.items():
        assert _status(findings, name) is status, name
    (vocabulary,) = [check.seen for check in findings.checks if check.name == "vocabulary"]
    assert ("5,000" in vocabulary) == ("vocab.txt" in files)


def _recipe(folder: Path, student: str) -> str:
    path = folder / "mine.toml"
    text = 'name = "mine"\n[teacher]\nmodel = "demo:all-minilm-l6-v2"\n[data]\nsource = "demo:movie-reviews"\n'
    path.write_text(f"{text}[student]\n{student}", encoding="utf-8")
    return str(path)


def _megabytes(findings: Findings) -> float:
    (seen,) = [check.seen for check in findings.checks if check.name == "file"]
    return float(seen.split()[1])


def test_recipes_of_other_students(tmp_path: Path) -> None:
    """A static student has no predicted time; a factorized table is smaller; a pruned vocabulary is bounded."""
    plain = check_model(_recipe(tmp_path, 'preset = "2l-256"\n'), board("pi4"), Limits())
    static = check_model(_recipe(tmp_path, 'preset = "static-256"\n'), board("pi4"), Limits())
    assert _status(static, "time") is Status.NOT_CHECKED and _status(static, "operators") is Status.OK
    assert _status(static, "memory") is Status.OK
    narrow = 'preset = "2l-256"\narchitecture = "factorized"\nembedding_size = 64\n'
    factorized = check_model(_recipe(tmp_path, narrow), board("pi4"), Limits())
    assert _status(factorized, "time") is Status.OK
    # 30,522 rows of 64 instead of 256 bytes: 5.86 MB less.
    assert _megabytes(plain) - _megabytes(factorized) == pytest.approx(5.86, abs=0.15)
    assert _megabytes(plain) > _megabytes(static) > _megabytes(factorized)
    seen = check_model(_recipe(tmp_path, 'preset = "2l-256"\nvocabulary = "seen"\n'), board("pi4"), Limits())
    assert _megabytes(seen) == _megabytes(plain)
    (bound,) = [check for check in seen.checks if check.name == "vocabulary kept"]
    assert bound.status is Status.NOT_CHECKED and "30,522" in bound.seen
    small = 'preset = "2l-256"\nvocabulary = "seen"\nvocabulary_size = 8000\n'
    limited = check_model(_recipe(tmp_path, small), board("pi4"), Limits())
    assert any("8,000" in check.seen for check in limited.checks if check.name == "vocabulary kept")
    assert _megabytes(limited) < _megabytes(plain) - 5
    unknown = check_model(_recipe(tmp_path, 'architecture = "lstm"\n'), board("pi4"), Limits())
    assert _status(unknown, "student") is Status.FAILURE


def test_every_unknown_operator_is_listed(tmp_path: Path) -> None:
    """Not only the first that the compiler meets; arithmetic on constants is none of them."""
    onnx = pytest.importorskip("onnx")
    numpy = pytest.importorskip("numpy")
    helper, tensor = onnx.helper, onnx.TensorProto
    table = onnx.numpy_helper.from_array(numpy.ones((30, 8), numpy.float32), "table")
    nodes = [
        helper.make_node("Sin", ["table"], ["constant"]),
        helper.make_node("Gather", ["constant", "input_ids"], ["x"]),
        helper.make_node("Ceil", ["x"], ["a"]),
        helper.make_node("Cos", ["a"], ["b"]),
        helper.make_node("Ceil", ["b"], ["c"]),
        helper.make_node("ReduceMean", ["c", "axes"], ["logits"], keepdims=0),
    ]
    axes = onnx.numpy_helper.from_array(numpy.array([1]), "axes")
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("input_ids", tensor.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("logits", tensor.FLOAT, ["b", 8])], [table, axes],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "odd.onnx")
    findings = check_model(str(tmp_path / "odd.onnx"), board("pi4"), Limits())
    assert _status(findings, "operators") is Status.FAILURE
    (listed,) = [check.seen for check in findings.checks if check.name == "all operators"]
    assert "Ceil (x2), Cos (x1)" in listed and "Sin" not in listed


def test_absent_file() -> None:
    """A path that is not there is the user's mistake."""
    with pytest.raises(InputError) as error:
        check_model("no-such.still", board("pi4"), Limits())
    assert error.value.code == "I070"


def test_bad_onnx(tmp_path: Path) -> None:
    """An ONNX file that the compiler refuses is a failure with its reason."""
    (tmp_path / "bad.onnx").write_bytes(b"not onnx")
    assert _status(check_model(str(tmp_path / "bad.onnx"), board("pi4"), Limits()), "operators") is Status.FAILURE


def test_bare_host(machine: Make) -> None:
    """A root without tools: every missing Debian package is named."""
    findings = host.check_tools(machine())
    missing = " ".join(check.next_step for check in findings.checks)
    wanted = ("cmake", "g++-aarch64-linux-gnu", "g++-arm-linux-gnueabihf", "qemu-user", "googletest")
    for package in (*wanted, "flatbuffers-compiler"):
        assert package in missing


def test_command(still: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code and JSON of a fit and of a misfit."""
    words = ["doctor", str(still), "--board", "pi4", "--role", "device", "--json"]
    assert main([*words, "--max-ms", "1000"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["failures"] == 0 and {"section", "name", "status", "seen", "next_step"} == set(said["checks"][0])
    assert main([*words, "--max-bytes", "1KB"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"].startswith("1 failure")
    assert main(["doctor", "--board", "pi9"]) == 1
    assert "error[B002]" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["doctor", "--max-bytes", "many"])


def test_room(tmp_path: Path) -> None:
    """Free space is of the nearest folder that exists."""
    findings = host.check_room(System(), tmp_path / "not" / "yet")
    assert any(check.name == "disk" for check in findings.checks)


def test_a_budget_is_judged_before_training(tmp_path: Path) -> None:
    """The most able student within it is what the board is asked about; a budget of nothing names the nearest."""
    recipe = tmp_path / "mine.toml"
    text = (
        'name = "mine"\n[teacher]\nmodel = "demo:all-minilm-l6-v2"\n[data]\nsource = "demo:movie-reviews"\n'
        '[budget]\nbytes = "{size}"\nms = {{ board = "pi4", tokens = 32, value = 3 }}\n'
    )
    recipe.write_text(text.format(size="2MB"), encoding="utf-8")
    found = check_model(str(recipe), board("pi4"), Limits(ms=3.0), tokens=32)
    assert _status(found, "budget") is Status.OK and _status(found, "time") is not Status.FAILURE
    recipe.write_text(text.format(size="50kB"), encoding="utf-8")
    found = check_model(str(recipe), board("pi4"), Limits(), tokens=32)
    assert _status(found, "budget") is Status.FAILURE
    (budget,) = [check for check in found.checks if check.name == "budget"]
    assert "1x128-int4-4k" in str(budget.next_step)
