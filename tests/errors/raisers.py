"""Where error codes are raised, read from the sources: Python's by its syntax tree, C++'s by its literals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from potstill import errors

PROJECT = Path(__file__).parents[2]
CODE = re.compile(r"[A-Z]\d{3}")
CLASSES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
CLASS_OF = {letter: kind.__name__ for letter, kind in errors._BY_LETTER.items()}


@dataclass(frozen=True)
class Site:
    """A place that raises a code.

    Attributes:
        code: e.g. ``"F020"``; empty where it is computed and cannot be read from the source.
        file: the path in the project.
        line: from 1.
        kind: the class of the error, in C++ that of the letter.
    """

    code: str
    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} {self.code}"


def python_files() -> list[Path]:
    """Python sources that raise: the package, the toolchains and the sessions."""
    found = [path for folder in ("python", "toolchains", "cpp") for path in (PROJECT / folder).rglob("*.py")]
    return sorted([*found, PROJECT / "noxfile.py"])


def cpp_files() -> list[Path]:
    """C++ sources that raise: all but tests, benchmarks and examples."""
    folders = ("src", "bindings", "tools", "include")
    paths = (path for folder in folders for path in (PROJECT / "cpp" / folder).rglob("*"))
    return sorted(path for path in paths if path.suffix in (".cpp", ".h", ".hpp"))


@cache
def _trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in python_files()}


@cache
def sites() -> tuple[Site, ...]:
    """Every place that raises a code."""
    helpers = {name: kind for tree in _trees().values() for name, kind in _helpers(tree)}
    python = (site for path, tree in _trees().items() for site in _in_python(path, tree, helpers))
    return (*python, *(site for path in cpp_files() for site in in_cpp(path)))


def handled() -> set[str]:
    """Codes that some code asks for: in comparisons and lists."""
    constants = (node.value for tree in _trees().values() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = (path.read_text(encoding="utf-8") for path in cpp_files())
    return {str(value) for value in constants if CODE.fullmatch(str(value))} | {
        code for text in texts for code in re.findall(r'"([A-Z]\d{3})"', _without_comments(text))
    }


def _helpers(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Functions that take a code first and raise it, with the class of their error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg == "code":
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _name(call.func) in CLASSES and _is_passed_on(call):
                    yield node.name, _name(call.func)


def _is_passed_on(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "code"


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _in_python(path: Path, tree: ast.AST, helpers: dict[str, str]) -> Iterator[Site]:
    file = path.relative_to(PROJECT).as_posix()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = _name(call.func)
        if name in CLASSES and not (_is_passed_on(call) and helpers):
            kind = name
        elif name in helpers:
            kind = helpers[name]
        else:
            continue
        for code in _codes(call.args[0] if call.args else None):
            yield Site(code, file, call.lineno, kind)


def _codes(argument: ast.expr | None) -> Iterable[str]:
    if isinstance(argument, ast.IfExp):
        return [*_codes(argument.body), *_codes(argument.orelse)]
    if isinstance(argument, ast.Constant) and CODE.fullmatch(str(argument.value)):
        return [str(argument.value)]
    return [""]


def _without_comments(text: str) -> str:
    """The same lines without what follows ``//``."""
    return re.sub(r"//.*", "", text)


def in_cpp(path: Path) -> Iterator[Site]:
    """``fail("F001", ...)``, ``Error("I001", ...)``, ``... ? "I008" : "I009"``, and messages written out."""
    text = _without_comments(path.read_text(encoding="utf-8"))
    patterns = (
        r'\b(?:fail|Error)\(\s*"([A-Z]\d{3})"',
        r'\?\s*"([A-Z]\d{3})"\s*:',
        r'\?\s*"[A-Z]\d{3}"\s*:\s*"([A-Z]\d{3})"',
        r"error\[([A-Z]\d{3})\]",
    )
    for pattern in patterns:
        for found in re.finditer(pattern, text):
            line = text.count("\n", 0, found.start()) + 1
            yield Site(found[1], path.relative_to(PROJECT).as_posix(), line, CLASS_OF.get(found[1][0], ""))
