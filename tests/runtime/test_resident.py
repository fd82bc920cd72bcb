"""What a loaded model takes of a process's memory: the pages it uses of its file, and the arena it announced."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiny_still import MAX_TOKENS, write_model

ROWS = 400_000  # of 24 f32: an embedding table of 38 MB

CODE = """
import json, sys
import potstill
from potstill.runtime import model  # what `load` imports at its first call
from potstill.runtime.backends import native

def status():
    with open("/proc/self/status") as lines:
        fields = [line.split() for line in lines if line.startswith(("VmHWM", "RssAnon"))]
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, _ in fields}

tokens, mapped = int(sys.argv[2]), sys.argv[3] == "mapped"
before = status()
loaded = potstill.load(sys.argv[1], threads=1, mapped=mapped)
after_load = status()
loaded.logits_from_ids([list(range(start, start + tokens)) for start in range(0, 64 * tokens, tokens)])
after = status()
print(json.dumps({
    "peak_of_load": after_load["VmHWM"] - before["VmHWM"],
    "peak": after["VmHWM"] - before["VmHWM"],
    "anonymous": after["RssAnon"] - before["RssAnon"],
    "arena": loaded.info["arena_bytes"],
    "file": loaded.info["bytes"],
}))
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("memory") / "rows.still", vocabulary=ROWS)


def _memory(path: Path, how: str) -> dict[str, Any]:
    command = [sys.executable, "-c", CODE, str(path), str(MAX_TOKENS), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def read(rows: Path) -> dict[str, Any]:
    return _memory(rows, "read")


@pytest.fixture(scope="module")
def mapped(rows: Path) -> dict[str, Any]:
    return _memory(rows, "mapped")


def test_a_file_that_is_read_is_in_memory_once(read: dict[str, Any]) -> None:
    # 1 MB: the core's own pages, touched for the first time.
    assert read["file"] <= read["peak_of_load"] <= read["file"] + 1e6
    assert read["peak"] <= read["file"] + read["arena"] + 1e6


def test_a_mapped_embedding_is_checked_without_staying_in_memory(mapped: dict[str, Any]) -> None:
    # A slice is 256 KiB, but a kernel with huge pages in its page cache maps them 2 MiB at a time.
    assert mapped["peak_of_load"] < mapped["file"] / 4
    assert mapped["peak"] < mapped["file"] / 3


def test_working_memory_is_the_announced_arena(read: dict[str, Any], mapped: dict[str, Any]) -> None:
    # 64 KiB: names, shapes and ops of the graph, ids and results of the call.
    assert 0 < mapped["anonymous"] <= mapped["arena"] + 65536
    assert read["file"] < read["anonymous"] <= read["file"] + read["arena"] + 65536
