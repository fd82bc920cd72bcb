"""Missing tools: the exact command that installs them, and no half-way attempts."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from potstill.boards import load_boards
from potstill.errors import PotstillError
from toolchains import PROJECT, programs, tools


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_no_cross_compiler(empty_path: Path) -> None:
    with pytest.raises(PotstillError) as caught:
        tools.require(["aarch64-linux-gnu-g++", "qemu-aarch64"], "wheels(aarch64)")
    text = str(caught.value)
    assert text.startswith("error[B001]: not found: aarch64-linux-gnu-g++, qemu-aarch64; wheels(aarch64); ")
    assert "sudo apt-get install -y --no-install-recommends g++-aarch64-linux-gnu qemu-user" in text


def test_present_tools_need_nothing(empty_path: Path) -> None:
    _fake(empty_path, "cmake", "exit 1")
    said: list[str] = []
    tools.bootstrap(["cmake"], said.append)
    assert said == []
    assert tools.missing_packages(["cmake", "ninja", "g++"]) == ["g++", "ninja-build"]


def test_no_apt(empty_path: Path) -> None:
    with pytest.raises(PotstillError) as caught:
        tools.bootstrap(["ninja"], print)
    assert "error[B004]" in str(caught.value) and "ninja-build" in str(caught.value)


def test_no_right_to_install(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(empty_path, "apt-get", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PotstillError) as caught:
        tools.bootstrap(["qemu-aarch64", "ninja"], print)
    assert "error[B013]" in str(caught.value)
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends ninja-build qemu-user" in str(
        caught.value
    )


def test_root_installs_once(empty_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    _fake(empty_path, "apt-get", f'echo "$@" >> {log}')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tools.bootstrap(["ninja", "cmake"], print)
    assert log.read_text(encoding="utf-8").splitlines() == [
        "-q update",
        "install -y --no-install-recommends cmake ninja-build",
    ]


def test_apt_failure(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(empty_path, "apt-get", "exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PotstillError) as caught:
        tools.bootstrap(["ninja"], print)
    assert "error[B006]: apt-get ended with status 100" in str(caught.value)


def test_every_target_has_its_toolchain_file() -> None:
    for board in load_boards().values():
        assert programs.toolchain_file(board.target).is_file()
    target = dataclasses.replace(board.target, toolchain="none.cmake")
    with pytest.raises(PotstillError, match=r"error\[B003\]: no file none.cmake in toolchains/cmake/; targets\.\w+\."):
        programs.toolchain_file(target)


def _cmake() -> str:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs cmake")
    return cmake


def _configure(folder: Path, toolchain: str, lines: str = "", **variables: str) -> str:
    (folder / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\n{lines}\n", encoding="utf-8"
    )
    done = subprocess.run(
        [_cmake(), "-S", folder, "-B", folder / "b", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], **variables},
    )  # fmt: skip
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def test_toolchain_file_without_compiler(tmp_path: Path) -> None:
    """CMake itself, on a machine type whose compiler is not there, ends with the same error."""
    toolchain = tmp_path / "none.cmake"
    toolchain.write_text(
        "set(POTSTILL_TRIPLE nowhere-linux-gnu)\nset(POTSTILL_APT_PACKAGES g++-nowhere)\n"
        f'include("{PROJECT}/toolchains/cmake/common.cmake")\n',
        encoding="utf-8",
    )
    text = _configure(tmp_path, str(toolchain))
    assert "error[B001]: no cross compiler nowhere-linux-gnu-g++" in text
    assert "sudo apt-get install -y --no-install-recommends g++-nowhere" in text


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "needs the target's headers"),
        ({"POTSTILL_ROOT": "/nonexistent"}, "Python version is not known"),
        ({"POTSTILL_ROOT": "/nonexistent", "POTSTILL_PYTHON": "three"}, "not a Python version"),
        ({"POTSTILL_ROOT": "/nonexistent", "POTSTILL_PYTHON": "3.11"}, "no Python 3.11 headers"),
    ],
)
def test_target_python_without_root(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    if shutil.which("aarch64-linux-gnu-g++") is None:
        pytest.skip("needs g++-aarch64-linux-gnu")
    toolchain = str(PROJECT / "toolchains" / "cmake" / "aarch64-linux-gnu.cmake")
    text = _configure(tmp_path, toolchain, f'include("{PROJECT}/toolchains/cmake/target_python.cmake")', **variables)
    assert "error[B014]" in text and named in text
