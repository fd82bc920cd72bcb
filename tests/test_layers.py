"""The import rules of the layout: what runs on the board depends on nothing that stays on the laptop."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "potstill"

# Packages the runtime wheel must work without; `errors`, `paths` and `runtime` are the only parts of ours it may use.
HEAVY = ("numpy", "torch", "transformers", "onnx", "onnxruntime", "pydantic", "rich")


def _top_level_imports(path: Path) -> set[str]:
    """Modules imported when the file itself is imported (not inside a function)."""
    names: set[str] = set()
    pending: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            pending += node.body + node.orelse
        elif isinstance(node, ast.Try | ast.With):
            pending += node.body
    return names


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtime").rglob("*.py")), ids=lambda p: p.name)
def test_runtime_imports_nothing_above_it(path: Path) -> None:
    allowed = ("potstill.runtime", "potstill.errors", "potstill.paths", "potstill._core")
    ours = {name for name in _top_level_imports(path) if name.split(".")[0] == "potstill"}
    assert all(name == "potstill" or name.startswith(allowed) for name in ours), ours


def test_import_potstill_is_light() -> None:
    code = "import sys, potstill, potstill.cli; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert not loaded & set(HEAVY)


# What the standard library's conveniences cost on a board: typing 1.7 MB, dataclasses 1 MB more, pathlib 0.5 MB.
LARGE_PARTS = ("typing", "dataclasses", "inspect", "re", "pathlib", "enum", "collections", "contextlib", "json")


def test_running_a_model_imports_no_large_part_of_the_standard_library(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import potstill\n"
        "from potstill.errors import FormatError\n"
        "try:\n"
        "    potstill.load(sys.argv[1], threads=1)\n"
        "except FormatError as error:\n"
        "    assert error.code == 'F002', error\n"
        "print(' '.join(set(sys.modules) - before))"
    )
    (tmp_path / "short.still").write_bytes(b"short")
    command = [sys.executable, "-c", code, str(tmp_path / "short.still")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "potstill._core" in result.stdout
    assert not set(result.stdout.split()) & set(LARGE_PARTS)


def test_kernels_include_only_the_contract() -> None:
    kernels = ROOT / "cpp" / "src" / "kernels"
    forbidden = re.compile(r'#include\s+"(?:[^"]*/)?(?:ops|graph|format|tokenizer|parallel|bindings)/')
    sources = [path for path in kernels.rglob("*") if path.suffix in (".h", ".cpp")]
    assert sources
    for path in sources:
        assert not forbidden.search(path.read_text(encoding="utf-8")), path
