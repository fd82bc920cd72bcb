"""Why a native part does not import: recorded loader messages and files of other machines, each with its own code."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from potstill.errors import SystemFailure
from potstill.runtime.core_failure import Interpreter, core_failure, wheel_name

PI64 = Interpreter((3, 11), "aarch64", "2.36")
PI32 = Interpreter((3, 11), "armv7l", "2.36")


def _elf(folder: Path, machine: int, bits: int, name: str, text: bytes = b"") -> Path:
    folder.mkdir(exist_ok=True)
    header = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1, 1]) + bytes(9) + struct.pack("<HH", 3, machine)
    path = folder / name
    path.write_bytes(header + bytes(40) + text)
    return path


def _failure(message: str, folder: Path, python: Interpreter = PI64) -> SystemFailure:
    return core_failure(ImportError(message), folder=folder, python=python)


def test_32_bit_wheel_under_a_64_bit_python(tmp_path: Path) -> None:
    """Both machines and the right wheel are named."""
    _elf(tmp_path, 40, 32, "_core.cpython-311-arm-linux-gnueabihf.so")
    found = _failure("cannot import name '_core'", tmp_path)
    assert found.code == "S030" and "armv7l (32-bit)" in found.what and "aarch64 (64-bit)" in found.what
    assert "cp311-cp311-manylinux_*_aarch64.whl" in found.next_step


def test_64_bit_wheel_under_a_32_bit_python(tmp_path: Path) -> None:
    """A 32-bit system on a 64-bit kernel: the userland counts."""
    _elf(tmp_path, 183, 64, "_core.cpython-311-aarch64-linux-gnu.so")
    found = _failure("cannot import name '_core'", tmp_path, PI32)
    assert found.code == "S030" and "armv7l.whl" in found.next_step


def test_wheel_of_another_python(tmp_path: Path) -> None:
    """cp311 files under 3.13."""
    _elf(tmp_path, 183, 64, "_core.cpython-311-aarch64-linux-gnu.so")
    found = _failure("cannot import name '_core'", tmp_path, Interpreter((3, 13), "aarch64", "2.41"))
    assert found.code == "S031" and "Python 3.11" in found.what and "cp313" in found.next_step


def test_nothing_there(tmp_path: Path) -> None:
    """A source tree."""
    assert _failure("cannot import name '_core'", tmp_path).code == "S032"


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        (
            "/lib/aarch64-linux-gnu/libc.so.6: version `GLIBC_2.32' not found (required by /v/potstill/_core.so)",
            "S033",
            "needs glibc 2.34, this system has 2.31",
        ),
        (
            "/lib/aarch64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by _core.so)",
            "S033",
            "GLIBCXX_3.4.29",
        ),
        ("libgomp.so.1: cannot open shared object file: No such file or directory", "S034", "libgomp.so.1"),
        ("libstdc++.so.6: cannot open shared object file: No such file or directory", "S034", "libstdc++.so.6"),
        ("_core.so: ELF load command alignment not page-aligned", "S035", "pages"),
        ("_core.so: failed to map segment from shared object: Operation not permitted", "S036", "execute"),
        ("_core.so: undefined symbol: foo", "S036", "undefined symbol"),
    ],
)
def test_loader_messages(tmp_path: Path, message: str, code: str, said: str) -> None:
    """As glibc's loader writes them; of two versions missed, the newest needed is told."""
    versions = b"GLIBC_2.17\0GLIBC_2.32\0GLIBC_2.34\0"
    _elf(tmp_path, 183, 64, "_core.cpython-311-aarch64-linux-gnu.so", versions)
    found = _failure(message, tmp_path, Interpreter((3, 11), "aarch64", "2.31"))
    assert found.code == code and said in found.what and found.next_step
    if said.startswith("lib"):
        assert f"apt-get install {said.partition('.so')[0]}" in found.next_step


def test_no_wheel_for_a_machine() -> None:
    """The pattern is told even so; `core_failure` then says to build."""
    assert wheel_name(Interpreter((3, 12), "riscv64", "2.39"), "1.0").endswith("cp312-manylinux_*_riscv64.whl")


def test_running_interpreter() -> None:
    """This process: a machine that wheels are made for."""
    here = Interpreter.running()
    assert here.machine in ("x86_64", "aarch64", "armv7l") and here.version >= (3, 11)
