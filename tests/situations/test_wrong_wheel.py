"""Wheels forced onto the wrong system: the answer names what is there, what runs, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]


def _run(board: Any, model: Path) -> subprocess.CompletedProcess[str]:
    """``potstill run`` by the board's Python; the status is not checked."""
    command = board.python("-m", "potstill.cli", "run", str(model), "a film")
    return subprocess.run(command, env=board.environment(), capture_output=True, text=True, check=False)


def _error(board: Any, model: Path) -> str:
    done = _run(board, model)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.mark.parametrize(
    ("name", "wheel", "code", "what", "right"),
    [
        ("pi4", "pi4-32", "S030", "this wheel is for armv7l (32-bit), and this is Python 3.11 for aarch64 (64-bit)",
         "cp311-cp311-manylinux_*_aarch64.whl"),
        ("pi4-32", "pi4", "S030", "this wheel is for aarch64 (64-bit), and this is Python 3.11 for armv7l (32-bit)",
         "cp311-cp311-manylinux_*_armv7l.whl"),
        ("pi4-trixie", "pi4", "S031", "this wheel is for Python 3.11, and this is Python 3.13 for aarch64 (64-bit)",
         "cp313-cp313-manylinux_*_aarch64.whl"),
        ("pi4", "pi4-trixie", "S031", "this wheel is for Python 3.13, and this is Python 3.11 for aarch64 (64-bit)",
         "cp311-cp311-manylinux_*_aarch64.whl"),
    ],
)  # fmt: skip
def test_files_of_another_wheel(
    make: Make, model: Path, name: str, wheel: str, code: str, what: str, right: str
) -> None:
    """pip refuses these; unzip, --target or a copied site-packages do not."""
    message = _error(make(name, wheel=wheel), model)
    assert message.startswith(f"error[{code}]: {what}; ")
    assert right in message


def test_other_machines_file_under_the_right_name(make: Make, model: Path) -> None:
    """Renamed until it loaded: then the loader's own words would be `wrong ELF class`."""
    board = make("pi4-32", wheel="pi4", own=True)
    package = board.site / "potstill"
    core = package / "_core.cpython-311-aarch64-linux-gnu.so"
    core.rename(package / "_core.cpython-311-arm-linux-gnueabihf.so")
    assert _error(board, model).startswith("error[S030]: this wheel is for aarch64 (64-bit), ")


@pytest.mark.parametrize("name", ["pi4", "pi4-32"])
def test_system_with_an_older_glibc(make: Make, model: Path, name: str) -> None:
    """The board's own loader, and a wheel that asks for more than the system has."""
    board = make(name, own=True)
    (core,) = (board.site / "potstill").glob("_core*.so")
    data = core.read_bytes()
    assert data.count(b"GLIBC_2.34\0")
    core.write_bytes(data.replace(b"GLIBC_2.34\0", b"GLIBC_2.99\0"))
    message = _error(board, model)
    assert message.startswith("error[S033]: the wheel needs glibc 2.99, this system has 2.36; ")
    assert "pip install --no-binary potstill potstill" in message


@pytest.mark.parametrize(
    ("library", "package"), [("libstdc++.so.6", "libstdc++6"), ("libgcc_s.so.1", "libgcc-s1")]
)  # fmt: skip
def test_missing_library(make: Make, model: Path, library: str, package: str) -> None:
    """A minimal system; a library of the host's is not taken instead."""
    board = make("pi4", own=True)
    found = [path for path in board.root.rglob(f"{library}*") if "gcc/" not in str(path)]
    assert found
    for path in found:
        path.unlink()
    message = _error(board, model)
    assert message.startswith(f"error[S034]: the shared library {library} is not installed; ")
    assert message.endswith(f"sudo apt-get install {package}")


def test_libgomp_is_not_needed(make: Make, model: Path) -> None:
    """Wheels have threads of their own."""
    board = make("pi4", own=True)
    found = list(board.root.rglob("libgomp*"))
    assert found
    for path in found:
        if path.is_file() or path.is_symlink():
            path.unlink()
    done = _run(board, model)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pages", [16384, 65536])
def test_large_pages(make: Make, model: Path, pages: int) -> None:
    """Kernels of a Pi 5 and of other boards: the wheel is aligned for them and gives the same answer."""
    small, large = _run(make("pi5", page_size=4096), model), _run(make("pi5", page_size=pages), model)
    assert large.returncode == 0, large.stderr
    assert large.stdout == small.stdout
