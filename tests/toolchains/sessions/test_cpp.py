"""What clang-tidy is given."""

from __future__ import annotations

from pathlib import Path

from toolchains.sessions import cpp


def test_gcc_options_are_dropped() -> None:
    command = "/usr/bin/c++ '-DNAME=\"a b\"' -I/x -mavx2 -fno-schedule-insns -fno-tree-pre -flto=auto -c a.cpp"
    kept = "/usr/bin/c++ '-DNAME=\"a b\"' -I/x -mavx2 -c a.cpp"
    assert cpp.clang_command(command, Path("/omp")) == f"{kept} -isystem /omp " + " ".join(cpp._CLANG_ONLY)


def test_sources_are_ours() -> None:
    folders = {path.parent.name for path in cpp.sources()}
    assert {"format", "kernels", "reference", "ops", "graph", "tokenizer", "bindings"} <= folders
