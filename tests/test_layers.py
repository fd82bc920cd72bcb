"""The order of the packages: who may import whom, lazily or not, and what stays light on a board."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "potstill"

# Each imports those before it only, functions that import when they run included: so there is no circle.
ORDER = (
    "errors", "units", "paths", "work", "boards", "card", "runtime", "recipe", "keys", "still", "data", "models",
    "compile", "export", "distil", "quantize", "bench", "doctor", "compare", "pipeline", "commands", "cli", "__main__",
)  # fmt: skip
# What a board's wheel holds. `potstill bench --peers` asks for `compare`, and says that such a wheel lacks it.
BOARD = ("errors", "units", "paths", "work", "boards", "card", "runtime", "bench", "doctor", "commands.board", "cli")
SAID_TO_BE_ABSENT = ("compare",)
# The same inside the largest package.
PIPELINE = (
    "stage", "changes", "hints", "report", "rounding", "stages", "engine", "budget", "check", "publish", "builder",
    "seeds", "search", "api",
)  # fmt: skip
# Packages the runtime must work without.
HEAVY = ("numpy", "torch", "transformers", "onnx", "onnxruntime", "pydantic", "rich")
FILES = sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    """The package of a file, or its own name at the top."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and dotted names, below `potstill`, of all that a file imports anywhere, type checking included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name.removeprefix("potstill.")) for name in names if name.startswith("potstill."))


def test_every_package_has_its_place() -> None:
    """A new folder or file at the top is put into the order, or the other tests do not see it."""
    there = {_part(path) for path in FILES} - {"__init__"}
    assert there <= set(ORDER), there - set(ORDER)


def test_nothing_imports_upwards() -> None:
    for path in FILES:
        part = _part(path)
        if part == "__init__":
            continue  # the public names, each found on first use
        above = set(ORDER[ORDER.index(part) + 1 :])
        wrong = [f"line {line}: {name}" for line, name in _imports(path) if name.split(".")[0] in above]
        assert not wrong, path


def test_nothing_in_the_pipeline_imports_upwards() -> None:
    folder = PACKAGE / "pipeline"
    for path in sorted(folder.rglob("*.py")):
        part = path.relative_to(folder).with_suffix("").parts[0]
        if part == "__init__":
            continue
        above = {f"pipeline.{name}" for name in PIPELINE[PIPELINE.index(part) + 1 :]}
        wrong = [f"line {line}: {name}" for line, name in _imports(path) if ".".join(name.split(".")[:2]) in above]
        assert not wrong, path


def test_board_packages_import_board_packages_only() -> None:
    kept = (*BOARD, *SAID_TO_BE_ABSENT)
    for path in FILES:
        if not _within(".".join(path.relative_to(PACKAGE).with_suffix("").parts), BOARD):
            continue
        wrong = [
            f"line {line}: {name}"
            for line, name in _imports(path)
            if name.split(".")[0] in ORDER
            and not _within(name, kept)
            and (not name.startswith("commands.") or name.startswith("commands.host"))
        ]
        assert not wrong, path


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _at_the_top(path: Path) -> Iterator[str]:
    """Names that are imported when the file itself is."""
    pending: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            pending += node.body + node.orelse
        elif isinstance(node, ast.Try | ast.With):
            pending += node.body


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtime").rglob("*.py")), ids=lambda path: path.name)
def test_running_a_model_needs_card_errors_and_paths_alone(path: Path) -> None:
    allowed = ("potstill.runtime", "potstill.card", "potstill.errors", "potstill.paths", "potstill._core")
    ours = {name for name in _at_the_top(path) if name.split(".")[0] == "potstill"}
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


# Folders of cpp/src, and what each may include beside itself and the public headers of include/potstill/.
GROUND = {"cpu": set[str](), "parallel": set[str](), "format": set[str](), "tokenizer": {"format"}, "kernels": {"cpu"}}
CPP = GROUND | {
    "ops": {"kernels", "parallel", "format"},
    "heads": {"format"},
    "graph": {"heads", "ops", *GROUND},
    "api": {"heads", "graph", "ops", *GROUND},
}


def _included(path: Path) -> set[str]:
    """The folders of the project's files that a C++ file includes."""
    return set(re.findall(r'^\s*#\s*include\s+"(\w+)/', path.read_text(encoding="utf-8"), re.MULTILINE))


def _cpp_files(folder: str) -> list[Path]:
    return [path for path in (ROOT / "cpp" / folder).rglob("*") if path.suffix in (".h", ".hpp", ".cpp", ".c")]


def test_cpp_includes_point_downwards() -> None:
    """Bindings and tools are on top: they may include anything, and nothing includes them."""
    there = {path.name for path in (ROOT / "cpp" / "src").iterdir() if path.is_dir()}
    assert there <= set(CPP), there - set(CPP)
    for folder in there:
        files = _cpp_files(f"src/{folder}")
        assert files, folder
        for path in files:
            wrong = _included(path) - {folder, "potstill", *CPP[folder]}
            assert not wrong, f"{path}: {wrong}"


def test_public_headers_include_public_headers_only() -> None:
    headers = _cpp_files("include")
    assert headers
    for path in headers:
        assert _included(path) <= {"potstill"}, path
