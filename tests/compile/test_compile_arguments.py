"""Arguments of `compile_onnx` that it cannot take are told by name, before anything is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import potstill
from onnx_graphs import encoder
from potstill.compile.compiler import compile_onnx
from potstill.errors import InputError, PotstillError


@pytest.mark.parametrize(
    ("argument", "value", "code"),
    [
        ("onnx", 3, "I121"),
        ("onnx", "a\0b", "I121"),
        ("out", None, "I121"),
        ("tokenizer", ["folder"], "I121"),
        ("labels", "no,yes", "I007"),
        ("labels", {"no", "yes"}, "I007"),
        ("labels", [0, 1], "I007"),
        ("labels", ["no", "y\udcffs"], "I140"),
        ("name", "a\udcff", "I140"),
        ("provenance", {"recipe": "\udcff"}, "I140"),
        ("max_tokens", "64", "C021"),
        ("max_tokens", 6.5, "C021"),
        ("max_tokens", True, "C021"),
        ("max_tokens", [64], "C021"),
        ("scheme", 8, "I140"),
        ("scheme", ["int8"], "I140"),
        ("scheme", "int9", "C022"),
        ("embedding", None, "I140"),
        ("provenance", ["recipe"], "I140"),
        ("provenance", {"recipe": 3}, "I140"),
        ("name", 3, "I140"),
        ("license", b"MIT", "I140"),
        ("output", 0, "I140"),
        ("pooling", True, "I140"),
        ("activation", 1, "I140"),
        ("multi_label", "yes", "I120"),
        ("pairs", 1, "I120"),
        ("lowercase", "no", "I120"),
        ("verify", None, "I120"),
    ],
)
def test_a_wrong_type_is_told_by_name(argument: str, value: Any, code: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"onnx": tmp_path / "none.onnx", "out": tmp_path / "out.still", argument: value}
    with pytest.raises(PotstillError) as caught:
        compile_onnx(given.pop("onnx"), given.pop("out"), **given)
    assert caught.value.code == code
    assert code in ("C021", "C022") or argument in str(caught.value)


def test_nothing_but_a_file_is_replaced(tmp_path: Path) -> None:
    """A device, a pipe or a folder stays what it is, and so does the ONNX itself."""
    source = encoder(tmp_path / "m.onnx")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = source.read_bytes()
    (tmp_path / "link.onnx").symlink_to(source)
    for out, code in (
        (source, "I142"), (tmp_path / "link.onnx", "I142"),
        (tmp_path / "pipe", "I143"), (tmp_path / "folder", "I143"), (Path("/dev/none.still"), "I143"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=code):
            compile_onnx(source, out, verify=False)
    assert source.read_bytes() == before and (tmp_path / "pipe").is_fifo()
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_name_that_is_no_utf8_is_written_as_text(tmp_path: Path) -> None:
    source = encoder(tmp_path / "m\udcff.onnx")
    compile_onnx(source, tmp_path / "out.still")
    assert potstill.load(tmp_path / "out.still").info["name"] == "m?"
