"""The C and C++ package: what its parts compute; the package itself is built and tried by nox -s package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from toolchains.failures import PotstillError

from toolchains import boards, package

LISTING = """
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.17) memcpy
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.34) pthread_create
0000000000000000      DF *UND*  0000000000000000 (GLIBCXX_3.4.29) _ZNSt
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) free
"""


def test_glibc_floor() -> None:
    """The newest GLIBC version, not libstdc++'s, compared as numbers."""
    assert package.needed_glibc(LISTING) == (2, 34)
    assert package.needed_glibc("") == (0, 0)
    assert "libc6 (>= 2.34)" in package.depends((2, 34))


def _debian(tmp_path: Path, architecture: str, files: tuple[str, ...]) -> tuple[Path, Path]:
    tree = tmp_path / "tree"
    for name in files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"x")
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    control = (
        f"Package: potstill\nVersion: 1\nArchitecture: {architecture}\nMaintainer: x <x@localhost>\nDescription: x\n"
    )
    (tree / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    made = tmp_path / "potstill.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(made)], check=True, capture_output=True)
    return made, tree


FILES = (
    "usr/lib/libpotstill.a", "usr/bin/potstill-run", "usr/include/potstill/potstill.h",
    "usr/include/potstill/model.hpp", "usr/lib/cmake/potstill/potstill-config.cmake",
    "usr/share/potstill/examples/classify.cpp", "usr/share/doc/potstill/copyright",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_check_refuses(tmp_path: Path) -> None:
    """A missing file, another architecture, a program that needs libgomp."""
    pi4 = boards.board("pi4")
    good, tree = _debian(tmp_path / "good", "arm64", FILES)
    package.check(good, tree, pi4)
    with pytest.raises(PotstillError, match=r"libpotstill\.a"):
        package.check(*_debian(tmp_path / "short", "arm64", FILES[1:]), pi4)
    with pytest.raises(PotstillError, match="architecture amd64"):
        package.check(*_debian(tmp_path / "other", "amd64", FILES), pi4)
    (tree / "usr/bin/potstill-run").write_bytes(b"..libgomp.so.1..")
    with pytest.raises(PotstillError, match="libgomp"):
        package.check(good, tree, pi4)
