"""The LiteRT backend: padding to fixed lengths, engines old and new."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
import tiny
from potstill.errors import InputError, SystemFailure
from potstill.runtime.backends import litert, open_backend
from potstill.runtime.rows import TokenRows


@pytest.fixture
def backend(base: Path) -> Any:
    return open_backend("litert", tiny.build(base)["tflite"], 1)


def test_shortest_signature_that_fits(backend: Any) -> None:
    assert [backend.padded_length(tokens) for tokens in (1, 8, 9, 24)] == [8, 8, 24, 24]
    assert backend.info["lengths"] == [8, 24]


def test_loading_says_nothing(base: Path) -> None:
    # In a process of its own: the engine announces itself only once.
    path = str(tiny.build(base)["tflite_int8"])
    code = "import sys, potstill; potstill.load(sys.argv[1], 1, 'litert').logits_from_ids([[5, 6]])"
    source = str(Path(str(potstill.__file__)).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_threads_share_one_model(backend: Any) -> None:
    ids = tiny.ragged(6)
    wanted = backend.run(TokenRows(ids)).logits
    found: list[Any] = [None] * 4

    def work(index: int) -> None:
        found[index] = backend.run(TokenRows(ids)).logits

    workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result in found:
        np.testing.assert_array_equal(result, wanted)


def test_a_file_without_our_metadata(base: Path, tmp_path: Path) -> None:
    # Cut the appended archive off: the interpreter's own content ends where the first zip entry starts.
    content = tiny.build(base)["tflite"].read_bytes()
    (tmp_path / "m.tflite").write_bytes(content[: content.rindex(b"PK\x03\x04")])
    backend = open_backend("litert", tmp_path / "m.tflite", 1)
    assert backend.card.labels == ()
    assert backend.card.max_tokens == tiny.MAX_TOKENS
    np.testing.assert_array_equal(
        backend.run(TokenRows([[5, 6]])).logits,
        open_backend("litert", tiny.build(base)["tflite"], 1).run(TokenRows([[5, 6]])).logits,
    )


def only_old_engine(monkeypatch: pytest.MonkeyPatch, numpy_version: str) -> None:
    """Hide ai-edge-litert and put its interpreter under the old engine's name: the same Python interface."""
    from ai_edge_litert.interpreter import Interpreter

    old = types.ModuleType("tflite_runtime.interpreter")
    old.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", old)
    monkeypatch.setattr(litert, "version", lambda package: numpy_version if package == "numpy" else "2.14.0")


def test_old_engine(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny.build(base)
    wanted = open_backend("litert", files["tflite"], 1).run(TokenRows([[5, 6]])).logits
    only_old_engine(monkeypatch, "1.26.4")
    backend = open_backend("litert", files["tflite"], 1)
    assert backend.info["engine"] == "tflite-runtime 2.14.0"
    np.testing.assert_array_equal(backend.run(TokenRows([[5, 6]])).logits, wanted)
    # It would take one scale for all channels and say nothing.
    shutil.copyfile(files["tflite_int8"], tmp_path / "q.tflite")
    with pytest.raises(InputError, match=r"I055.*per_channel=False"):
        open_backend("litert", tmp_path / "q.tflite", 1)


def test_old_engine_with_numpy_2(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.build(base)["tflite"]
    only_old_engine(monkeypatch, "2.1.0")
    with pytest.raises(InputError, match=r"I054.*numpy<2"):
        open_backend("litert", path, 1)


def test_no_engine(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.build(base)["tflite"]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(SystemFailure, match=r"S010.*potstill\[tflite\]"):
        open_backend("litert", path, 1)
