"""The installed wheel on a board: right kernels, right bits, right errors, nothing needed beside it."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill.boards import kernel_sets
from potstill.errors import CpuError, FormatError, InputError

# Best first: what runs on this board by the words of its /proc/cpuinfo (toolchains/boards.toml).
KERNELS = os.environ.get("POTSTILL_BOARD_KERNELS", "reference").split(",")


@pytest.fixture(scope="module")
def texts(expected: dict[str, Any]) -> list[str]:
    """The sentences the host ran."""
    return [answer["text"] for answer in expected["runs"][0]["answers"]]


def _hex(model: Any, texts: list[str]) -> list[str]:
    data = bytes(memoryview(model.logits(texts)).cast("B"))
    width = len(data) // len(texts)
    return [data[i * width : (i + 1) * width].hex() for i in range(len(texts))]


def test_machine_is_the_target() -> None:
    """The tests run the board's Python, not the host's."""
    assert platform.machine() in ("aarch64", "armv7l")
    assert "dist-packages" in str(potstill.__file__)


def test_pages_are_the_boards() -> None:
    """What the loader and the core see; the rest of these tests ran with it."""
    assert os.sysconf("SC_PAGESIZE") == int(os.environ["POTSTILL_BOARD_PAGE_SIZE"])


def test_wheel_requires_nothing() -> None:
    """No dependency without an extra, and numpy is not even there."""
    required = [line for line in distribution("potstill").requires or [] if "extra ==" not in line]
    assert required == []
    with pytest.raises(ModuleNotFoundError):
        __import__("numpy")


def test_best_kernels_are_chosen(model_path: Path) -> None:
    """Dispatch takes the first set the board has."""
    assert potstill.load(model_path, threads=1).info["isa"] == KERNELS[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_logits_equal_the_hosts(
    model_path: Path,
    expected: dict[str, Any],
    texts: list[str],
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every kernel set, one by one and in a batch: the host's bytes."""
    for name in reversed(KERNELS):
        monkeypatch.setenv("POTSTILL_ISA", name)
        model = potstill.load(model_path, threads=threads)
        assert _hex(model, texts) == expected["logits"], name
        assert [_hex(model, [text])[0] for text in texts] == expected["logits"], name


def test_batch_order_does_not_matter(model_path: Path, expected: dict[str, Any], texts: list[str]) -> None:
    """Neighbours in the batch change nothing."""
    model = potstill.load(model_path, threads=2)
    assert _hex(model, texts[::-1] + texts) == expected["logits"][::-1] + expected["logits"]


@pytest.mark.parametrize("name", [*(row.name for row in kernel_sets()), "no-such-set"])
def test_absent_kernels_are_refused(model_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forced set that the CPU lacks is an error, not an illegal instruction."""
    if name in KERNELS:
        pytest.skip(f"the board has {name}: test_logits_equal_the_hosts runs it")
    monkeypatch.setenv("POTSTILL_ISA", name)
    with pytest.raises(CpuError) as error:
        potstill.load(model_path)
    assert error.value.code in ("K001", "K002")


def test_answers(model_path: Path, expected: dict[str, Any], texts: list[str]) -> None:
    """Labels and probabilities are the host's."""
    predictions = potstill.load(model_path).classify(texts)
    for prediction, answer in zip(predictions, expected["runs"][0]["answers"], strict=True):
        assert prediction.label == answer["label"]
        assert prediction.score == answer["score"]
        assert abs(sum(prediction.scores.values()) - 1.0) < 1e-6


def test_tokens_equal_hugging_faces() -> None:
    """Tokenizers of every form: ids, and places in the text, of sentences and random text."""
    from potstill import _core

    folder = Path(os.environ["POTSTILL_TOKENS"])
    content = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert len(content["expected"]) >= 12
    for name, rows in content["expected"].items():
        tokenizer = _core.Tokenizer((folder / f"{name}.still").read_bytes())
        for text, (ids, places) in zip(content["texts"], rows, strict=True):
            found = tokenizer.encode_with_offsets(text)
            assert (found[0], [list(place) for place in found[1]]) == (ids, places), (name, text)


def test_bad_input(model_path: Path, tmp_path: Path) -> None:
    """Empty text, too long text, cut file and flipped byte: numbered errors here as on the host."""
    model = potstill.load(model_path)
    with pytest.raises(InputError) as empty:
        model.classify([" "])
    assert empty.value.code == "I001"
    with pytest.raises(InputError) as long:
        model.classify(["word " * (model.max_tokens + 1)])
    assert long.value.code == "I002"
    data = bytearray(model_path.read_bytes())
    (tmp_path / "cut.still").write_bytes(data[: len(data) // 2])
    data[len(data) // 2] ^= 0x10
    (tmp_path / "flipped.still").write_bytes(data)
    for name in ("cut.still", "flipped.still"):
        with pytest.raises(FormatError):
            potstill.load(tmp_path / name)


def test_import_is_light() -> None:
    """``import potstill`` in this process brought no heavy module along."""
    assert not {"numpy", "torch", "transformers"} & set(sys.modules)


def test_command_line_in_process(model_path: Path, texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The main job by the command's own entry point."""
    from potstill.cli import main

    assert main(["run", str(model_path), texts[0]]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["run", str(model_path), " "]) == 2
    assert "error[I001]" in capsys.readouterr().err


def test_commands_that_build_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The wheel only runs models: neither the help nor the command pretends otherwise."""
    from potstill.cli import main

    assert main(["build", "sentiment"]) == 1
    assert "error[S090]: the command build is not in this wheel, which only runs models" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "    build" not in capsys.readouterr().out


def test_inspect_shows_the_weights(model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without numpy and flatbuffers."""
    from potstill.cli import main

    assert main(["inspect", str(model_path)]) == 0
    assert " x " in capsys.readouterr().out.partition("tensors:")[2]
