"""Where a model may come from, and what becomes of it when its file changes meanwhile."""

from __future__ import annotations

import io
import subprocess
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill.errors import FormatError, InputError
from tiny_still import write_model

IDS = [[2, 5, 9, 3], [2, 30, 3]]

# In a process of its own: a fault here ends it.
CHANGED = """
import os, sys
import potstill
live, other = sys.argv[1:]
model = potstill.load(live, threads=1)
before = bytes(memoryview(model.logits_from_ids([[2, 5, 9, 3]])))
def same():
    print(bytes(memoryview(model.logits_from_ids([[2, 5, 9, 3]]))) == before, model.tokenize(["a b"]) == [[2, 4, 5, 3]])
with open(other, "rb") as source, open(live, "r+b") as target:
    target.write(source.read())
same()
os.truncate(live, 0)
same()
os.remove(live)
same()
"""


def _bits(model: Any) -> bytes:
    return bytes(memoryview(model.logits_from_ids(IDS)))


def test_a_file_changed_in_place_changes_nothing(tmp_path: Path) -> None:
    """Overwritten, cut to nothing, removed: as `scp`, a full disk or an editor do."""
    live, other = write_model(tmp_path / "live.still"), write_model(tmp_path / "other.still", seed=2)
    done = subprocess.run([sys.executable, "-c", CHANGED, str(live), str(other)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 6


@pytest.mark.parametrize(
    "kind",
    ["path", "str", "mapped", "bytes", "bytearray", "memoryview", "strided", "file", "unbuffered", "memory file"],
)
def test_every_source_gives_the_same_bits(still: Path, kind: str) -> None:
    data = still.read_bytes()
    wanted = _bits(potstill.load(still, threads=1))
    if kind in ("file", "unbuffered"):
        with still.open("rb", buffering=0 if kind == "unbuffered" else -1) as file:
            assert _bits(potstill.load(file, threads=1)) == wanted
        return
    doubled = bytearray(2 * len(data))
    doubled[::2] = data
    sources: dict[str, Any] = {
        "path": still, "str": str(still), "mapped": still, "bytes": data, "bytearray": bytearray(data),
        "memoryview": memoryview(data), "strided": memoryview(doubled)[::2], "memory file": io.BytesIO(data),
    }  # fmt: skip
    assert _bits(potstill.load(sources[kind], threads=1, mapped=kind == "mapped")) == wanted


def test_a_mapped_file_may_be_replaced(tmp_path: Path) -> None:
    live, other = write_model(tmp_path / "live.still"), write_model(tmp_path / "other.still", seed=2)
    model = potstill.load(live, threads=1, mapped=True)
    before = _bits(model)
    other.replace(live)
    assert _bits(model) == before


def test_bytes_that_change_afterwards_change_nothing(still: Path) -> None:
    data = bytearray(still.read_bytes())
    model = potstill.load(data, threads=1)
    before = _bits(model)
    data[:] = bytes(len(data))
    assert _bits(model) == before


def test_damaged_bytes_are_refused(still: Path) -> None:
    data = still.read_bytes()
    for given in (b"", data[:100], data[:-1], data + b"x", data[:-70] + b"\x55" + data[-69:]):
        for source in (given, io.BytesIO(given)):
            with pytest.raises(FormatError, match=r"error\[F0\d\d\]"):
                potstill.load(source, threads=1)


def test_what_cannot_be_a_model_is_refused(still: Path) -> None:
    for backend in ("onnxruntime", "litert"):
        for source in (b"x", io.BytesIO(b"x")):
            with pytest.raises(InputError, match=r"I100.*by its path"):
                potstill.load(source, backend=backend)
        with pytest.raises(InputError, match="I101"):
            potstill.load(still, backend=backend, mapped=True)
    with pytest.raises(InputError, match=r"I101.*already"):
        potstill.load(still.read_bytes(), mapped=True)
    with pytest.raises(InputError, match=r"I102.*mode 'rb'"):
        potstill.load(io.StringIO("text"))  # type: ignore[arg-type]


class Archive:
    """A file object whose content turns out to be damaged."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self) -> bytes:
        raise self.error


@pytest.mark.parametrize("error", [EOFError("ended too soon"), zlib.error("bad data"), OSError(), TypeError("mine")])
def test_a_file_object_that_cannot_be_read_is_told(error: Exception) -> None:
    with pytest.raises(InputError, match="I102"):
        potstill.load(Archive(error))  # type: ignore[arg-type]


def test_an_attribute_that_is_no_method_makes_no_file() -> None:
    thing: Any = types.SimpleNamespace(read=True)
    with pytest.raises(InputError, match="I121"):
        potstill.load(thing)
