"""The source archive: it holds what git tracks and nothing else, and builds with pip alone.

On a Pi, ``pip install potstill-*.tar.gz`` takes the native path of CMake: it needs g++, flatbuffers-compiler,
libflatbuffers-dev and python3-dev; cmake and ninja come from Debian or, where absent, from the package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from potstill.errors import BuildError
from toolchains import PROJECT
from toolchains.digests import digest
from toolchains.goals import DIST
from toolchains.programs import Run
from toolchains.wheels.build import EPOCH

# Tracked, but useful in the repository only.
NOT_SHIPPED = (".ci/",)
# Never in an archive: products, caches, environments.
FORBIDDEN = {".nox", ".cache", ".git", "dist", "build", "__pycache__", ".venv", ".mypy_cache", ".ruff_cache"}
_PRODUCTS = (".so", ".pyc", "_still_fb.py")
_BACKEND = "import sys, scikit_build_core.build as backend; print(backend.build_sdist(sys.argv[1]))"


def tracked(base: Path = PROJECT) -> set[str] | None:
    """Paths that git tracks or would track below `base`, None where there is no git to ask."""
    if not (base / ".git").exists():
        return None
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=base, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return {line for line in done.stdout.splitlines() if (base / line).exists()} if done.returncode == 0 else None


def contents(archive: Path) -> set[str]:
    """The files of a source archive, without its top folder."""
    with tarfile.open(archive) as tar:
        return {PurePosixPath(member.name).relative_to(member.name.split("/")[0]).as_posix() for member in tar}


def problems_of(inside: Iterable[str], wanted: set[str] | None) -> list[str]:
    """What is missing from a source archive and what must not be in it.

    Args:
        inside: its files.
        wanted: the files git tracks, None when unknown.
    """
    inside = set(inside) - {"PKG-INFO"}
    found = [f"{name} does not belong in it" for name in sorted(inside) if FORBIDDEN & set(name.split("/")[:-1])]
    found += [f"{name} is a build product" for name in sorted(inside) if name.endswith(_PRODUCTS)]
    if wanted is not None:
        shipped = {name for name in wanted if not name.startswith(NOT_SHIPPED)}
        found += [f"{name} is missing" for name in sorted(shipped - inside)]
        found += [f"{name} is not tracked by git" for name in sorted(inside - wanted)]
    return found


def make(run: Run, folder: Path = DIST) -> Path:
    """Make the source archive in `folder` and check what is in it.

    Args:
        run: runs a command in an environment with the dependency group ``wheel``.

    Raises:
        BuildError: with what is missing or too much.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("potstill-*.tar.gz"):
        former.unlink()
    epoch = os.environ.get("SOURCE_DATE_EPOCH", EPOCH)
    run("python", "-c", _BACKEND, str(folder), env={"SOURCE_DATE_EPOCH": epoch})
    (archive,) = folder.glob("potstill-*.tar.gz")
    if problems := problems_of(contents(archive), tracked()):
        raise BuildError(
            "B032", f"the source archive is wrong: {'; '.join(problems[:8])}", archive.name,
            "correct [tool.scikit-build] sdist.include and sdist.exclude in pyproject.toml, or remove the stray file",
        )  # fmt: skip
    return archive


def check_wheel(archive: Path, wheel: Path) -> None:
    """The wheel that pip built from the archive holds every file of the package and one module.

    Raises:
        BuildError: it does not.
    """
    package = {name.removeprefix("python/") for name in contents(archive) if name.startswith("python/potstill/")}
    with zipfile.ZipFile(wheel) as built:
        names = set(built.namelist())
    missing = sorted(package - names)
    modules = [name for name in names if name.startswith("potstill/_core.") and name.endswith(".so")]
    if missing or len(modules) != 1:
        what = f"the wheel built from it lacks {missing[:4]}" if missing else f"it gave {len(modules)} modules"
        raise BuildError("B032", what, archive.name, "compare with python/potstill")


def session(nox: Any) -> None:
    """The source archive in dist/, built and imported once in an isolated build. Raises as `make` and `check_wheel`."""
    archive = make(nox.run)
    place = PROJECT / ".cache" / "sdist"
    stamp = place / digest(archive)
    if stamp.exists():
        nox.log(f"{archive.name}: built before")
        return
    shutil.rmtree(place, ignore_errors=True)
    nox.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(archive), env={})
    (wheel,) = place.glob("*.whl")
    check_wheel(archive, wheel)
    nox.install("-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    nox.run("potstill", "--version")
    stamp.touch()
