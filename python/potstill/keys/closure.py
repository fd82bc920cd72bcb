"""Which code decides the result of a stage: what its `run` function really imports, followed through the whole package.

From the function on, every definition counts that it refers to: functions, classes and tables of its own and of other
modules, lazy imports inside functions included. So does what runs when those modules are imported, the data files
beside them, the native core where it is used, and the versions of the libraries. A definition counts by its syntax tree
without comments and docstrings, so that better words retrain nothing.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from potstill.keys import syntax
from potstill.keys.syntax import LAZY, SHORT, Module, describe, module_of, with_parents
from potstill.work.contents import file_digest, text_digest

PACKAGE = Path(__file__).parents[1]
# The rule for what is left out: code that carries values or tells of them and computes none that ends in a result.
# `.*` stands for a package with all that is in it.
GROUND = {
    "potstill": "finds public names; they are followed to where they are defined",
    "potstill.errors": "texts of failures: what fails leaves no result",
    "potstill.units": "shows figures, and reads those of recipes, whose values are in the key",
    "potstill.work.cache": "where the cache lies",
    "potstill.paths": "where files lie",
    "potstill.recipe.*": "reads recipes; their values, defaults and presets filled in, are in the key",
    "potstill.pipeline": "holds nothing",
    "potstill.work": "holds nothing",
    "potstill.work.wheel": "tells which wheel this is",
    "potstill.keys.*": "makes keys",
    "potstill.work.contents": "makes keys, and verifies",
    "potstill.pipeline.engine": "calls the stages",
    "potstill.work.lock": "waits",
    "potstill.work.processes": "exchanges values between processes, unchanged",
    "potstill.work.progress": "tells the progress",
    "potstill.pipeline.stage": "makes keys",
    "potstill.pipeline.changes": "tells why a key is another",
    "potstill.work.atomic": "writes files as they are given",
    "potstill.work.store": "keeps results as they are given",
}
_NATIVE = "potstill._core"
_MEMORY = "sources.json"
# Libraries that others bring along and that decide numbers too.
_BRINGS = {"transformers": ("tokenizers", "safetensors"), "datasets": ("pyarrow",), "litert_torch": ("torch",)}
# Distributions that are not called as what they are imported as.
_DISTRIBUTIONS = {"google": "protobuf"}
_DATA = (".json", ".toml", ".def")
_DATA_FOLDERS = ("toolchains", "cpp/src/kernels")  # of a source tree: where data lies that a wheel has in the package


@dataclass(frozen=True)
class Closure:
    """What a result depends on beside its inputs.

    Attributes:
        code: digests of syntax trees and data files, by their path in the package.
        libraries: installed versions by distribution, `python` among them; what is not installed is left out.
    """

    code: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)


class Sources:
    """The source files of the package under `root`.

    Args:
        root: folder of the package.
        memory: file that keeps what was found out about each file, by its content: parsing all takes most of a second.
    """

    def __init__(self, root: Path = PACKAGE, memory: Path | None = None) -> None:
        self.root = root
        self._memory = memory
        self._known = _remembered(memory)
        self._modules: dict[str, Module | None] = {}
        self._used: dict[str, Module] = {}
        self._beside: dict[Path, dict[str, Path]] = {}
        self._closures: dict[tuple[str, str], Closure] = {}

    def closure(self, function: Callable[..., Any]) -> Closure:
        """The closure of a function of the package; empty for one from elsewhere.

        Of a nested function, the function around it counts.
        """
        module, name = function.__module__, function.__qualname__.split(".")[0]
        return self.closure_of(module, name) if self.module(module) is not None else Closure()

    def closure_of(self, module: str, name: str) -> Closure:
        """The closure of what is called `name` in `module`; it is looked up once, since what runs was loaded once."""
        found = self._closures.get((module, name))
        if found is None:
            with _no_collection():
                found = self._closures[module, name] = _Walk(self).closure(module, name)
            self._remember()
        return found

    def path(self, module: str) -> Path | None:
        """The file of a module of the package."""
        first, *rest = module.split(".")
        if first != "potstill":
            return None
        place = self.root.joinpath(*rest)
        file = place.with_name(f"{place.name}.py") if rest else place / "__init__.py"
        return next((path for path in (file, place / "__init__.py") if path.is_file()), None)

    def module(self, name: str) -> Module | None:
        """What a module of the package holds; None where there is none of that name."""
        if name not in self._modules:
            path = self.path(name)
            self._modules[name] = None if path is None else self._read(name, path)
        return self._modules[name]

    def modules_of(self, package: str) -> list[str]:
        """The package and the modules in it."""
        files = sorted(self.root.joinpath(*package.split(".")[1:]).glob("*.py"))
        return [package if file.stem == "__init__" else f"{package}.{file.stem}" for file in files]

    def _read(self, name: str, path: Path) -> Module:
        content = path.read_bytes()
        key = f"{name} {text_digest(content)}"
        found = self._known.get(key)
        self._used[key] = found if found is not None else describe(ast.parse(content), name, path)
        return self._used[key]

    def data_files(self, module: str, named: Iterable[str]) -> dict[str, str]:
        """Digests of the data files beside a module, and of those that it names in a source tree."""
        path = self.path(module)
        assert path is not None
        folder, tree = path.parent, self.root.parents[1]
        if folder not in self._beside:
            names = sorted(entry.name for entry in folder.iterdir() if entry.suffix in _DATA)
            self._beside[folder] = {str((folder / name).relative_to(self.root)): folder / name for name in names}
        found = dict(self._beside[folder])
        found |= {f"{place}/{name}": tree / place / name for place in _DATA_FOLDERS for name in named}
        return {name: file_digest(entry)[:SHORT] for name, entry in found.items() if entry.is_file()}

    def native(self) -> dict[str, str]:
        """The native core, by its content; it lies elsewhere in an editable installation."""
        files = sorted(self.root.glob("_core*.so"))
        if not files and (loaded := getattr(sys.modules.get(_NATIVE), "__file__", None)) is not None:
            files = [Path(loaded)]
        return {"_core": file_digest(files[0])[:SHORT]} if files else {}

    def _remember(self) -> None:
        if self._memory is None or self._used.keys() <= self._known.keys():
            return
        from potstill.errors import PotstillError
        from potstill.work.atomic import atomic_write

        # Of each module the newest, those that no closure of this build has looked at included.
        looked_at = {key.split(" ")[0] for key in self._used}
        others = {key: found for key, found in self._known.items() if key.split(" ")[0] not in looked_at}
        self._known = {**others, **self._used}
        # A memory that cannot be written is no reason to stop: the next build looks anew.
        with contextlib.suppress(PotstillError), atomic_write(self._memory) as temporary:
            text = json.dumps({"maker": _maker(), "files": self._known}, default=vars, separators=(",", ":"))
            temporary.write_text(text, encoding="utf-8")


class _Walk:
    """One walk from a function through all that it refers to."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._taken: dict[str, set[str]] = {}  # parts by module
        self._run: set[str] = set()
        self._extra: dict[str, str] = {}
        self._libraries: set[str] = set()
        self._pending: list[tuple[str, str]] = []

    def closure(self, module: str, name: str) -> Closure:
        self._want(module, name)
        while self._pending:
            self._visit(*self._pending.pop())
        code = dict(self._extra)
        for taken, names in self._taken.items():
            found, path = self._sources.module(taken), self._sources.path(taken)
            assert found is not None and path is not None
            digests = [f"{name} {found.parts[name].digest}" for name in sorted(names) if found.parts[name].digest]
            if digests:
                code |= self._sources.data_files(taken, [one for name in names for one in found.parts[name].data])
                code[str(path.relative_to(self._sources.root))] = text_digest("\n".join(digests).encode())[:SHORT]
        return Closure(dict(sorted(code.items())), library_versions(self._libraries))

    def _want(self, module: str, name: str) -> None:
        """Take `name` of a module, all of it for "", and what runs when it is imported."""
        if module == _NATIVE:
            self._extra.update(self._sources.native())
            return
        if is_ground(module) and module not in LAZY:
            return
        found = self._sources.module(module)
        if found is None:
            return
        self._import(module)
        first, _, attribute = name.partition(".")
        below = f"{module}.{first}"
        if first and (below == _NATIVE or self._sources.module(below) is not None):
            self._want(below, attribute)
        elif first in found.table:
            self._want(found.table[first], first)
        elif module == "potstill":
            return
        elif first and (first in found.parts or first in found.imported or first in found.libraries):
            self._pending.append((module, name))
        else:
            # A name that is made otherwise, or all that the module holds.
            self._pending += [(module, each) for each in found.parts]

    def _import(self, module: str) -> None:
        """Importing a module runs its packages, and what they import."""
        for name in with_parents(module):
            if name in self._run or is_ground(name):
                continue
            self._run.add(name)
            found = self._sources.module(name)
            if found is not None:
                self._pending.append((name, ""))
                for other in found.runs:
                    self._import(other)

    def _visit(self, module: str, name: str) -> None:
        """Follow what a part of a module refers to, or a name that is imported there."""
        found = self._sources.module(module)
        assert found is not None
        first, _, attribute = name.partition(".")
        if first in found.imported:
            source, taken = found.imported[first]
            self._want(source, ".".join(filter(None, [taken, attribute])))
        elif first in found.libraries:
            self._libraries.add(found.libraries[first])
        elif first in found.parts and first not in self._taken.setdefault(module, set()):
            self._taken[module].add(first)
            part = found.parts[first]
            self._libraries.update(part.libraries)
            self._pending += [(module, other) for other in part.names]
            for target, taken in part.imports:
                self._want(target, taken)
            for package in part.packages:
                for below in self._sources.modules_of(package):
                    self._want(below, "")


