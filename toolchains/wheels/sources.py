"""What a wheel is made from: its hash decides whether a wheel is current; a copy of it must give the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from toolchains import PROJECT
from toolchains.digests import digest

_SOURCES = ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "cpp", "python", "toolchains")


def source_files(base: Path = PROJECT) -> Iterator[Path]:
    """The files below `base` that a wheel is made from, without tests, tools and what a build generates."""
    for name in _SOURCES:
        path = base / name
        if path.is_file():
            yield path
        for inner in sorted(path.rglob("*")) if path.is_dir() else ():
            parts = set(inner.relative_to(base).parts)
            generated = inner.suffix in {".so", ".pyc"} or inner.name == "_still_fb.py"
            unrelated = name == "cpp" and bool(parts & {"tests", "bench"})
            unrelated |= name == "toolchains" and inner.suffix not in (".cmake", ".toml")
            if inner.is_file() and not (generated or unrelated or "__pycache__" in parts):
                yield inner


def source_hash(base: Path = PROJECT) -> str:
    """Hash of everything a wheel is made from: names and contents, not times."""
    return digest(*(part for path in source_files(base) for part in (path.relative_to(base).as_posix(), path)))


def copy_sources(folder: Path, base: Path = PROJECT) -> Path:
    """A copy of the sources in `folder`, which is emptied first; the copies are as new as the copying."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in source_files(base):
        place = folder / path.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return folder
