"""A native part that does not import: what was found and the next step, never a traceback of the loader.

Each package here is a real copy with a real, renamed or damaged native part, imported by a real interpreter; messages
that need another system are recorded. tests/situations does the same on emulated boards.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import potstill
from potstill.errors import SystemFailure
from potstill.runtime.core_failure import Interpreter, core_failure
from potstill.runtime.elf import wheel_file

PACKAGE = Path(potstill.__file__).parent
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
CORE = PACKAGE / f"_core{SUFFIX}"
# The first 20 bytes of ELF files: class, byte order, type DYN, machine.
AARCH64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00"
ARMV7L = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\x00\x28\x00"
PI4_32 = Interpreter((3, 11), "armv7l", "2.36")
PI4 = Interpreter((3, 11), "aarch64", "2.36")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what a board needs, without the native part."""
    copy = tmp_path / "site" / "potstill"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for folder in ("errors", "card", "runtime"):
        shutil.copytree(PACKAGE / folder, copy / folder, ignore=ignored)
    for name in ("__init__.py", "paths.py"):
        shutil.copy(PACKAGE / name, copy)
    return copy


def _load(package: Path) -> str:
    """What ``potstill.load`` raises from `package`, in an interpreter of its own."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import potstill\n"
        "from potstill.errors import PotstillError\n"
        "assert potstill.__file__.startswith(sys.argv[1])\n"
        "try:\n    potstill.load('no-such.still')\nexcept PotstillError as error:\n    print(error)"
    )
    command = [sys.executable, "-I", "-c", code, str(package.parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_whole_package_loads(package: Path) -> None:
    """The copy itself works: the model is what is missing."""
    shutil.copy(CORE, package)
    assert _load(package).startswith("error[F001]")


@pytest.mark.parametrize("name", ["_core.cpython-311-aarch64-linux-gnu.so", f"_core{SUFFIX}"])
def test_another_machine(package: Path, name: str) -> None:
    """Whether the file kept its name or was forced under this Python's."""
    (package / name).write_bytes(AARCH64 + bytes(100))
    message = _load(package)
    assert message.startswith("error[S030]: this wheel is for aarch64 (64-bit), and this is Python 3.")
    version = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert f"install potstill-{potstill.__version__}-{version}-{version}-manylinux_*_" in message


def test_another_python(package: Path) -> None:
    """The right machine, the wrong version."""
    shutil.copy(CORE, package / "_core.cpython-399-x86_64-linux-gnu.so")
    assert _load(package).startswith("error[S031]: this wheel is for Python 3.99, and this is Python 3.")


def test_none(package: Path) -> None:
    """A source tree."""
    message = _load(package)
    assert message.startswith("error[S032]: the native part of Potstill is missing")
    assert "pip install" in message


def test_newer_glibc(package: Path) -> None:
    """The real loader refuses a symbol version that this system's C library has not; the newest one is told."""
    data = CORE.read_bytes()
    assert data.count(b"GLIBC_2.34\0") and data.count(b"GLIBC_2.32\0")
    data = data.replace(b"GLIBC_2.32\0", b"GLIBC_7.32\0").replace(b"GLIBC_2.34\0", b"GLIBC_9.34\0")
    (package / CORE.name).write_bytes(data)
    message = _load(package)
    here = Interpreter.running().glibc
    assert message.startswith(f"error[S033]: the wheel needs glibc 9.34, this system has {here}; ")


def test_missing_library(package: Path) -> None:
    """The real loader does not find one."""
    data = CORE.read_bytes()
    assert data.count(b"libgcc_s.so.1\0")
    (package / CORE.name).write_bytes(data.replace(b"libgcc_s.so.1\0", b"libgcc_s.so.7\0"))
    message = _load(package)
    assert message.startswith("error[S034]: the shared library libgcc_s.so.7 is not installed; ")


def test_cut_file(package: Path) -> None:
    """Nothing but the file's beginning. (Cut further behind, the system's loader itself dies.)"""
    (package / CORE.name).write_bytes(CORE.read_bytes()[:60])
    assert _load(package).startswith("error[S036]: the native part does not load (")


RECORDED = {
    "libstdc++.so.6: cannot open shared object file: No such file or directory":
        ("S034", "libstdc++.so.6 is not installed", "sudo apt-get install libstdc++6"),
    "libgomp.so.1: cannot open shared object file: No such file or directory":
        ("S034", "libgomp.so.1 is not installed", "sudo apt-get install libgomp1"),
    "/lib/aarch64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /x/_core.so)":
        ("S033", "needs glibc 2.34, this system has 2.31", "use a newer system"),
    "/lib/aarch64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /x/_core.so)":
        ("S033", "needs GLIBCXX_3.4.30, which this system's libstdc++.so.6 does not have", "--only-upgrade libstdc++6"),
    "/x/_core.so: ELF load command alignment not page-aligned":
        ("S035", "does not fit this kernel's pages", "kernel=kernel8.img"),
    "/x/_core.so: failed to map segment from shared object":
        ("S037", "does not execute files there", "without noexec"),
}  # fmt: skip


@pytest.mark.parametrize("message", RECORDED)
def test_recorded_messages(tmp_path: Path, message: str) -> None:
    """glibc's loader on Debian 11 and 12, aarch64."""
    (tmp_path / "_core.cpython-311-aarch64-linux-gnu.so").write_bytes(AARCH64)
    error = core_failure(ImportError(message), folder=tmp_path, python=Interpreter((3, 11), "aarch64", "2.31"))
    code, what, next_step = RECORDED[message]
    assert isinstance(error, SystemFailure)
    assert error.code == code
    assert what in error.what
    assert next_step in error.next_step
    assert error.where.endswith("_core.cpython-311-aarch64-linux-gnu.so")


@pytest.mark.parametrize(
    ("python", "header", "wheel_for"), [(PI4_32, AARCH64, "aarch64 (64-bit)"), (PI4, ARMV7L, "armv7l (32-bit)")]
)
def test_userland_of_the_other_width(tmp_path: Path, python: Interpreter, header: bytes, wheel_for: str) -> None:
    """32-bit Python on a 64-bit kernel, and the reverse; the right wheel is named."""
    (tmp_path / "_core.cpython-311-linux-gnu.so").write_bytes(header)
    error = core_failure(ImportError("no module"), folder=tmp_path, python=python)
    assert error.code == "S030"
    assert error.what == f"this wheel is for {wheel_for}, and this is Python {python.name}"
    assert wheel_file(python.version, python.machine, potstill.__version__) in error.next_step


def test_machine_without_wheels(tmp_path: Path) -> None:
    """There, building is the next step."""
    (tmp_path / "_core.so").write_bytes(AARCH64)
    error = core_failure(ImportError(""), folder=tmp_path, python=Interpreter((3, 12), "riscv64", "2.39"))
    assert error.next_step.startswith("there is no wheel for riscv64: build it here: ")