@functools.cache
def sources(cache: Path | None = None) -> Sources:
    """The sources of this installation; what is known of them is kept in the folder `cache`."""
    return Sources(PACKAGE, None if cache is None else cache / _MEMORY)


def is_ground(module: str) -> bool:
    """Whether the rule `GROUND` leaves a module out."""
    return module in GROUND or any(f"{parent}.*" in GROUND for parent in with_parents(module))


def library_versions(imported: Iterable[str]) -> dict[str, str]:
    """Installed versions of imported libraries and those they bring along, by distribution; with Python's own."""
    names = {distribution_of(name) for first in imported for name in (first, *_BRINGS.get(first, ()))}
    found = {name: version for name in sorted(names) if (version := _version(name)) is not None}
    return {"python": platform.python_version(), **found}


def distribution_of(module: str) -> str:
    """The distribution that a library is installed by, from the name it is imported by."""
    return _DISTRIBUTIONS.get(module, module).replace("_", "-")


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _remembered(memory: Path | None) -> dict[str, Module]:
    """What an earlier build found out; nothing where it cannot be read or was made by another version of this."""
    if memory is None:
        return {}
    try:
        kept = json.loads(memory.read_text(encoding="utf-8"))
        if kept["maker"] != _maker():
            return {}
        return {str(key): module_of(value) for key, value in kept["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@functools.cache
def _maker() -> str:
    """What decides how a tree is described: our own code, and Python, whose trees differ."""
    return " ".join([*(file_digest(Path(path)) for path in (__file__, syntax.__file__)), sys.version])


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage collection paused: it takes most of the time where so many objects are made and kept."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
