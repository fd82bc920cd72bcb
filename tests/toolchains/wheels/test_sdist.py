"""The source archive holds what git tracks and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from potstill.errors import PotstillError
from toolchains import PROJECT
from toolchains.wheels import sdist

WANTED = {"pyproject.toml", "cpp/src/a.cpp", "python/potstill/__init__.py", ".ci/run"}
INSIDE = (WANTED - {".ci/run"}) | {"PKG-INFO"}


def test_right_archive() -> None:
    """Nothing to report; .ci serves the repository only."""
    assert sdist.problems_of(INSIDE, WANTED) == []


@pytest.mark.parametrize(
    ("more", "less", "named"),
    [
        ("", "cpp/src/a.cpp", "cpp/src/a.cpp is missing"),
        ("notes.txt", "", "notes.txt is not tracked by git"),
        ("python/potstill/_core.cpython-311-x86_64-linux-gnu.so", "", "is a build product"),
        ("python/potstill/still/_still_fb.py", "", "is a build product"),
        (".cache/wheels/x", "", "does not belong in it"),
        (".nox/tests/bin/python", "", "does not belong in it"),
        ("dist/potstill.whl", "", "does not belong in it"),
    ],
)
@pytest.mark.parametrize("git", [True, False])
def test_wrong_archives(more: str, less: str, named: str, git: bool) -> None:
    problems = "; ".join(sdist.problems_of((INSIDE | {more} if more else INSIDE) - {less}, WANTED if git else None))
    assert (named in problems) is (git or named in ("is a build product", "does not belong in it"))


def test_without_git(tmp_path: Path) -> None:
    """An unpacked archive has no git to ask; a repository says what it tracks or would track."""
    assert sdist.tracked(tmp_path) is None
    if shutil.which("git") is None:
        pytest.skip("needs git")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("a.py", "b.so", ".gitignore"):
        (tmp_path / name).write_text("*.so\n", encoding="utf-8")
    assert sdist.tracked(tmp_path) == {"a.py", ".gitignore"}


@pytest.mark.skipif(importlib.util.find_spec("scikit_build_core") is None, reason="needs scikit-build-core")
def test_this_project(tmp_path: Path) -> None:
    """The real archive of a tree with products and caches in it."""
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns(".git", ".nox", ".cache", "dist", "build", "__pycache__", "*.so")
    shutil.copytree(PROJECT, tree, ignore=ignore)
    strays = ["dist/x.whl", ".cache/roots/x", ".nox/v/x", "build/x", "python/potstill/_core.cpython-311-x.so", "my.txt"]
    strays += ["python/potstill/still/_still_fb.py", "cpp/__pycache__/x.pyc", "tests/.pytest_cache/x"]
    for name in strays:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x", encoding="utf-8")
    (tree / ".cache/absolute").symlink_to("/proc/self")  # target roots have such links

    def run(*command: str, env: dict[str, str]) -> None:
        subprocess.run([sys.executable, *command[1:]], cwd=tree, env=env, check=True, stdout=subprocess.DEVNULL)

    inside = sdist.contents(sdist.make(run, tmp_path / "one"))
    assert {"CMakeLists.txt", "cpp/schema/still.fbs", "toolchains/boards.toml", "python/potstill/cli.py"} <= inside
    assert not inside & set(strays)
    first = (tmp_path / "one").glob("*.tar.gz").__next__().read_bytes()
    (tree / "cpp/CMakeLists.txt").touch()
    assert sdist.make(run, tmp_path / "two").read_bytes() == first


def _archive(folder: Path) -> Path:
    path = folder / "potstill-0.1.0.tar.gz"
    (folder / "x").write_text("x", encoding="utf-8")
    with tarfile.open(path, "w:gz") as tar:
        for name in ("python/potstill/__init__.py", "python/potstill/boards/load.py", "cpp/a.cpp"):
            tar.add(folder / "x", f"potstill-0.1.0/{name}")
    return path


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["potstill/__init__.py", "potstill/boards/load.py", "potstill/_core.cpython-311-x.so"], ""),
        (["potstill/__init__.py", "potstill/_core.cpython-311-x.so"], r"lacks \['potstill/boards/load.py'\]"),
        (["potstill/__init__.py", "potstill/boards/load.py"], "it gave 0 modules"),
    ],
)
def test_wheel_from_the_archive(tmp_path: Path, names: list[str], message: str) -> None:
    archive, wheel = _archive(tmp_path), tmp_path / "potstill.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        for name in names:
            made.writestr(name, b"")
    if not message:
        sdist.check_wheel(archive, wheel)
        return
    with pytest.raises(PotstillError, match=rf"error\[B032\].*{message}"):
        sdist.check_wheel(archive, wheel)
