"""What a source file of the package holds: its top-level definitions, each with a digest and what it refers to.

A definition is known by its syntax tree without comments, docstrings and what only type checkers read.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.work.contents import text_digest

# Packages that say in a table where their public names are, and import them when they are asked for.
LAZY = ("potstill", "potstill.distil")
# Digits of a digest: 64 bits.
SHORT = 16
_MODULE_NAME = re.compile(r"potstill(\.\w+)+")
_PREFIX = re.compile(r"potstill(\.\w+)*\.")
_DATA_NAME = re.compile(r"[\w.-]+\.(json|toml|def)")


@dataclass
class Part:
    """A definition at the top of a module, or what runs there whenever it is imported; and what it refers to."""

    digest: str = ""
    names: list[str] = field(default_factory=list)  # in its own module
    imports: list[tuple[str, str]] = field(default_factory=list)  # module, name taken from it or "" for all of it
    packages: list[str] = field(default_factory=list)  # any module of these is imported by a computed name
    libraries: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)  # names of data files


@dataclass
class Module:
    """What a source file holds."""

    parts: dict[str, Part]  # by the name they define; "" is what always runs
    imported: dict[str, tuple[str, str]]  # names that top-level imports of ours bind: module, name or ""
    libraries: dict[str, str]  # names that top-level imports of libraries bind
    runs: list[str]  # modules of ours that are imported when it is
    table: dict[str, str] = field(default_factory=dict)  # of those in LAZY: where public names are


def module_of(value: dict[str, Any]) -> Module:
    """What `dataclasses.asdict` made of a module and JSON kept.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else.
    """
    parts = {
        str(name): Part(
            str(part["digest"]),
            [str(name) for name in part["names"]],
            [(str(source), str(taken)) for source, taken in part["imports"]],
            *([str(text) for text in part[kind]] for kind in ("packages", "libraries", "data")),
        )
        for name, part in value["parts"].items()
    }
    imported = {str(bound): (str(source), str(taken)) for bound, (source, taken) in value["imported"].items()}
    libraries, table = ({str(k): str(v) for k, v in value[kind].items()} for kind in ("libraries", "table"))
    return Module(parts, imported, libraries, [str(name) for name in value["runs"]], table)


def with_parents(module: str) -> list[str]:
    """The module and the packages it is in; importing it runs them all."""
    names = module.split(".")
    return [".".join(names[:count]) for count in range(1, len(names) + 1)]


def _strip(tree: ast.Module) -> None:
    """Drop strings that stand alone, docstrings among them, and what only types need."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [] if _is_for_types(node) else [one for one in body if not _is_nothing(one)]
            node.body = kept  # type: ignore[attr-defined]


def _is_nothing(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return text or (isinstance(statement, ast.If) and _is_for_types(statement) and not statement.orelse)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING"


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def describe(tree: ast.Module, module: str, path: Path) -> Module:
    """What a source file holds; changes `tree`."""
    _strip(tree)
    found = Module({}, {}, {}, [])
    defined: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.setdefault(name, []).append(statement)
            case ast.Import() | ast.ImportFrom():
                ours = _imports(statement, module, path)
                found.imported.update({bound: (source, taken) for bound, source, taken in ours})
                found.libraries.update(_libraries(statement))
                found.runs += [target for _, source, taken in ours for target in (source, f"{source}.{taken}")]
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        defined.setdefault(node.id, []).append(statement)
            case _:
                defined.setdefault("", []).append(statement)
    if module in LAZY:
        found.table = {
            str(key.value): str(value.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Dict)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
        }
    known = {*defined, *found.imported, *found.libraries}
    found.parts = {name: _part(statements, known, module, path) for name, statements in defined.items()}
    return found


def _part(statements: list[ast.stmt], known: set[str], module: str, path: Path) -> Part:
    """What some statements at the top of a module are and refer to; `known` are the names bound there."""
    text = "".join(map(ast.dump, statements))
    part = Part(text_digest(text.encode("utf-8", "surrogatepass"))[:SHORT] if statements else "")
    nodes = [node for statement in statements for node in ast.walk(statement)]
    used = _used_names(nodes)
    for node in nodes:
        match node:
            case ast.Import() | ast.ImportFrom():
                for bound, source, taken in _imports(node, module, path):
                    attributes = used.get(bound, set())
                    # Of a module whose attributes alone are used, those count.
                    exact = attributes and "" not in attributes and taken
                    part.imports += [(source, f"{taken}.{one}" if exact else taken) for one in attributes or {""}]
                part.libraries += _libraries(node).values()
            case ast.Attribute(value=ast.Name(id="potstill"), attr=name):
                part.imports.append(("potstill", name))
            case ast.Constant(value=str() as text):
                if module not in LAZY and _MODULE_NAME.fullmatch(text):
                    part.imports.append((text, ""))
                elif _DATA_NAME.fullmatch(text):
                    part.data.append(text)
            case ast.JoinedStr(values=[ast.Constant(value=str() as start), *_]) if _PREFIX.fullmatch(start):
                part.packages.append(start.rstrip("."))
            case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id="__name__")), ast.Constant(value=dot), *_]):
                part.packages += [module] if str(dot).startswith(".") else []
            case ast.Call(func=function, args=[ast.Constant(value=str() as text), *_]):
                if _name_of(function) == "import_module" and _is_library(text):
                    part.libraries.append(text.split(".")[0])
    for name in used.keys() & known:
        attributes = used[name]
        part.names += [name] if "" in attributes else [f"{name}.{one}" for one in attributes]
    part.imports = sorted(set(part.imports))
    for names in (part.names, part.packages, part.libraries, part.data):
        names[:] = sorted(set(names))
    return part


def _used_names(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Names that are used, each with the attributes taken of it; "" where it is used as it is."""
    of_attributes: dict[int, str] = {}
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            of_attributes[id(node.value)] = node.attr
        elif isinstance(node, ast.Name):
            found.setdefault(node.id, set()).add(of_attributes.get(id(node), ""))
    return found


def _imports(node: ast.Import | ast.ImportFrom, module: str, path: Path) -> list[tuple[str, str, str]]:
    """What an import statement takes of ours: the name bound, the module, and the name taken from it or ""."""
    if isinstance(node, ast.Import):
        # `import potstill` alone takes nothing; its attributes do.
        return [(one.asname or "potstill", one.name, "") for one in node.names if one.name.startswith("potstill.")]
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        package = parts if path.name == "__init__.py" else parts[:-1]
        source = ".".join([*package[: len(package) + 1 - node.level], *filter(None, [node.module])])
    if source.split(".")[0] != "potstill":
        return []
    return [(one.asname or one.name, source, one.name) for one in node.names]


def _libraries(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Libraries that an import statement takes from, by the names bound: neither ours nor Python's own."""
    if isinstance(node, ast.Import):
        return {
            one.asname or one.name.split(".")[0]: one.name.split(".")[0] for one in node.names if _is_library(one.name)
        }
    source = "" if node.level else node.module or ""
    return {one.asname or one.name: source.split(".")[0] for one in node.names if _is_library(source)}


def _is_library(module: str) -> bool:
    first = module.split(".")[0]
    return first not in ("", "potstill", "__future__") and first not in sys.stdlib_module_names
