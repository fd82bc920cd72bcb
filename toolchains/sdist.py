"""``nox -s sdist``: the source archive, built into a wheel with nothing but what it says it needs."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolchains.failures import PROJECT, build_error

WORK = PROJECT / ".cache" / "sdist"
DIST = PROJECT / "dist"
# What a wheel and its tests are made from; nothing that a build left behind.
TOP_LEVEL = {
    "CHANGELOG.md", "CMakeLists.txt", "LICENSE", "PKG-INFO", "README.md", "cpp", "noxfile.py", "pyproject.toml",
    "python", "tests", "toolchains", ".ci", ".clang-format", ".clang-tidy", ".gitignore",
}  # fmt: skip
NEEDED = ("cpp/schema/still.fbs", "cpp/src/graph/model.cpp", "python/potstill/cli.py", "toolchains/boards.toml")


def problems(names: Iterable[str]) -> list[str]:
    """What is wrong with the members of an archive, given as ``potstill-0.1.0/cpp/...``."""
    inside = [name.partition("/")[2] for name in names]
    found = [f"{top} does not belong in it" for top in sorted({n.split("/")[0] for n in inside if n} - TOP_LEVEL)]
    found += [f"{name} is generated" for name in inside if name.endswith((".so", ".pyc", "_still_fb.py"))]
    return found + [f"{name} is missing" for name in NEEDED if name not in inside]


def build(session: Any) -> Path:
    """Make the archive, check its members, and build it in isolation as pip on a board would.

    Returns:
        The archive in dist/.

    Raises:
        BuildError: B026 members that do not belong, or are missing.
    """
    shutil.rmtree(WORK, ignore_errors=True)
    session.run("python", "-m", "build", "-q", "--sdist", "-o", str(WORK), str(PROJECT), silent=True)
    (archive,) = WORK.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        if found := problems(member.name for member in members if member.isfile()):
            raise build_error(
                "B026", "; ".join(found[:5]), archive.name, "see [tool.scikit-build] sdist and .gitignore"
            )
    # Isolated: only the archive's own build requirements, compiled here; flatc and a compiler must be on the system.
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(WORK / "wheel"), str(archive))
    (wheel,) = (WORK / "wheel").glob("*.whl")
    DIST.mkdir(exist_ok=True)
    shutil.copy2(archive, DIST / archive.name)
    session.log(f"dist/{archive.name}: {archive.stat().st_size / 1e6:.2f} MB; isolated build gave {wheel.name}")
    return DIST / archive.name
