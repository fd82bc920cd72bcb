"""Imports in toolchains/: lower folders only, lazy imports included, and no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

TOOLCHAINS = Path(__file__).resolve().parents[2] / "toolchains"
# Each may import those before it; the files beside boards.toml are the ground.
ORDER = ("", "roots", "audit", "wheels", "tokenizers", "emulate", "packages", "cycles", "sessions")
FOLDERS_OF_OTHER_FILES = {"cmake", "__pycache__"}


def _module(path: Path) -> str:
    parts = path.relative_to(TOOLCHAINS.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in sorted(TOOLCHAINS.rglob("*.py"))}


def _imports(path: Path) -> set[str]:
    """The modules of toolchains that a file names in import statements, at any depth."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & MODULES.keys() - {"toolchains"}


def _rank(module: str) -> int:
    folder = MODULES[module].relative_to(TOOLCHAINS).parts[0]
    return ORDER.index(folder if (TOOLCHAINS / folder).is_dir() else "")


def test_every_folder_has_its_place() -> None:
    folders = {path.name for path in TOOLCHAINS.iterdir() if path.is_dir()} - FOLDERS_OF_OTHER_FILES
    assert folders == {*ORDER} - {""}


def test_imports_point_downwards() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in sorted(_imports(path))
        if _rank(other) > _rank(module)
    ]
    assert upwards == []


def test_no_circles() -> None:
    TopologicalSorter({module: _imports(path) for module, path in MODULES.items()}).prepare()
