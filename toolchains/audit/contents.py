"""Which part of the Python package a board's wheel holds: what runs models. A build machine's wheel makes them too.

It lacks whole folders, listed in pyproject.toml, where the build backend reads them too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

from toolchains import PROJECT

# Bytes unpacked. A board's wheel was 1.3 MB (aarch64) when this limit was set, 0.12 of it tables of Unicode; a laptop's
# holds the whole pipeline beside the same core, and has the room.
BOARD_LIMIT, WHOLE_LIMIT = 1_450_000, 3_400_000
_NEEDED = ("__init__.py", "boards/boards.toml", "boards/sets.def", "runtime/model.py")
NEEDED = tuple(f"potstill/{name}" for name in _NEEDED)
# Of a wheel that also makes models; the last is generated while it is built.
NEEDED_TO_BUILD = ("potstill/pipeline/api.py", "potstill/still/_still_fb.py")

# Imports each module named on standard input from the folder given, and prints those that fail. The compiled core is
# another machine's: an empty module stands in for it.
_IMPORT = """
import importlib, json, sys, types
sys.path.insert(0, sys.argv[1])
sys.modules["potstill._core"] = types.ModuleType("potstill._core")
failed = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""


@cache
def left_out_folders() -> tuple[str, ...]:
    """``wheel.exclude`` of cross builds: folders, as ``potstill/distil/``."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        overrides = tomllib.load(file)["tool"]["scikit-build"]["overrides"]
    return tuple(folder for entry in overrides for folder in entry.get("wheel", {}).get("exclude", ()))


def modules(names: Iterable[str]) -> list[str]:
    """Dotted names of the Python modules among files of a wheel, sorted."""
    paths = (PurePosixPath(name) for name in names if name.endswith(".py"))
    found = (path.parent if path.name == "__init__.py" else path.with_suffix("") for path in paths)
    return sorted(".".join(path.parts) for path in found if path.parts)


def import_problems(folder: Path, names: Iterable[str]) -> list[str]:
    """Which of the modules `names` in `folder` cannot be imported with the standard library alone.

    By this machine's Python, without its installed packages (``-I -S``).
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, str(folder)],
        input=json.dumps(list(names)), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        return [f"the imports ended with status {done.returncode}: {done.stderr.strip()[-200:]}"]
    return [f"{name} cannot be imported alone ({why})" for name, why in json.loads(done.stdout).items()]


def makes_models(wheel: Path) -> bool:
    """Whether a wheel holds the commands that make models."""
    with zipfile.ZipFile(wheel) as archive:
        return "potstill/pipeline/api.py" in archive.namelist()


def problems_of(wheel: zipfile.ZipFile, folder: Path, *, board: bool) -> list[str]:
    """What is wrong with the files of a wheel.

    Args:
        wheel: opened.
        folder: empty, for unpacking.
        board: whether it is a board's, cross-built. A board's own build of everything is no such wheel.
    """
    names = [name for name in wheel.namelist() if not name.endswith("/")]
    found = [f"{name} is missing" for name in (*NEEDED, *(() if board else NEEDED_TO_BUILD)) if name not in names]
    if not board:
        return found
    if stray := [name for name in names if name.startswith(left_out_folders())]:
        found.append(f"{stray[0]} and {len(stray) - 1} more files are of no use on a board")
    ours = [name for name in names if name.startswith("potstill/") and ".so" not in PurePosixPath(name).name]
    wheel.extractall(folder, ours)
    return found + import_problems(folder, modules(ours))
