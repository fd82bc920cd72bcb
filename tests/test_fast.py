"""What a fast run leaves out, it leaves out by what a test does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import multiprocessing, os, subprocess, sys, tempfile

def test_that_stays():
    import json

def test_that_imports():
    import torch

def test_that_calls():
    kept = tempfile.TemporaryFile()
    subprocess.run([sys.executable, "--version"])

def test_that_forks():
    os.fork()

def test_that_spawns():
    multiprocessing.get_context("spawn").Process(target=print).start()
"""


def test_fast(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("def pytest_collection():\n    import fast\n    fast.watch()\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_none.py").write_text("import transformers\n\ndef test_nothing():\n    pass\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "support")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert "1 passed, 5 skipped" in done.stdout, done.stdout
    assert done.stdout.count("not fast: imports") == 2 and "not fast: starts a process" in done.stdout
