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
    python = (site for path, tree in _trees().items() for site in _in_python(path, tree))
    return (*python, *(site for path in cpp_files() for site in in_cpp(path)))


def handled() -> set[str]:
    """Codes that some code asks for: in comparisons and lists."""
    constants = (node.value for tree in _trees().values() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = (path.read_text(encoding="utf-8") for path in cpp_files())
    return {str(value) for value in constants if CODE.fullmatch(str(value))} | {
        code for text in texts for code in re.findall(r'"([A-Z]\d{3})"', _without_comments(text))
    }


@dataclass(frozen=True)
class _Raiser:
    """What takes a code and raises it: a class of errors, or a function with a parameter `code` that it passes on."""

    kind: str
    place: int


@cache
def _raisers() -> dict[str, _Raiser]:
    found = {name: _Raiser(name, 0) for name in CLASSES}
    functions = [node for tree in _trees().values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for _ in range(2):  # a function may pass it to one that does
        for node in functions:
            names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
            kinds = [_raiser_of(call, found) for call in ast.walk(node) if isinstance(call, ast.Call)]
            passed = [kind for kind, code in kinds if isinstance(code, ast.Name) and code.id == "code"]
            if "code" in names and passed:
                found[node.name] = _Raiser(passed[0], names.index("code"))
    return found


def _raiser_of(call: ast.Call, known: dict[str, _Raiser]) -> tuple[str, ast.expr | None]:
    """The class of error that a call raises or makes, "" for none, and the argument with its code."""
    raiser = known.get(_name(call.func))
    if raiser is None:
        return "", None
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    return raiser.kind, next(iter([*call.args[raiser.place : raiser.place + 1], *named]), None)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _in_python(path: Path, tree: ast.AST) -> Iterator[Site]:
    file = path.relative_to(PROJECT).as_posix()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            kind, argument = _raiser_of(call, _raisers())
            if kind and not (isinstance(argument, ast.Name) and argument.id == "code"):
                yield from (Site(code, file, call.lineno, kind) for code in _codes(argument))


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
        r'\b(?:fail|Error|Problem)[({]\s*"([A-Z]\d{3})"',
        r'\?\s*"([A-Z]\d{3})"\s*:',
        r'\?\s*"[A-Z]\d{3}"\s*:\s*"([A-Z]\d{3})"',
        r"error\[([A-Z]\d{3})\]",
    )
    for pattern in patterns:
        for found in re.finditer(pattern, text):
            line = text.count("\n", 0, found.start()) + 1
            yield Site(found[1], path.relative_to(PROJECT).as_posix(), line, CLASS_OF.get(found[1][0], ""))
